/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/xml-document.h"

#include <ctype.h>

#include "util/file.h"

#define PLACE_MAX 100 /* bytes of a line that is shown */

static const char dashes[PLACE_MAX + 1] = "--------------------------------------------------"
                                          "--------------------------------------------------";

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

/* The line the error is in, and below it a mark at its column; "" of one that is too long to be
 * shown, and of what is no UTF-8. */
static char *place_of(const char *text, size_t len, const xmlError *error) {
    const int column = error->int2 > 0 ? error->int2 - 1 : 0;
    CLEANUP_FREE char *line = NULL;
    const char *at = text, *const end = text + len;

    for (int n = 1; at && n < error->line; n++) {
        at = memchr(at, '\n', (size_t)(end - at));
        at = at ? at + 1 : NULL;
    }
    line = strndup(at ? at : "", at ? MIN_OF((size_t)(end - at), (size_t)PLACE_MAX + 1) : 0);
    if (!line)
        return NULL;
    line[strcspn(line, "\r\n")] = '\0';
    if (!*line || strlen(line) > PLACE_MAX || column > PLACE_MAX ||
        !xmlCheckUTF8((const unsigned char *)line))
        return strdup("");
    return strf("\n%s\n%.*s^", line, column, dashes);
}

int xml_malformed(xmlParserCtxtPtr context, const char *source, size_t source_len, const char *what,
                  Error **reterr) {
    const xmlError *error = xml_read_error(context);
    CLEANUP_FREE char *text = error ? strdup(error->message) : NULL;
    CLEANUP_FREE char *place = error ? place_of(source, source_len, error) : NULL;
    size_t len;

    if (!text || !place)
        return error_no_memory(reterr);
    len = strlen(text);
    while (len > 0 && text[len - 1] == '\n')
        text[--len] = '\0';
    return error_report(reterr, FROM_XML, ERROR_XML_DETAIL, "(%s):%d: %s%s", what,
                        error->line ? error->line : 1, text, place);
}

/* ---- namespaces ---- */

static bool starts_with(const char *at, const char *end, const char *word) {
    const size_t n = strlen(word);

    return (size_t)(end - at) >= n && memcmp(at, word, n) == 0;
}

/* Behind the next `word`; the end of the text when there is none. */
static const char *behind(const char *at, const char *end, const char *word) {
    const char *found = memmem(at, (size_t)(end - at), word, strlen(word));

    return found ? found + strlen(word) : end;
}

/* Wherever they stand. Returns the end. */
static const char *count_all(const char *at, const char *end, size_t *n) {
    for (; (at = memmem(at, (size_t)(end - at), "xmlns", 5)); at += 5)
        ++*n;
    return end;
}

/* From inside a tag to its end. A value that has no end or a '<' inside is none. */
static const char *count_in_tag(const char *at, const char *end, size_t *n) {
    while (at < end && *at != '>') {
        if (*at == '"' || *at == '\'') {
            const char *close = memchr(at + 1, *at, (size_t)(end - at - 1));

            if (!close || memchr(at, '<', (size_t)(close - at)))
                return count_all(at, end, n);
            at = close + 1;
        } else if (starts_with(at, end, "xmlns")) {
            ++*n;
            at += 5;
        } else {
            at++;
        }
    }
    return at;
}

static const char *count_in_markup(const char *at, const char *end, size_t *n) {
    if (starts_with(at, end, "<!--"))
        return behind(at + 4, end, "-->");
    if (starts_with(at, end, "<![CDATA["))
        return behind(at + 9, end, "]]>");
    if (starts_with(at, end, "<?") && end - at > 2 && isalpha((unsigned char)at[2]))
        return behind(at + 2, end, "?>");
    if (starts_with(at, end, "<?") || starts_with(at, end, "<!"))
        return count_all(at, end, n);
    return count_in_tag(at + 1, end, n);
}

size_t xml_count_namespaces(const char *text, size_t len) {
    const char *at = text, *const end = text + len;
    size_t n = 0;

    while ((at = memchr(at, '<', (size_t)(end - at))))
        at = count_in_markup(at, end, &n);
    return n;
}

/* ---- small documents ---- */

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
        r = xml_malformed(context, text, len, what, reterr);
    else if (doc->intSubset || doc->extSubset) /* entities could grow without bound */
        r = error_report(reterr, FROM_DOMAIN, ERROR_XML_DETAIL,
                         "(%s): a document type declaration is not allowed", what);
    xmlFreeParserCtxt(context);
    if (r >= 0)
        *ret = TAKE_PTR(doc);
    return r;
}
