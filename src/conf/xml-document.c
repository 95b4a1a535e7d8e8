/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/xml-document.h"

static void quiet(void *context, const char *format, ...) {
}

/* The last error may be another that followed from it. */
static void watch(void *userdata, xmlErrorPtr error) {
    xmlParserCtxtPtr context = userdata;

    if (error->code == XML_ERR_NO_MEMORY)
        context->_private = context;
}

xmlDocPtr xml_read(xmlParserCtxtPtr context, const char *text, size_t len) {
    /* No XML_PARSE_HUGE: libxml2 keeps its limits on depth and entities. BIG_LINES: line numbers
     * beyond 65535. */
    const int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                        XML_PARSE_BIG_LINES | XML_PARSE_COMPACT;
    CLEANUP_XML_DOCUMENT xmlDocPtr doc = NULL;

    xmlSetGenericErrorFunc(NULL, quiet);
    xmlResetLastError();
    context->_private = NULL;
    xmlSetStructuredErrorFunc(context, watch); /* of the thread: not all that fails has a context */
    doc = xmlCtxtReadMemory(context, text, (int)len, "text.xml", NULL, options);
    xmlSetStructuredErrorFunc(NULL, NULL);
    if (!doc || !context->wellFormed || !xmlDocGetRootElement(doc) || context->_private)
        return NULL;
    return TAKE_PTR(doc);
}

const xmlError *xml_read_error(xmlParserCtxtPtr context) {
    const xmlError *error = xmlCtxtGetLastError(context);

    if (!error) /* it came to nothing before there was a document */
        error = xmlGetLastError();
    return context->_private || !error || !error->message ? NULL : error;
}

static int malformed(xmlParserCtxtPtr context, const char *what, Error **reterr) {
    const xmlError *error = xml_read_error(context);
    CLEANUP_FREE char *text = error ? strdup(error->message) : NULL;
    size_t len;

    if (!text)
        return error_no_memory(reterr);
    len = strlen(text);
    while (len > 0 && text[len - 1] == '\n')
        text[--len] = '\0';
    return error_report(reterr, FROM_DOMAIN, ERROR_XML_DETAIL, "(%s):%d: %s", what,
                        error->line ? error->line : 1, text);
}

int xml_document_parse(const char *text, size_t len, size_t limit, const char *what, xmlDocPtr *ret,
                       Error **reterr) {
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
    doc = xml_read(context, text, len);
    if (!doc)
        r = malformed(context, what, reterr);
    else if (doc->intSubset || doc->extSubset) /* entities could grow without bound */
        r = error_report(reterr, FROM_DOMAIN, ERROR_XML_DETAIL,
                         "(%s): a document type declaration is not allowed", what);
    xmlFreeParserCtxt(context);
    if (r >= 0)
        *ret = TAKE_PTR(doc);
    return r;
}
