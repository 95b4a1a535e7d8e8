/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dumpxml: a domain's XML, or parts of it. */
#include <libxml/parser.h>
#include <libxml/xpath.h>

#include "tables.h"
#include "xml-desc.h"

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

static int cmd_dumpxml(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL;
    unsigned flags = (args_has(args, "security-info") ? XML_SECURE : 0u) |
                     (args_has(args, "inactive") ? XML_INACTIVE : 0u) |
                     (args_has(args, "update-cpu") ? XML_UPDATE_CPU : 0u) |
                     (args_has(args, "migratable") ? XML_MIGRATABLE : 0u);

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (xml_desc_get(tool, &dom, flags, &xml, &error) < 0)
        return tool_fail(NULL, "%s", error_message(error));
    if (args_has(args, "xpath"))
        return print_xpath(xml, args_string(args, "xpath"), args_has(args, "wrap"));
    if (tool->json) {
        json_object *object = json_object_new_object();

        json_object_object_add(object, "xml", json_object_new_string(xml));
        tool_print_json(object);
    } else {
        printf("%s", xml);
    }
    return 0;
}

/* ---- tables ---- */

static const Option dumpxml_options[] = {
    OPTION_DOMAIN,
    {"inactive", OPTION_FLAG, false, "show inactive defined XML"},
    {"security-info", OPTION_FLAG, false, "include security sensitive information in XML dump"},
    {"update-cpu", OPTION_FLAG, false, "update guest CPU according to host CPU"},
    {"migratable", OPTION_FLAG, false, "provide XML suitable for migrations"},
    {"xpath", OPTION_STRING, false, "xpath expression to filter the XML document", .named = true},
    {"wrap", OPTION_FLAG, false, "wrap xpath results in an common root element"},
    OPTION_END};

const Command commands_dumpxml[] = {
    {.name = "dumpxml",
     .help = "domain information in XML",
     .description = "Output the domain information as an XML dump to stdout.",
     .options = dumpxml_options,
     .json = true,
     .run = cmd_dumpxml},
    {0}};
