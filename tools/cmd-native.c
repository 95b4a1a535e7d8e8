/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domain XML to a hypervisor's command line, and back. */
#include "tables.h"
#include "xml-desc.h"

static int cmd_domxml_from_native(Tool *tool, const Args *args) {
    remote_connect_domain_xml_from_native_args call = {
        .nativeFormat = (char *)args_string(args, "format")};
    remote_connect_domain_xml_from_native_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *text = NULL;

    if (tool_read_file(args_string(args, "config"), &text) < 0)
        return -EIO;
    call.nativeConfig = text;
    if (CALL(tool, CONNECT_DOMAIN_XML_FROM_NATIVE, remote_connect_domain_xml_from_native_args,
             &call, remote_connect_domain_xml_from_native_ret, &ret, &error) < 0)
        return tool_failed(error);
    xml_print(tool, args, ret.domainXml);
    xdr_free((xdrproc_t)xdr_remote_connect_domain_xml_from_native_ret, (char *)&ret);
    return 0;
}

/* The XML of the file, or of the domain that --domain names. */
static int read_source(Tool *tool, const Args *args, char **ret) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (tool_exclusive(args, "domain", "xml") < 0)
        return -EINVAL;
    if (args_has(args, "xml"))
        return tool_read_file(args_string(args, "xml"), ret);
    if (!args_has(args, "domain"))
        return tool_fail(NULL, "need either domain or domain XML");
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    return xml_desc_get(tool, &dom, 0, ret, &error) < 0 ? tool_failed(error) : 0;
}

static int cmd_domxml_to_native(Tool *tool, const Args *args) {
    remote_connect_domain_xml_to_native_args call = {
        .nativeFormat = (char *)args_string(args, "format")};
    remote_connect_domain_xml_to_native_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL;

    if (read_source(tool, args, &xml) < 0)
        return -EIO;
    call.domainXml = xml;
    if (CALL(tool, CONNECT_DOMAIN_XML_TO_NATIVE, remote_connect_domain_xml_to_native_args, &call,
             remote_connect_domain_xml_to_native_ret, &ret, &error) < 0)
        return tool_failed(error);
    printf("%s", ret.nativeConfig);
    xdr_free((xdrproc_t)xdr_remote_connect_domain_xml_to_native_ret, (char *)&ret);
    return 0;
}

/* ---- tables ---- */

static const Option domxml_from_native_options[] = {
    {"format", OPTION_STRING, true, "format of the dump"},
    {"config", OPTION_STRING, true, "affect next boot"},
    OPTION_END};
static const Option domxml_to_native_options[] = {
    {"format", OPTION_STRING, true, "format of the dump"},
    {"domain", OPTION_STRING, false, "domain name, id or uuid", .value = VALUE_DOMAIN},
    {"xml", OPTION_STRING, false, "file with XML to be used instead", .value = VALUE_FILE},
    OPTION_END};

const Command commands_native[] = {{.name = "domxml-from-native",
                                    .help = "domain XML of a hypervisor's command line",
                                    .options = domxml_from_native_options,
                                    .run = cmd_domxml_from_native},
                                   {.name = "domxml-to-native",
                                    .help = "hypervisor's command line of a domain XML",
                                    .options = domxml_to_native_options,
                                    .run = cmd_domxml_to_native},
                                   {0}};
