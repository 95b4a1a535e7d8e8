/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's network interfaces, to be looked at. */
#include <strings.h>

#include "report.h"
#include "tables.h"
#include "xml-desc.h"

static int compare_names(const void *a, const void *b) {
    return strcasecmp(((const remote_interface *)a)->name, ((const remote_interface *)b)->name);
}

static bool is_active(Tool *tool, const remote_interface *iface) {
    remote_interface_args call = {.iface = *iface};
    remote_int_ret ret = {0};

    return CALL(tool, INTERFACE_IS_ACTIVE, remote_interface_args, &call, remote_int_ret, &ret,
                NULL) >= 0 &&
           ret.value;
}

static int cmd_iface_list(Tool *tool, const Args *args) {
    static const char *const titles[] = {"Name", "State", "MAC Address"}, *const keys[] = {"name",
                                                                                           "state",
                                                                                           "mac"};
    /* virConnectListAllInterfacesFlags: 1 inactive, 2 active */
    remote_list_all_args call = {.need_results = 1,
                                 .flags = args_has(args, "all")        ? 3
                                          : args_has(args, "inactive") ? 1
                                                                       : 2};
    remote_connect_list_all_interfaces_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    Rows rows;

    if (CALL(tool, CONNECT_LIST_ALL_INTERFACES, remote_list_all_args, &call,
             remote_connect_list_all_interfaces_ret, &ret, &error) < 0)
        return tool_fail(error, "Failed to list interfaces");
    if (ret.ifaces.ifaces_len)
        qsort(ret.ifaces.ifaces_val, ret.ifaces.ifaces_len, sizeof(*ret.ifaces.ifaces_val),
              compare_names);
    rows_start(&rows, tool, ARRAY_SIZE(titles), titles, keys);
    for (u_int i = 0; i < ret.ifaces.ifaces_len; i++) {
        const remote_interface *iface = &ret.ifaces.ifaces_val[i];

        rows_add(&rows,
                 (const char *const[]){iface->name, is_active(tool, iface) ? "active" : "inactive",
                                       iface->mac});
    }
    rows_print(&rows);
    xdr_free((xdrproc_t)xdr_remote_connect_list_all_interfaces_ret, (char *)&ret);
    return 0;
}

static int cmd_iface_dumpxml(Tool *tool, const Args *args) {
    const char *name = args_string(args, "interface");
    remote_name_args by_name = {.name = (char *)name};
    remote_interface_flags_args call = {.flags = args_has(args, "inactive") ? 1 : 0};
    remote_interface_ret found = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_xml_ret ret = {0};
    int r;

    if (CALL(tool, INTERFACE_LOOKUP_BY_NAME, remote_name_args, &by_name, remote_interface_ret,
             &found, &error) < 0)
        return tool_fail(error, "failed to get interface '%s'", name);
    call.iface = found.iface;
    r = CALL(tool, INTERFACE_GET_XML_DESC, remote_interface_flags_args, &call, remote_xml_ret, &ret,
             &error);
    r = r < 0 ? tool_failed(error) : xml_print(tool, args, ret.xml);
    xdr_free((xdrproc_t)xdr_remote_xml_ret, (char *)&ret);
    xdr_free((xdrproc_t)xdr_remote_interface_ret, (char *)&found);
    return r;
}

/* The other name of an interface: the MAC address of one by name, or the reverse. */
static int print_other(Tool *tool, const Args *args, int procedure, bool mac) {
    const char *given = args_string(args, "interface");
    remote_name_args call = {.name = (char *)given};
    remote_interface_ret found = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (tool_call(tool, procedure, (xdrproc_t)xdr_remote_name_args, &call,
                  (xdrproc_t)xdr_remote_interface_ret, &found, &error) < 0)
        return tool_fail(error, "failed to get interface '%s'", given);
    report_text(tool, mac ? "mac" : "name", mac ? found.iface.mac : found.iface.name);
    xdr_free((xdrproc_t)xdr_remote_interface_ret, (char *)&found);
    return 0;
}

static int cmd_iface_mac(Tool *tool, const Args *args) {
    return print_other(tool, args, REMOTE_PROC_INTERFACE_LOOKUP_BY_NAME, true);
}

static int cmd_iface_name(Tool *tool, const Args *args) {
    return print_other(tool, args, REMOTE_PROC_INTERFACE_LOOKUP_BY_MAC_STRING, false);
}

/* ---- tables ---- */

static const Option iface_mac_options[] = {
    {"interface", OPTION_STRING, true, "name of the interface"}, OPTION_END};
static const Option iface_name_options[] = {
    {"interface", OPTION_STRING, true, "MAC address of the interface"}, OPTION_END};
static const Option iface_dumpxml_options[] = {
    OPTION_INTERFACE,
    {"inactive", OPTION_FLAG, false, "of the stored definition"},
    {"xpath", OPTION_STRING, false, "only what this XPath expression selects", .named = true},
    {"wrap", OPTION_FLAG, false, "wrap the results in one element"},
    OPTION_END};
static const Option iface_list_options[] = {
    {"inactive", OPTION_FLAG, false, "of the stored definition"},
    {"all", OPTION_FLAG, false, "all of them"},
    OPTION_END};

const Command commands_iface[] = {{.name = "iface-dumpxml",
                                   .help = "XML of a network interface of the host",
                                   .options = iface_dumpxml_options,
                                   .json = true,
                                   .run = cmd_iface_dumpxml},
                                  {.name = "iface-list",
                                   .help = "list the host's network interfaces",
                                   .options = iface_list_options,
                                   .json = true,
                                   .run = cmd_iface_list},
                                  {.name = "iface-mac",
                                   .help = "MAC address of a network interface of the host",
                                   .options = iface_mac_options,
                                   .json = true,
                                   .run = cmd_iface_mac},
                                  {.name = "iface-name",
                                   .help = "name of a network interface of the host",
                                   .options = iface_name_options,
                                   .json = true,
                                   .run = cmd_iface_name},
                                  {0}};
