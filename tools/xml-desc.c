/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks for a domain's XML. */
#include "xml-desc.h"

#include <libxml/parser.h>

#include "report.h"

int xml_desc_get(Tool *tool, const remote_domain *dom, unsigned flags, char **ret, Error **reterr) {
    remote_domain_flags_args call = {.dom = *dom, .flags = flags};
    remote_domain_get_xml_desc_ret xml = {0};
    int r;

    r = CALL(tool, DOMAIN_GET_XML_DESC, remote_domain_flags_args, &call,
             remote_domain_get_xml_desc_ret, &xml, reterr);
    if (r < 0)
        return r;
    *ret = text_format("%s", xml.xml);
    xdr_free((xdrproc_t)xdr_remote_domain_get_xml_desc_ret, &xml);
    return 0;
}

int xml_view_text(const char *xml, XmlView *ret) {
    *ret = (XmlView){
        .doc = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL,
                             XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING)};
    ret->context = ret->doc ? xmlXPathNewContext(ret->doc) : NULL;
    if (ret->context)
        return 0;
    xml_view_done(ret);
    return -EINVAL;
}

int xml_view_domain(Tool *tool, const remote_domain *dom, unsigned flags, XmlView *ret) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL;

    if (xml_desc_get(tool, dom, flags, &xml, &error) < 0)
        return tool_failed(error);
    if (xml_view_text(xml, ret) < 0)
        return tool_fail(NULL, "the server's XML of domain '%s' cannot be parsed", dom->name);
    return 0;
}

void xml_view_done(XmlView *view) {
    if (view->context)
        xmlXPathFreeContext(view->context);
    xmlFreeDoc(view->doc);
    *view = (XmlView){0};
}

static xmlXPathObject *evaluate(const XmlView *view, xmlNode *node, const char *path) {
    view->context->node = node ? node : xmlDocGetRootElement(view->doc);
    return xmlXPathEval(BAD_CAST path, view->context);
}

char *xml_view_string(const XmlView *view, xmlNode *node, const char *path) {
    CLEANUP(xml_nodes_freep) xmlXPathObject *object = evaluate(view, node, path);
    xmlChar *text = NULL;
    char *copy;

    if (!object || (object->type == XPATH_NODESET && xmlXPathNodeSetIsEmpty(object->nodesetval)))
        return NULL;
    text = xmlXPathCastToString(object);
    copy = text_format("%s", text ? (const char *)text : "");
    xmlFree(text);
    return copy;
}

xmlXPathObject *xml_view_nodes(const XmlView *view, const char *path) {
    xmlXPathObject *object = evaluate(view, NULL, path);

    if (object && object->type == XPATH_NODESET && !xmlXPathNodeSetIsEmpty(object->nodesetval))
        return object;
    if (object)
        xmlXPathFreeObject(object);
    return NULL;
}

char *xml_view_dump(const XmlView *view, xmlNode *node) {
    xmlBuffer *buffer = xmlBufferCreate();
    char *text;

    if (!buffer || xmlNodeDump(buffer, view->doc, node, 0, 1) < 0)
        out_of_memory();
    text = text_format("%s\n", (const char *)xmlBufferContent(buffer));
    xmlBufferFree(buffer);
    return text;
}

/* ---- printing ---- */

static void print_node(xmlDoc *doc, xmlNode *node) {
    xmlBuffer *buffer = xmlBufferCreate();

    if (buffer && xmlNodeDump(buffer, doc, node, 0, 1) >= 0)
        puts((const char *)xmlBufferContent(buffer));
    xmlBufferFree(buffer);
}

static int print_nodes(const xmlNodeSet *nodes, xmlDoc *doc, bool wrap) {
    xmlNode *root = NULL;

    if (!nodes)
        return 0;
    if (!wrap) {
        for (int i = 0; i < nodes->nodeNr; i++)
            print_node(doc, nodes->nodeTab[i]);
        return 0;
    }
    root = xmlNewDocNode(doc, NULL, BAD_CAST "nodes", NULL);
    for (int i = 0; root && i < nodes->nodeNr; i++) {
        xmlNode *copy = xmlDocCopyNode(nodes->nodeTab[i], doc, 1);

        if (copy && !xmlAddChild(root, copy))
            xmlFreeNode(copy);
    }
    if (root)
        print_node(doc, root);
    xmlFreeNode(root);
    return 0;
}

static int print_xpath(const char *xml, const char *expression, bool wrap) {
    xmlDoc *doc = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL,
                                XML_PARSE_NONET | XML_PARSE_NOERROR);
    xmlXPathContext *context = doc ? xmlXPathNewContext(doc) : NULL;
    xmlXPathObject *object = context ? xmlXPathEval(BAD_CAST expression, context) : NULL;
    int r;

    if (!object)
        r = tool_fail(NULL, "cannot evaluate xpath expression '%s'", expression);
    else if (object->type == XPATH_NODESET)
        r = print_nodes(object->nodesetval, doc, wrap);
    else {
        xmlChar *text = xmlXPathCastToString(object);

        r = 0;
        puts(text ? (const char *)text : "");
        xmlFree(text);
    }
    if (object)
        xmlXPathFreeObject(object);
    if (context)
        xmlXPathFreeContext(context);
    xmlFreeDoc(doc);
    return r;
}

int xml_print(const Tool *tool, const Args *args, const char *xml) {
    if (args_has_option(args, "xpath"))
        return print_xpath(xml, args_string(args, "xpath"), args_has_option(args, "wrap"));
    if (tool->json)
        report_text(tool, "xml", xml);
    else
        printf("%s", xml);
    return 0;
}
