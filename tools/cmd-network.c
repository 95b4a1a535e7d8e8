/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Virtual networks. */
#include <time.h>

#include "named.h"
#include "report.h"
#include "tables.h"

static int cmd_net_define(Tool *tool, const Args *args) {
    return named_from_file(tool, &named_network, args, false, 0);
}

static int cmd_net_create(Tool *tool, const Args *args) {
    return named_from_file(tool, &named_network, args, true, 0);
}

static int cmd_net_start(Tool *tool, const Args *args) {
    return named_act(tool, &named_network, args, named_network.start, false, 0, "start", "started");
}

static int cmd_net_destroy(Tool *tool, const Args *args) {
    return named_act(tool, &named_network, args, named_network.destroy, false, 0, "destroy",
                     "destroyed");
}

static int cmd_net_undefine(Tool *tool, const Args *args) {
    return named_act(tool, &named_network, args, named_network.undefine, false, 0, "undefine",
                     "has been undefined");
}

static int cmd_net_autostart(Tool *tool, const Args *args) {
    return named_autostart(tool, &named_network, args);
}

static int cmd_net_dumpxml(Tool *tool, const Args *args) {
    return named_dumpxml(tool, &named_network, args, args_has(args, "inactive") ? 1 : 0);
}

static int cmd_net_uuid(Tool *tool, const Args *args) {
    return named_print_uuid(tool, &named_network, args);
}

static int cmd_net_name(Tool *tool, const Args *args) {
    return named_print_name(tool, &named_network, args);
}

/* ---- net-list ---- */

static void list_words(const remote_connect_list_all_storage_pools_ret *ret, bool uuids) {
    for (u_int i = 0; i < ret->pools.pools_len; i++) {
        char uuid[37];

        format_uuid(ret->pools.pools_val[i].uuid, uuid);
        puts(uuids ? uuid : ret->pools.pools_val[i].name);
    }
}

static int cmd_net_list(Tool *tool, const Args *args) {
    static const char *const titles[] = {"Name", "State", "Autostart", "Persistent"},
                             *const keys[] = {"name", "state", "autostart", "persistent"};
    bool uuids = args_has(args, "uuid"), names = args_has(args, "name");
    remote_connect_list_all_storage_pools_ret ret = {0};
    Rows rows;

    if (uuids + names + args_has(args, "table") > 1)
        return tool_fail(NULL,
                         "Only one argument from --table, --name and --uuid may be specified.");
    if (named_list(tool, &named_network, named_list_flags(args), &ret) < 0)
        return -EIO;
    if ((uuids || names) && !tool->json) {
        list_words(&ret, uuids);
    } else {
        rows_start(&rows, tool, ARRAY_SIZE(titles), titles, keys);
        for (u_int i = 0; i < ret.pools.pools_len; i++) {
            const Named *net = &ret.pools.pools_val[i];
            int autostart = named_ask(tool, named_network.get_autostart, net);
            const char *const cells[] = {
                net->name,
                named_ask(tool, named_network.is_active, net) > 0 ? "active" : "inactive",
                autostart < 0 ? "no autostart"
                : autostart   ? "yes"
                              : "no",
                named_ask(tool, named_network.is_persistent, net) > 0 ? "yes" : "no"};

            rows_add(&rows, cells);
        }
        rows_print(&rows);
    }
    xdr_free((xdrproc_t)xdr_remote_connect_list_all_storage_pools_ret, (char *)&ret);
    return 0;
}

/* ---- net-dhcp-leases ---- */

static void add_lease(Rows *rows, const remote_network_dhcp_lease *lease) {
    CLEANUP_FREE char *address = text_format("%s/%u", lease->ipaddr, lease->prefix);
    const time_t expires = (time_t)lease->expirytime;
    char when[64] = "";
    struct tm local;
    const char *const cells[] = {when,
                                 lease->mac ? *lease->mac : "-",
                                 lease->type == 0 ? "ipv4" : "ipv6",
                                 address,
                                 lease->hostname ? *lease->hostname : "-",
                                 lease->clientid ? *lease->clientid : "-"};

    if (localtime_r(&expires, &local))
        strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &local);
    rows_add(rows, cells);
}

