/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices and interfaces of the host, to be looked at. */
#include "report.h"
#include "tables.h"
#include "xml-desc.h"

/* ---- nodedev-list, nodedev-dumpxml ---- */

/* virConnectListAllNodeDeviceFlags, from bit 0 on */
static const char *const capabilities[] = {
    "system",      "pci",        "usb_device", "usb",     "net",    "scsi_host",
    "scsi_target", "scsi",       "storage",    "fc_host", "vports", "scsi_generic",
    "drm",         "mdev_types", "mdev",       "ccw",     "css",    "vdpa",
    "ap_card",     "ap_queue",   "ap_matrix",  "vpd"};

static int capability_flags(const char *text, unsigned *ret) {
    while (text && *text) {
        size_t len = strcspn(text, ","), i = 0;

        while (i < ARRAY_SIZE(capabilities) &&
               (strlen(capabilities[i]) != len || strncmp(capabilities[i], text, len) != 0))
            i++;
        if (i == ARRAY_SIZE(capabilities))
            return tool_fail(NULL, "Invalid capability type");
        *ret |= 1u << i;
        text += len + (text[len] == ',');
    }
    return 0;
}

static int compare_devices(const void *a, const void *b) {
    return strcmp(((const remote_node_device *)a)->name, ((const remote_node_device *)b)->name);
}

static int cmd_nodedev_list(Tool *tool, const Args *args) {
    remote_list_all_args call = {.need_results = 1};
    remote_connect_list_all_node_devices_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    json_object *list = NULL;

    if (capability_flags(args_string(args, "cap"), &call.flags) < 0)
        return -EINVAL;
    if (CALL(tool, CONNECT_LIST_ALL_NODE_DEVICES, remote_list_all_args, &call,
             remote_connect_list_all_node_devices_ret, &ret, &error) < 0)
        return tool_fail(error, "Failed to list node devices");
    if (ret.devices.devices_len)
        qsort(ret.devices.devices_val, ret.devices.devices_len, sizeof(*ret.devices.devices_val),
              compare_devices);
    list = tool->json ? json_object_new_array() : NULL;
    for (u_int i = 0; i < ret.devices.devices_len; i++) {
        if (list)
            json_object_array_add(list, json_object_new_string(ret.devices.devices_val[i].name));
        else
            puts(ret.devices.devices_val[i].name);
    }
    if (list)
        tool_print_json(list);
    xdr_free((xdrproc_t)xdr_remote_connect_list_all_node_devices_ret, (char *)&ret);
    return 0;
}

static int cmd_nodedev_dumpxml(Tool *tool, const Args *args) {
    remote_node_device_get_xml_desc_args call = {.name = (char *)args_string(args, "device")};
    CLEANUP_ERROR Error *error = NULL;
    remote_xml_ret ret = {0};
    int r;

    if (CALL(tool, NODE_DEVICE_GET_XML_DESC, remote_node_device_get_xml_desc_args, &call,
             remote_xml_ret, &ret, &error) < 0)
        return tool_fail(error, "Could not find matching device '%s'", call.name);
    r = xml_print(tool, args, ret.xml);
    xdr_free((xdrproc_t)xdr_remote_xml_ret, (char *)&ret);
    return r;
}

/* ---- tables ---- */

static const Option nodedev_dumpxml_options[] = {
    {"device", OPTION_STRING, true, "target of the disk, as vda"},
    {"xpath", OPTION_STRING, false, "only what this XPath expression selects", .named = true},
    {"wrap", OPTION_FLAG, false, "wrap the results in one element"},
    OPTION_END};
static const Option nodedev_list_options[] = {
    {"tree", OPTION_FLAG, false, "as a tree"},
    {"cap", OPTION_STRING, false, "only of these capabilities, separated by commas"},
    {"inactive", OPTION_FLAG, false, "of the stored definition"},
    {"all", OPTION_FLAG, false, "all of them"},
    OPTION_END};

const Command commands_nodedev[] = {{.name = "nodedev-dumpxml",
                                     .help = "XML of a device of the host",
                                     .options = nodedev_dumpxml_options,
                                     .json = true,
                                     .run = cmd_nodedev_dumpxml},
                                    {.name = "nodedev-list",
                                     .help = "list the host's devices",
                                     .options = nodedev_list_options,
                                     .json = true,
                                     .run = cmd_nodedev_list},
                                    {0}};
