/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XML text from outside as a tree: well-formed, without entities of its own, without the network.
 */
#pragma once

#include <libxml/tree.h>

#include "util/error.h"

/* `what` names it in sentences: "domain_definition". ERROR_XML_DETAIL, with the line and libxml2's
 * words, for what is not well-formed, has a document type declaration, or is larger than `limit`
 * bytes. The caller frees with xmlFreeDoc. */
int xml_document_parse(const char *text, size_t len, size_t limit, const char *what, xmlDocPtr *ret,
                       Error **reterr);

static inline void xml_document_freep(xmlDocPtr *doc) {
    xmlFreeDoc(*doc);
}
#define CLEANUP_XML_DOCUMENT CLEANUP(xml_document_freep)