static int cmd_net_dhcp_leases(Tool *tool, const Args *args) {
    static const char *const titles[] = {"Expiry Time", "MAC address", "Protocol",
                                         "IP address",  "Hostname",    "Client ID or DUID"},
                             *const keys[] = {"expires",    "mac",      "protocol",
                                              "ip_address", "hostname", "client_id"};
    remote_string mac = (char *)args_string(args, "mac");
    remote_network_get_dhcp_leases_args call = {.mac = mac ? &mac : NULL, .need_results = 1};
    remote_network_get_dhcp_leases_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_NAMED Named net = {0};
    Rows rows;

    if (named_lookup(tool, &named_network, args, &net) < 0)
        return -EIO;
    call.net.name = net.name;
    memcpy(call.net.uuid, net.uuid, sizeof(net.uuid));
    if (CALL(tool, NETWORK_GET_DHCP_LEASES, remote_network_get_dhcp_leases_args, &call,
             remote_network_get_dhcp_leases_ret, &ret, &error) < 0)
        return tool_fail(error, "Failed to get leases info for %s", net.name);
    rows_start(&rows, tool, ARRAY_SIZE(titles), titles, keys);
    for (u_int i = 0; i < ret.leases.leases_len; i++)
        add_lease(&rows, &ret.leases.leases_val[i]);
    rows_print(&rows);
    xdr_free((xdrproc_t)xdr_remote_network_get_dhcp_leases_ret, (char *)&ret);
    return 0;
}

/* ---- net-info ---- */

static int cmd_net_info(Tool *tool, const Args *args) {
    remote_network_get_bridge_name_ret bridge = {0};
    CLEANUP_NAMED Named net = {0};
    remote_storage_pool_args call;
    char uuid[37];
    Facts facts;

    if (named_lookup(tool, &named_network, args, &net) < 0)
        return -EIO;
    call.pool = net;
    format_uuid(net.uuid, uuid);
    facts_start(&facts, tool, 15);
    facts_text(&facts, "Name:", "name", net.name);
    facts_text(&facts, "UUID:", "uuid", uuid);
    facts_bool(&facts, "Active:", "active", named_ask(tool, named_network.is_active, &net) > 0,
               "yes", "no");
    facts_bool(&facts, "Persistent:", "persistent",
               named_ask(tool, named_network.is_persistent, &net) > 0, "yes", "no");
    facts_bool(&facts, "Autostart:", "autostart",
               named_ask(tool, named_network.get_autostart, &net) > 0, "yes", "no");
    if (tool_call(tool, REMOTE_PROC_NETWORK_GET_BRIDGE_NAME,
                  (xdrproc_t)xdr_remote_storage_pool_args, &call,
                  (xdrproc_t)xdr_remote_network_get_bridge_name_ret, &bridge, NULL) >= 0)
        facts_text(&facts, "Bridge:", "bridge", bridge.name);
    facts_print(&facts);
    xdr_free((xdrproc_t)xdr_remote_network_get_bridge_name_ret, (char *)&bridge);
    return 0;
}

/* ---- tables ---- */

static const Option net_autostart_options[] = {
    {"network", OPTION_STRING, true, "name or uuid of the network", .value = VALUE_NETWORK},
    {"disable", OPTION_FLAG, false, "no longer"},
    OPTION_END};
static const Option net_create_options[] = {
    {"file", OPTION_STRING, true, "XML file", .value = VALUE_FILE},
    {"validate", OPTION_FLAG, false, "check against the schema"},
    OPTION_END};
static const Option net_define_options[] = {
    {"file", OPTION_STRING, true, "XML file", .value = VALUE_FILE},
    {"validate", OPTION_FLAG, false, "check against the schema"},
    OPTION_END};
static const Option net_destroy_options[] = {
    {"network", OPTION_STRING, true, "name or uuid of the network", .value = VALUE_NETWORK},
    OPTION_END};
