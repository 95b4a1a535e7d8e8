/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Virtual networks. */
#include "remote-network.h"

#include <netinet/ether.h>

#include "registration.h"

enum { /* virConnectListAllNetworksFlags, in pairs */
       NETWORKS_INACTIVE = 1,
       NETWORKS_ACTIVE = 2,
       NETWORKS_PERSISTENT = 4,
       NETWORKS_TRANSIENT = 8,
       NETWORKS_AUTOSTART = 16,
       NETWORKS_NO_AUTOSTART = 32,
       NETWORKS_ALL_BITS = 63
};
#define LIST_MAX 16384u

static NetworkStore *networks_of(RpcSession *session) {
    return driver_of(session)->networks;
}

static int make_network(const Network *network, remote_network *ret, Error **reterr) {
    memcpy(ret->uuid, network->def->uuid, 16);
    return dispatch_string(&ret->name, network->def->name, reterr);
}

/* ---- lists ---- */

static bool either(unsigned flags, unsigned yes, unsigned no, bool is) {
    return !(flags & (yes | no)) || flags & (is ? yes : no);
}

static bool matches(const Network *network, unsigned flags) {
    return either(flags, NETWORKS_ACTIVE, NETWORKS_INACTIVE, network->active) &&
           either(flags, NETWORKS_PERSISTENT, NETWORKS_TRANSIENT, network->persistent) &&
           either(flags, NETWORKS_AUTOSTART, NETWORKS_NO_AUTOSTART, network->autostart);
}

static unsigned count(RpcSession *session, unsigned flags) {
    unsigned n = 0;

    for (const Network *at = networks_first(networks_of(session)); at; at = at->next)
        n += matches(at, flags);
    return MIN_OF(n, LIST_MAX);
}

HANDLER(list_all) {
    const remote_list_all_args *args = args_;
    remote_connect_list_all_networks_ret *ret = ret_;
    int r = dispatch_flags(args->flags, NETWORKS_ALL_BITS, call->proc->api, reterr);

    if (r < 0)
        return r;
    ret->ret = count(session, args->flags);
    if (!args->need_results || !ret->ret)
        return 0;
    ret->nets.nets_val = calloc(ret->ret, sizeof(remote_network));
    if (!ret->nets.nets_val)
        return error_no_memory(reterr);
    for (const Network *at = networks_first(networks_of(session));
         at && r >= 0 && ret->nets.nets_len < ret->ret; at = at->next)
        if (matches(at, args->flags))
            r = make_network(at, &ret->nets.nets_val[ret->nets.nets_len++], reterr);
    return r;
}

/* The row's `data` points to the filter of these two. */
static const unsigned active = NETWORKS_ACTIVE, inactive = NETWORKS_INACTIVE;

HANDLER(number) {
    ((remote_int_ret *)ret_)->value = (int)count(session, *(const unsigned *)call->proc->data);
    return 0;
}

HANDLER(names) {
    const unsigned flags = *(const unsigned *)call->proc->data;
    const int max = ((const remote_max_args *)args_)->max;
    remote_names_ret *ret = ret_;
    const unsigned n = max < 0 ? 0 : MIN_OF(count(session, flags), (unsigned)max);
    int r = 0;

    ret->names.names_val = calloc(n + 1, sizeof(remote_string));
    if (!ret->names.names_val)
        return error_no_memory(reterr);
    for (const Network *at = networks_first(networks_of(session));
         at && r >= 0 && ret->names.names_len < n; at = at->next)
        if (matches(at, flags))
            r = dispatch_string(&ret->names.names_val[ret->names.names_len++], at->def->name,
                                reterr);
    return r;
}

static int found(const Network *network, remote_network_ret *ret, Error **reterr) {
    return network ? make_network(network, &ret->net, reterr) : -ENOENT;
}

HANDLER(by_name) {
    return found(network_by_name(networks_of(session), ((remote_name_args *)args_)->name, reterr),
                 ret_, reterr);
}

HANDLER(by_uuid) {
    return found(network_by_uuid(networks_of(session),
                                 (const uint8_t *)((remote_uuid_args *)args_)->uuid, reterr),
                 ret_, reterr);
}

/* ---- calls about one network ---- */

typedef int (*NetworkFunc)(Network *network, const void *args, void *ret, Error **reterr);

/* The row's `data`; its arguments begin with the network. */
typedef struct NetworkCall {
    NetworkFunc run;
    bool has_flags;
    size_t flags_at;
    unsigned allowed;
} NetworkCall;

HANDLER(network_call) {
    const NetworkCall *row = call->proc->data;
    const remote_network *wire = args_;
    CLEANUP_NETWORK Network *network = NULL;
    Network *listed;
    int r = row->has_flags
                ? dispatch_flags(*(const unsigned *)((const char *)args_ + row->flags_at),
                                 row->allowed, call->proc->api, reterr)
                : 0;

    if (r < 0)
        return r;
    listed = network_by_uuid(networks_of(session), (const uint8_t *)wire->uuid, reterr);
    if (!listed)
        return -ENOENT;
    network = network_ref(listed);
    return row->run(network, args_, ret_, reterr);
}

