/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A parsed XML element as text again, to be kept and written as it was read. */
#pragma once

#include <libxml/tree.h>
#include <stdbool.h>

/* The element with its comments, CDATA and prefixes; declarations of the elements around it that it
 * may need are repeated in it. Unlike libxml2's own dump this escapes namespace names, too.
 * Attributes in double quotes. NULL when out of memory. Caller frees. */
char *xml_text(xmlNodePtr element);

/* Whether XML can have it: UTF-8, without the control characters that have no place in a document.
 */
bool xml_is_text(const char *text);