static const Option net_dumpxml_options[] = {
    {"network", OPTION_STRING, true, "name or uuid of the network", .value = VALUE_NETWORK},
    {"inactive", OPTION_FLAG, false, "of the stored definition"},
    {"xpath", OPTION_STRING, false, "only what this XPath expression selects", .named = true},
    {"wrap", OPTION_FLAG, false, "wrap the results in one element"},
    OPTION_END};
static const Option net_info_options[] = {
    {"network", OPTION_STRING, true, "name or uuid of the network", .value = VALUE_NETWORK},
    OPTION_END};
static const Option net_list_options[] = {
    {"inactive", OPTION_FLAG, false, "of the stored definition"},
    {"all", OPTION_FLAG, false, "all of them"},
    OPTION_PERSISTENT,
    {"transient", OPTION_FLAG, false, "only transient ones"},
    {"autostart", OPTION_FLAG, false, "only those that start by themselves"},
    {"no-autostart", OPTION_FLAG, false, "only those that do not"},
    {"uuid", OPTION_FLAG, false, "only uuids"},
    {"name", OPTION_FLAG, false, "only names"},
    {"table", OPTION_FLAG, false, "a table (default)"},
    OPTION_END};
static const Option net_dhcp_leases_options[] = {
    {"network", OPTION_STRING, true, "name or uuid of the network", .value = VALUE_NETWORK},
    {"mac", OPTION_STRING, false, "only of this MAC address"},
    OPTION_END};
static const Option net_name_options[] = {
    {"network", OPTION_STRING, true, "name or uuid of the network", .value = VALUE_NETWORK},
    OPTION_END};
static const Option net_start_options[] = {
    {"network", OPTION_STRING, true, "name or uuid of the network", .value = VALUE_NETWORK},
    OPTION_END};
static const Option net_undefine_options[] = {
    {"network", OPTION_STRING, true, "name or uuid of the network", .value = VALUE_NETWORK},
    OPTION_END};
static const Option net_uuid_options[] = {
    {"network", OPTION_STRING, true, "name or uuid of the network", .value = VALUE_NETWORK},
    OPTION_END};

const Command commands_network[] = {{.name = "net-autostart",
                                     .help = "start a network when the daemon starts",
                                     .options = net_autostart_options,
                                     .run = cmd_net_autostart},
                                    {.name = "net-create",
                                     .help = "start a network of an XML file without storing it",
                                     .options = net_create_options,
                                     .run = cmd_net_create},
                                    {.name = "net-define",
                                     .help = "store a network of an XML file",
                                     .options = net_define_options,
                                     .run = cmd_net_define},
                                    {.name = "net-destroy",
                                     .help = "stop a network",
                                     .options = net_destroy_options,
                                     .run = cmd_net_destroy},
                                    {.name = "net-dhcp-leases",
                                     .help = "list addresses that a network has leased",
                                     .options = net_dhcp_leases_options,
                                     .json = true,
                                     .run = cmd_net_dhcp_leases},
                                    {.name = "net-dumpxml",
                                     .help = "XML of a network",
                                     .options = net_dumpxml_options,
                                     .json = true,
                                     .run = cmd_net_dumpxml},
                                    {.name = "net-info",
                                     .help = "facts about a network",
                                     .options = net_info_options,
                                     .json = true,
                                     .run = cmd_net_info},
                                    {.name = "net-list",
                                     .help = "list networks",
                                     .options = net_list_options,
                                     .json = true,
                                     .run = cmd_net_list},
                                    {.name = "net-name",
                                     .help = "name of a network",
                                     .options = net_name_options,
                                     .json = true,
                                     .run = cmd_net_name},
                                    {.name = "net-start",
                                     .help = "start a network",
                                     .options = net_start_options,
                                     .run = cmd_net_start},
                                    {.name = "net-undefine",
                                     .help = "remove a stored network",
                                     .options = net_undefine_options,
                                     .run = cmd_net_undefine},
                                    {.name = "net-uuid",
                                     .help = "uuid of a network",
                                     .options = net_uuid_options,
                                     .json = true,
                                     .run = cmd_net_uuid},
                                    {0}};
