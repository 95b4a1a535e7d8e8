/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's network interfaces: listed and shown, not changed. */
#include "daemon.h"
#include "host/link-list.h"

enum { /* virConnectListAllInterfacesFlags */ INTERFACES_INACTIVE = 1, INTERFACES_ACTIVE = 2 };
#define LIST_MAX 16384u

static bool matches(const LinkInfo *link, unsigned flags) {
    return !(flags & (INTERFACES_ACTIVE | INTERFACES_INACTIVE)) ||
           flags & (link->up ? INTERFACES_ACTIVE : INTERFACES_INACTIVE);
}

static int make_interface(const LinkInfo *link, remote_interface *ret, Error **reterr) {
    int r = dispatch_string(&ret->name, link->name, reterr);

    return r < 0 ? r : dispatch_string(&ret->mac, link->mac, reterr);
}

/* Those that match, in front. */
static int read_links(unsigned flags, LinkInfo **ret, size_t *ret_n, Error **reterr) {
    size_t n = 0, used = 0;
    int r = link_list(ret, &n);

    if (r < 0)
        return error_system(reterr, FROM_INTERFACE, r, "cannot list the host's interfaces");
    for (size_t i = 0; i < n; i++)
        if (matches(&(*ret)[i], flags))
            (*ret)[used++] = (*ret)[i];
    *ret_n = MIN_OF(used, (size_t)LIST_MAX);
    return 0;
}

HANDLER(list_all) {
    const remote_list_all_args *args = args_;
    remote_connect_list_all_interfaces_ret *ret = ret_;
    CLEANUP_FREE LinkInfo *links = NULL;
    size_t n = 0;
    int r = dispatch_flags(args->flags, INTERFACES_INACTIVE | INTERFACES_ACTIVE, call->proc->api,
                           reterr);

    if (r >= 0)
        r = read_links(args->flags, &links, &n, reterr);
    if (r < 0)
        return r;
    ret->ret = (unsigned)n;
    if (!args->need_results || n == 0)
        return 0;
    ret->ifaces.ifaces_val = calloc(n, sizeof(remote_interface));
    if (!ret->ifaces.ifaces_val)
        return error_no_memory(reterr);
    for (size_t i = 0; r >= 0 && i < n; i++)
        r = make_interface(&links[i], &ret->ifaces.ifaces_val[ret->ifaces.ifaces_len++], reterr);
    return r;
}

/* The row's `data` points to the filter of these two. */
static const unsigned active = INTERFACES_ACTIVE, inactive = INTERFACES_INACTIVE;

HANDLER(number) {
    CLEANUP_FREE LinkInfo *links = NULL;
    size_t n = 0;
    int r = read_links(*(const unsigned *)call->proc->data, &links, &n, reterr);

    ((remote_int_ret *)ret_)->value = (int)n;
    return r;
}

HANDLER(names) {
    const int max = ((const remote_max_args *)args_)->max;
    remote_names_ret *ret = ret_;
    CLEANUP_FREE LinkInfo *links = NULL;
    size_t n = 0;
    int r = read_links(*(const unsigned *)call->proc->data, &links, &n, reterr);

    if (r < 0)
        return r;
    n = max < 0 ? 0 : MIN_OF(n, (size_t)max);
    ret->names.names_val = calloc(n + 1, sizeof(remote_string));
    if (!ret->names.names_val)
        return error_no_memory(reterr);
    for (size_t i = 0; r >= 0 && i < n; i++)
        r = dispatch_string(&ret->names.names_val[ret->names.names_len++], links[i].name, reterr);
    return r;
}

static int look(const char *name, LinkInfo *ret, Error **reterr) {
    return link_look(name, ret) < 0 ? error_report(reterr, FROM_INTERFACE, ERROR_NO_INTERFACE,
                                                   "couldn't find interface named '%.200s'", name)
                                    : 0;
}