static int create(Network *network, const void *args, void *ret, Error **reterr) {
    return network_start(network, reterr);
}

static int destroy(Network *network, const void *args, void *ret, Error **reterr) {
    return network_stop(network, reterr);
}

static int undefine(Network *network, const void *args, void *ret, Error **reterr) {
    return network_undefine(network, reterr);
}

static int set_autostart(Network *network, const void *args, void *ret, Error **reterr) {
    return network_set_autostart(
        network, ((const remote_network_set_autostart_args *)args)->autostart, reterr);
}

static int get_autostart(Network *network, const void *args, void *ret, Error **reterr) {
    ((remote_int_ret *)ret)->value = network->autostart;
    return 0;
}

static int is_active(Network *network, const void *args, void *ret, Error **reterr) {
    ((remote_int_ret *)ret)->value = network->active;
    return 0;
}

static int is_persistent(Network *network, const void *args, void *ret, Error **reterr) {
    ((remote_int_ret *)ret)->value = network->persistent;
    return 0;
}

static int get_bridge(Network *network, const void *args, void *ret, Error **reterr) {
    if (!network->def->bridge)
        return error_report(reterr, FROM_NETWORK, ERROR_INTERNAL, "network '%s' has no bridge",
                            network->def->name);
    return dispatch_string(&((remote_network_get_bridge_name_ret *)ret)->name, network->def->bridge,
                           reterr);
}

static int get_xml(Network *network, const void *args, void *ret, Error **reterr) {
    remote_xml_ret *xml = ret;

    xml->xml = network_format(network->def);
    return xml->xml ? 0 : error_no_memory(reterr);
}

/* No network has a DHCP server. */
static int no_leases(Network *network, const void *args, void *ret, Error **reterr) {
    const char *mac = dispatch_opt(((const remote_network_get_dhcp_leases_args *)args)->mac);
    struct ether_addr parsed;

    if (mac && !ether_aton_r(mac, &parsed))
        return error_report(reterr, FROM_NETWORK, ERROR_INVALID_MAC, "%.60s", mac);
    return 0;
}

/* A port is a card of a domain; the network keeps no list of its own. */
static int no_ports(Network *network, const void *args, void *ret, Error **reterr) {
    return network->active ? 0
                           : error_report(reterr, FROM_NETWORK, ERROR_OPERATION_INVALID,
                                          "network '%s' is not active", network->def->name);
}

static int refuse_update(Network *network, const void *args, void *ret, Error **reterr) {
    return error_report(reterr, FROM_NETWORK, ERROR_OPERATION_UNSUPPORTED,
                        "parts of network '%s' cannot be changed one by one; define it anew",
                        network->def->name);
}

/* ---- new ones ---- */

/* The row's `data` points to what is done with the XML. */
typedef int (*MakeFunc)(NetworkStore *store, const char *xml, Network **ret, Error **reterr);
static const MakeFunc make_define = networks_define, make_create = networks_create;

static int make_one(RpcSession *session, RpcCall *call, const char *xml, void *ret,
                    Error **reterr) {
    CLEANUP_NETWORK Network *network = NULL;
    int r = (*(const MakeFunc *)call->proc->data)(networks_of(session), xml, &network, reterr);

    return r < 0 ? r : found(network, ret, reterr);
}

HANDLER(make) {
    return make_one(session, call, ((remote_network_define_xml_args *)args_)->xml, ret_, reterr);
}

/* VALIDATE asks for a check against a schema: the parser's own checks are always on. */
HANDLER(make_flags) {
    const remote_xml_flags_args *args = args_;
    int r = dispatch_flags(args->flags, 1, call->proc->api, reterr);

    return r < 0 ? r : make_one(session, call, args->xml, ret_, reterr);
}

/* ---- events ---- */

void network_send_event(const Network *network, NetworkEvent event, void *userdata) {
    const Daemon *daemon = userdata;
    remote_network_event_lifecycle_msg message = {.event = (int)event};

    message.net.name = network->def->name;
    memcpy(message.net.uuid, network->def->uuid, 16);
    for (Client *client = daemon->clients; client; client = client->next)
        for (const Registration *at = client->registrations; at; at = at->next) {
            if (at->event_id != EVENT_OF_NETWORKS ||
                (at->filtered && memcmp(at->uuid, message.net.uuid, 16) != 0))
                continue;
            message.callbackID = at->callback_id;
            rpc_session_send_event(client->session, REMOTE_PROGRAM, REMOTE_VERSION,
                                   REMOTE_PROC_NETWORK_EVENT_LIFECYCLE,
                                   (xdrproc_t)xdr_remote_network_event_lifecycle_msg, &message);
        }
}

/* ---- rows ---- */

#define NET_ROW(number, api, how, run, args, ...)                                                  \
    {                                                                                              \
        REMOTE_PROC_NETWORK_##number, "virNetwork" api, how, network_call, XDR_OF(args),           \
            __VA_ARGS__, &(const NetworkCall) {                                                    \
            run                                                                                    \
        }                                                                                          \
    }
