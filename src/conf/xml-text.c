/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* XML tree to text; recursion is as deep as libxml2 let the parser go (256). */
#include "conf/xml-text.h"

#include <libxml/parserInternals.h>
#include <stdio.h>

#include "util/macro.h"
#include "util/text.h"

/* `end` is where it ends; NULL: at its zero. */
static void put_part(FILE *out, const xmlChar *text, const xmlChar *end, bool in_attribute) {
    for (; text && text != end && *text; text++) {
        if (*text == '&')
            fputs("&amp;", out);
        else if (*text == '<')
            fputs("&lt;", out);
        else if (*text == '>')
            fputs("&gt;", out);
        else if (*text == '\r' ||
                 (in_attribute && (*text == '\n' || *text == '\t' || *text == '"')))
            fprintf(out, "&#%d;", *text);
        else
            fputc(*text, out);
    }
}

static void put_escaped(FILE *out, const xmlChar *text, bool in_attribute) {
    put_part(out, text, NULL, in_attribute);
}

static void put_name(FILE *out, const xmlNs *ns, const xmlChar *name) {
    if (ns && ns->prefix)
        fprintf(out, "%s:", (const char *)ns->prefix);
    fputs((const char *)name, out);
}

/* libxml2 2.9 leaves an ampersand in a namespace name as "&#38;". */
static void put_namespace(FILE *out, const xmlNs *ns) {
    const xmlChar *href, *amp;

    fprintf(out, ns->prefix ? " xmlns:%s=\"" : " xmlns%s=\"",
            ns->prefix ? (const char *)ns->prefix : "");
    for (href = ns->href; href && (amp = xmlStrstr(href, BAD_CAST "&#38;")); href = amp + 5) {
        put_part(out, href, amp, true);
        fputs("&amp;", out);
    }
    put_escaped(out, href, true);
    fputc('"', out);
}

static const char used;

/* Marks the declarations that the names below an element need. */
static void mark_used(const xmlNode *element) {
    if (element->ns)
        element->ns->_private = (void *)(uintptr_t)&used;
    for (const xmlAttr *attribute = element->properties; attribute; attribute = attribute->next)
        if (attribute->ns)
            attribute->ns->_private = (void *)(uintptr_t)&used;
    for (const xmlNode *child = element->children; child; child = child->next)
        if (child->type == XML_ELEMENT_NODE)
            mark_used(child);
}

/* Declarations further up, of what is used; the marks go away again. */
static void put_inherited(FILE *out, const xmlNode *element) {
    for (const xmlNode *up = element->parent; up && up->type == XML_ELEMENT_NODE; up = up->parent)
        for (xmlNs *ns = up->nsDef; ns; ns = ns->next) {
            if (ns->_private == &used)
                put_namespace(out, ns);
            ns->_private = NULL;
        }
}

static void put_element(FILE *out, const xmlNode *element, bool outermost);

static void put_node(FILE *out, const xmlNode *node) {
    switch (node->type) {
    case XML_ELEMENT_NODE:
        put_element(out, node, false);
        break;
    case XML_TEXT_NODE:
        put_escaped(out, node->content, false);
        break;
    case XML_CDATA_SECTION_NODE:
        fprintf(out, "<![CDATA[%s]]>", node->content ? (const char *)node->content : "");
        break;
    case XML_COMMENT_NODE:
        fprintf(out, "<!--%s-->", node->content ? (const char *)node->content : "");
        break;
    case XML_PI_NODE:
        fprintf(out, "<?%s%s%s?>", (const char *)node->name, node->content ? " " : "",
                node->content ? (const char *)node->content : "");
        break;
    default: /* entities need a document type, which is refused */
        break;
    }
}

static void put_element(FILE *out, const xmlNode *element, bool outermost) {
    fputc('<', out);
    put_name(out, element->ns, element->name);
    for (const xmlNs *ns = element->nsDef; ns; ns = ns->next)
        put_namespace(out, ns);
    if (outermost) {
        mark_used(element);
        put_inherited(out, element);
    }
    for (const xmlAttr *attribute = element->properties; attribute; attribute = attribute->next) {
        fputc(' ', out);
        put_name(out, attribute->ns, attribute->name);
        fputs("=\"", out);
        for (const xmlNode *part = attribute->children; part; part = part->next)
            put_escaped(out, part->content, true);
        fputc('"', out);
    }
    if (!element->children) {
        fputs("/>", out);
        return;
    }
    fputc('>', out);
    for (const xmlNode *child = element->children; child; child = child->next)
        put_node(out, child);
    fputs("</", out);
    put_name(out, element->ns, element->name);
    fputc('>', out);
}

char *xml_text(xmlNodePtr element) {
    CLEANUP_FREE char *text = NULL;
    bool failed;
    FILE *out = text_open(&text);

    if (!out)
        return NULL;
    put_element(out, element, true);
    failed = ferror(out) != 0;
    return fclose(out) == 0 && !failed ? TAKE_PTR(text) : NULL;
}

static int utf8_bytes(int c) {
    return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

bool xml_is_text(const char *text) {
    while (*text) {
        int n = (int)strnlen(text, 4);
        const int c = xmlGetUTF8Char(BAD_CAST text, &n);

        if (c < 0 || !xmlIsCharQ((unsigned)c) || n != utf8_bytes(c))
            return false;
        text += n;
    }
    return true;
}