HANDLER(by_name) {
    LinkInfo link;
    int r = look(((remote_name_args *)args_)->name, &link, reterr);

    return r < 0 ? r : make_interface(&link, &((remote_interface_ret *)ret_)->iface, reterr);
}

HANDLER(by_mac) {
    const char *mac = ((remote_name_args *)args_)->name;
    CLEANUP_FREE LinkInfo *links = NULL;
    size_t n = 0;
    int r = read_links(0, &links, &n, reterr);

    for (size_t i = 0; r >= 0 && i < n; i++)
        if (strcasecmp(links[i].mac, mac) == 0)
            return make_interface(&links[i], &((remote_interface_ret *)ret_)->iface, reterr);
    return r < 0 ? r
                 : error_report(reterr, FROM_INTERFACE, ERROR_NO_INTERFACE,
                                "couldn't find interface with MAC address '%.200s'", mac);
}

HANDLER(is_active) {
    LinkInfo link;
    int r = look(((remote_interface_args *)args_)->iface.name, &link, reterr);

    ((remote_int_ret *)ret_)->value = r >= 0 && link.up;
    return r;
}

HANDLER(get_xml) {
    const remote_interface_flags_args *args = args_;
    remote_xml_ret *ret = ret_;
    LinkInfo link;
    int r = dispatch_flags(args->flags, 1, call->proc->api, reterr);

    if (r >= 0)
        r = look(args->iface.name, &link, reterr);
    if (r < 0)
        return r;
    if (asprintf(&ret->xml,
                 "<interface type='%s' name='%s'>\n  <mtu size='%u'/>\n"
                 "  <link state='%s'/>\n  <mac address='%s'/>\n</interface>\n",
                 link.is_bridge ? "bridge" : "ethernet", link.name, link.mtu, link.state,
                 link.mac) >= 0)
        return 0;
    ret->xml = NULL;
    return error_no_memory(reterr);
}

const RpcProc interface_procs[] = {
    {REMOTE_PROC_CONNECT_LIST_ALL_INTERFACES, "virConnectListAllInterfaces", 0, list_all,
     XDR_OF(remote_list_all_args), XDR_OF(remote_connect_list_all_interfaces_ret)},
    {REMOTE_PROC_CONNECT_NUM_OF_INTERFACES, "virConnectNumOfInterfaces", 0, number, NO_XDR,
     XDR_OF(remote_int_ret), &active},
    {REMOTE_PROC_CONNECT_NUM_OF_DEFINED_INTERFACES, "virConnectNumOfDefinedInterfaces", 0, number,
     NO_XDR, XDR_OF(remote_int_ret), &inactive},
    {REMOTE_PROC_CONNECT_LIST_INTERFACES, "virConnectListInterfaces", 0, names,
     XDR_OF(remote_max_args), XDR_OF(remote_names_ret), &active},
    {REMOTE_PROC_CONNECT_LIST_DEFINED_INTERFACES, "virConnectListDefinedInterfaces", 0, names,
     XDR_OF(remote_max_args), XDR_OF(remote_names_ret), &inactive},
    {REMOTE_PROC_INTERFACE_LOOKUP_BY_NAME, "virInterfaceLookupByName", 0, by_name,
     XDR_OF(remote_name_args), XDR_OF(remote_interface_ret)},
    {REMOTE_PROC_INTERFACE_LOOKUP_BY_MAC_STRING, "virInterfaceLookupByMACString", 0, by_mac,
     XDR_OF(remote_name_args), XDR_OF(remote_interface_ret)},
    {REMOTE_PROC_INTERFACE_IS_ACTIVE, "virInterfaceIsActive", 0, is_active,
     XDR_OF(remote_interface_args), XDR_OF(remote_int_ret)},
    {REMOTE_PROC_INTERFACE_GET_XML_DESC, "virInterfaceGetXMLDesc", 0, get_xml,
     XDR_OF(remote_interface_flags_args), XDR_OF(remote_xml_ret)},
};
const size_t interface_n_procs = ARRAY_SIZE(interface_procs);
