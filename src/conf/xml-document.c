/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/xml-document.h"

#include <libxml/parser.h>

static void quiet(void *context, const char *format, ...) {
}

static int malformed(xmlParserCtxtPtr context, const char *what, Error **reterr) {
    const xmlError *error = xmlCtxtGetLastError(context);
    CLEANUP_FREE char *text = error && error->message ? strdup(error->message) : NULL;
    size_t len = text ? strlen(text) : 0;

    if (error && error->code == XML_ERR_NO_MEMORY)
        return error_no_memory(reterr);
    while (len > 0 && text[len - 1] == '\n')
        text[--len] = '\0';
    return error_report(reterr, FROM_DOMAIN, ERROR_XML_DETAIL, "(%s):%d: %s", what,
                        error ? error->line : 1, text ? text : "no XML document");
}

int xml_document_parse(const char *text, size_t len, size_t limit, const char *what, xmlDocPtr *ret,
                       Error **reterr) {
    /* No XML_PARSE_HUGE: libxml2 keeps its limits on depth and entities. */
    const int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                        XML_PARSE_BIG_LINES;
    CLEANUP_XML_DOCUMENT xmlDocPtr doc = NULL;
    xmlParserCtxtPtr context;
    int r = 0;

    if (len > limit)
        return error_report(reterr, FROM_DOMAIN, ERROR_XML_DETAIL,
                            "(%s):1: it has %zu bytes, more than the %zu that are read", what, len,
                            limit);
    context = xmlNewParserCtxt();
    if (!context)
        return error_no_memory(reterr);
    xmlSetGenericErrorFunc(NULL, quiet);
    doc = xmlCtxtReadMemory(context, text, (int)len, "text.xml", NULL, options);
    if (!doc || !context->wellFormed || !xmlDocGetRootElement(doc))
        r = malformed(context, what, reterr);
    else if (doc->intSubset || doc->extSubset) /* entities could grow without bound */
        r = error_report(reterr, FROM_DOMAIN, ERROR_XML_DETAIL,
                         "(%s): a document type declaration is not allowed", what);
    xmlFreeParserCtxt(context);
    if (r >= 0)
        *ret = TAKE_PTR(doc);
    return r;
}