#define NET_FLAGS_ROW(number, api, how, run, allow, args, ...)                                     \
    {                                                                                              \
        REMOTE_PROC_NETWORK_##number, "virNetwork" api, how, network_call, XDR_OF(args),           \
            __VA_ARGS__, &(const NetworkCall) {                                                    \
            run, true, offsetof(args, flags), allow                                                \
        }                                                                                          \
    }

const RpcProc network_procs[] = {
    {REMOTE_PROC_CONNECT_NUM_OF_NETWORKS, "virConnectNumOfNetworks", 0, number, NO_XDR,
     XDR_OF(remote_int_ret), &active},
    {REMOTE_PROC_CONNECT_NUM_OF_DEFINED_NETWORKS, "virConnectNumOfDefinedNetworks", 0, number,
     NO_XDR, XDR_OF(remote_int_ret), &inactive},
    {REMOTE_PROC_CONNECT_LIST_NETWORKS, "virConnectListNetworks", 0, names, XDR_OF(remote_max_args),
     XDR_OF(remote_names_ret), &active},
    {REMOTE_PROC_CONNECT_LIST_DEFINED_NETWORKS, "virConnectListDefinedNetworks", 0, names,
     XDR_OF(remote_max_args), XDR_OF(remote_names_ret), &inactive},
    {REMOTE_PROC_CONNECT_LIST_ALL_NETWORKS, "virConnectListAllNetworks", 0, list_all,
     XDR_OF(remote_list_all_args), XDR_OF(remote_connect_list_all_networks_ret)},
    {REMOTE_PROC_NETWORK_LOOKUP_BY_NAME, "virNetworkLookupByName", 0, by_name,
     XDR_OF(remote_name_args), XDR_OF(remote_network_ret)},
    {REMOTE_PROC_NETWORK_LOOKUP_BY_UUID, "virNetworkLookupByUUID", 0, by_uuid,
     XDR_OF(remote_uuid_args), XDR_OF(remote_network_ret)},
    {REMOTE_PROC_NETWORK_DEFINE_XML, "virNetworkDefineXML", RPC_PROC_WRITE, make,
     XDR_OF(remote_network_define_xml_args), XDR_OF(remote_network_ret), &make_define},
    {REMOTE_PROC_NETWORK_DEFINE_XML_FLAGS, "virNetworkDefineXMLFlags", RPC_PROC_WRITE, make_flags,
     XDR_OF(remote_xml_flags_args), XDR_OF(remote_network_ret), &make_define},
    {REMOTE_PROC_NETWORK_CREATE_XML, "virNetworkCreateXML", RPC_PROC_WRITE, make,
     XDR_OF(remote_network_define_xml_args), XDR_OF(remote_network_ret), &make_create},
    {REMOTE_PROC_NETWORK_CREATE_XML_FLAGS, "virNetworkCreateXMLFlags", RPC_PROC_WRITE, make_flags,
     XDR_OF(remote_xml_flags_args), XDR_OF(remote_network_ret), &make_create},
    NET_ROW(CREATE, "Create", RPC_PROC_WRITE, create, remote_network_args, NO_XDR),
    NET_ROW(DESTROY, "Destroy", RPC_PROC_WRITE, destroy, remote_network_args, NO_XDR),
    NET_ROW(UNDEFINE, "Undefine", RPC_PROC_WRITE, undefine, remote_network_args, NO_XDR),
    NET_ROW(SET_AUTOSTART, "SetAutostart", RPC_PROC_WRITE, set_autostart,
            remote_network_set_autostart_args, NO_XDR),
    NET_ROW(GET_AUTOSTART, "GetAutostart", 0, get_autostart, remote_network_args,
            XDR_OF(remote_int_ret)),
    NET_ROW(IS_ACTIVE, "IsActive", 0, is_active, remote_network_args, XDR_OF(remote_int_ret)),
    NET_ROW(IS_PERSISTENT, "IsPersistent", 0, is_persistent, remote_network_args,
            XDR_OF(remote_int_ret)),
    NET_ROW(GET_BRIDGE_NAME, "GetBridgeName", 0, get_bridge, remote_network_args,
            XDR_OF(remote_network_get_bridge_name_ret)),
    NET_FLAGS_ROW(GET_XML_DESC, "GetXMLDesc", 0, get_xml, 1, remote_network_flags_args,
                  XDR_OF(remote_xml_ret)),
    NET_FLAGS_ROW(GET_DHCP_LEASES, "GetDHCPLeases", 0, no_leases, 0,
                  remote_network_get_dhcp_leases_args, XDR_OF(remote_network_get_dhcp_leases_ret)),
    NET_FLAGS_ROW(LIST_ALL_PORTS, "ListAllPorts", 0, no_ports, 0,
                  remote_network_list_all_ports_args, XDR_OF(remote_network_list_all_ports_ret)),
    NET_ROW(UPDATE, "Update", RPC_PROC_WRITE, refuse_update, remote_network_update_args, NO_XDR),
};
const size_t network_n_procs = ARRAY_SIZE(network_procs);
