/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XML text from outside as a tree: well-formed, without entities of its own, without the network.
 */
#pragma once

#include <libxml/parser.h>

#include "util/error.h"

#define XML_LARGE 16384u /* bytes; who has a loop parses more on a worker */

/* `what` names it in sentences: "domain_definition". ERROR_XML_DETAIL, with the line and libxml2's
 * words, for what is not well-formed, has a document type declaration, or is larger than `limit`
 * bytes. The caller frees with xmlFreeDoc. */
int xml_document_parse(const char *text, size_t len, size_t limit, const char *what, xmlDocPtr *ret,
                       Error **reterr);

static inline void xml_document_freep(xmlDocPtr *doc) {
    xmlFreeDoc(*doc);
}
#define CLEANUP_XML_DOCUMENT CLEANUP(xml_document_freep)

/* Declarations of namespaces in the tags of a text, by a look at it: what makes no sense as XML may
 * count too many, never too few. Each is compared with all others of its element by libxml2 and by
 * us. */
size_t xml_count_namespaces(const char *text, size_t len);

/* The tree of a text, whatever it declares; NULL when it is not well-formed or memory failed on the
 * way, also where libxml2 would go on without what it could not keep. */
xmlDocPtr xml_read(xmlParserCtxtPtr context, const char *text, size_t len);
/* Why xml_read gave nothing; NULL: out of memory. */
const xmlError *xml_read_error(xmlParserCtxtPtr context);
/* The error of a text that xml_read gave nothing for: libxml2's words, the line, and a mark below
 * the column. `source` need not end with a NUL. `what` as in xml_document_parse. */
int xml_malformed(xmlParserCtxtPtr context, const char *source, size_t source_len, const char *what,
                  Error **reterr);
