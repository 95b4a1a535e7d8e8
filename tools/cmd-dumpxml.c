/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dumpxml: a domain's XML, or parts of it. */
#include "tables.h"
#include "xml-desc.h"

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
        return tool_failed(error);
    return xml_print(tool, args, xml);
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
