/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices and interfaces of the host, to be looked at. */
#include "report.h"
#include "tables.h"
#include "tree.h"
#include "xml-desc.h"

/* ---- nodedev-list, nodedev-info, nodedev-dumpxml ---- */

/* virConnectListAllNodeDeviceFlags */
#define DEVICES_INACTIVE (1u << 30)
#define DEVICES_ACTIVE (1u << 31)
/* The same, from bit 0 on. */
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

typedef remote_connect_list_all_node_devices_ret Devices;

/* In fresh memory; NULL: it has none, or is gone. */
static char *get_parent(Tool *tool, const char *name) {
    remote_name_args call = {.name = (char *)name};
    remote_node_device_get_parent_ret ret = {0};
    char *parent = NULL;

    if (CALL(tool, NODE_DEVICE_GET_PARENT, remote_name_args, &call,
             remote_node_device_get_parent_ret, &ret, NULL) >= 0 &&
        ret.parentName)
        parent = text_format("%s", *ret.parentName);
    xdr_free((xdrproc_t)xdr_remote_node_device_get_parent_ret, (char *)&ret);
    return parent;
}

static void print_tree(Tool *tool, const Devices *devices) {
    const size_t n = devices->devices.devices_len;
    TreeNode *nodes = calloc(n + 1, sizeof(TreeNode));

    if (!nodes)
        out_of_memory();
    for (size_t i = 0; i < n; i++) {
        const char *name = devices->devices.devices_val[i].name;

        nodes[i] = (TreeNode){name, get_parent(tool, name)};
    }
    tree_print(nodes, n);
    for (size_t i = 0; i < n; i++)
        free((char *)nodes[i].parent);
    free(nodes);
}

static void print_names(const Tool *tool, const Devices *devices) {
    json_object *list = tool->json ? json_object_new_array() : NULL;

    for (u_int i = 0; i < devices->devices.devices_len; i++) {
        const char *name = devices->devices.devices_val[i].name;

        if (list)
            json_object_array_add(list, json_object_new_string(name));
        else
            puts(name);
    }
    if (list)
        tool_print_json(list);
}

static int cmd_nodedev_list(Tool *tool, const Args *args) {
    remote_list_all_args call = {.need_results = 1};
    const bool inactive = args_has(args, "inactive");
    CLEANUP_ERROR Error *error = NULL;
    Devices ret = {0};

    if (args_has(args, "tree") && (args_has(args, "cap") || inactive))
        return tool_fail(NULL, "Option --tree is incompatible with --cap and --inactive");
    if (inactive || args_has(args, "all"))
        call.flags |= DEVICES_INACTIVE;
    if (!inactive)
        call.flags |= DEVICES_ACTIVE;
    if (capability_flags(args_string(args, "cap"), &call.flags) < 0)
        return -EINVAL;
    if (CALL(tool, CONNECT_LIST_ALL_NODE_DEVICES, remote_list_all_args, &call,
             remote_connect_list_all_node_devices_ret, &ret, &error) < 0)
        return tool_fail(error, "Failed to list node devices");
    if (ret.devices.devices_len)
        qsort(ret.devices.devices_val, ret.devices.devices_len, sizeof(*ret.devices.devices_val),
              compare_devices);
    if (args_has(args, "tree") && !tool->json)
        print_tree(tool, &ret);
    else
        print_names(tool, &ret);
    xdr_free((xdrproc_t)xdr_remote_connect_list_all_node_devices_ret, (char *)&ret);
    return 0;
}

static int look_up(Tool *tool, const char *name) {
    remote_name_args call = {.name = (char *)name};
    remote_node_device_lookup_by_name_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    int r = CALL(tool, NODE_DEVICE_LOOKUP_BY_NAME, remote_name_args, &call,
                 remote_node_device_lookup_by_name_ret, &ret, &error);

    xdr_free((xdrproc_t)xdr_remote_node_device_lookup_by_name_ret, (char *)&ret);
    return r < 0 ? tool_fail(error, "Could not find matching device '%s'", name) : 0;
}

static bool ask(Tool *tool, int procedure, const char *name) {
    remote_name_args call = {.name = (char *)name};
    remote_int_ret ret = {0};

    return tool_call(tool, procedure, (xdrproc_t)xdr_remote_name_args, &call,
                     (xdrproc_t)xdr_remote_int_ret, &ret, NULL) >= 0 &&
           ret.value > 0;
}

static int cmd_nodedev_info(Tool *tool, const Args *args) {
    const char *name = args_string(args, "device");
    CLEANUP_FREE char *parent = NULL;
    Facts facts;

    if (look_up(tool, name) < 0)
        return -EIO;
    parent = get_parent(tool, name);
    facts_start(&facts, tool, 15);
    facts_text(&facts, "Name:", "name", name);
    facts_text(&facts, "Parent:", "parent", parent ? parent : "");
    facts_bool(&facts, "Active:", "active", ask(tool, REMOTE_PROC_NODE_DEVICE_IS_ACTIVE, name),
               "yes", "no");
    facts_bool(&facts, "Persistent:", "persistent",
               ask(tool, REMOTE_PROC_NODE_DEVICE_IS_PERSISTENT, name), "yes", "no");
    facts_bool(&facts, "Autostart:", "autostart",
               ask(tool, REMOTE_PROC_NODE_DEVICE_GET_AUTOSTART, name), "yes", "no");
    facts_print(&facts);
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
    {"device", OPTION_STRING, true, "name of the device, as in nodedev-list"},
    {"xpath", OPTION_STRING, false, "only what this XPath expression selects", .named = true},
    {"wrap", OPTION_FLAG, false, "wrap the results in one element"},
    OPTION_END};
static const Option nodedev_info_options[] = {
    {"device", OPTION_STRING, true, "name of the device, as in nodedev-list"}, OPTION_END};
static const Option nodedev_list_options[] = {
    {"tree", OPTION_FLAG, false, "as a tree"},
    {"cap", OPTION_STRING, false, "only of these capabilities, separated by commas"},
    {"inactive", OPTION_FLAG, false, "only inactive ones, of which there are none"},
    {"all", OPTION_FLAG, false, "inactive ones, too"},
    OPTION_END};

const Command commands_nodedev[] = {{.name = "nodedev-dumpxml",
                                     .help = "XML of a device of the host",
                                     .options = nodedev_dumpxml_options,
                                     .json = true,
                                     .run = cmd_nodedev_dumpxml},
                                    {.name = "nodedev-info",
                                     .help = "facts about a device of the host",
                                     .options = nodedev_info_options,
                                     .json = true,
                                     .run = cmd_nodedev_info},
                                    {.name = "nodedev-list",
                                     .help = "list the host's devices",
                                     .options = nodedev_list_options,
                                     .json = true,
                                     .run = cmd_nodedev_list},
                                    {0}};
