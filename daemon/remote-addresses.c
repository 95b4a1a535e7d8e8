/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The addresses of a guest's network interfaces. */
#include "access.h"
#include "daemon.h"
#include "util/json.h"

#define LIST_MAX 2048u /* interfaces, and addresses of one: the protocol's */

enum { SOURCE_LEASE, SOURCE_AGENT, SOURCE_ARP, SOURCE_MAX }; /* virDomainInterfaceAddressesSource */
enum { ADDRESS_IPV4, ADDRESS_IPV6 };                         /* virIPAddrType */

static int nonsense(const char *what, Error **reterr) {
    return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                        "the guest agent's answer to 'guest-network-get-interfaces' has %s", what);
}

static int fill_address(json_object *row, remote_domain_ip_addr *ret, Error **reterr) {
    const char *type = json_member_string(row, "ip-address-type");
    const char *text = json_member_string(row, "ip-address");
    int64_t prefix = json_member_int(row, "prefix", 0);

    if (!type || !text || (!streq(type, "ipv4") && !streq(type, "ipv6")))
        return nonsense("an address without type or text", reterr);
    if (prefix < 0 || prefix > 128)
        return nonsense("an address with a prefix beyond 128 bits", reterr);
    ret->type = streq(type, "ipv4") ? ADDRESS_IPV4 : ADDRESS_IPV6;
    ret->prefix = (unsigned)prefix;
    return dispatch_string(&ret->addr, text, reterr);
}

static int add_addresses(json_object *list, remote_domain_interface *ret, Error **reterr) {
    size_t n = json_length(list), used = ret->addrs.addrs_len;
    remote_domain_ip_addr *grown;
    int r = 0;

    if (n == 0)
        return 0;
    if (used + n > LIST_MAX)
        return nonsense("more than 2048 addresses of an interface", reterr);
    grown = reallocarray(ret->addrs.addrs_val, used + n, sizeof(*grown));
    if (!grown)
        return error_no_memory(reterr);
    memset(grown + used, 0, n * sizeof(*grown));
    ret->addrs.addrs_val = grown;
    ret->addrs.addrs_len = (u_int)(used + n);
    for (size_t i = 0; r >= 0 && i < n; i++)
        r = fill_address(json_object_array_get_idx(list, i), &grown[used + i], reterr);
    return r;
}

static int start_interface(const char *name, const char *hwaddr, remote_domain_interface *ret,
                           Error **reterr) {
    int r = dispatch_string(&ret->name, name, reterr);

    if (r < 0 || !hwaddr)
        return r;
    ret->hwaddr = calloc(1, sizeof(*ret->hwaddr));
    if (!ret->hwaddr)
        return error_no_memory(reterr);
    r = dispatch_string(ret->hwaddr, hwaddr, reterr);
    if (r < 0)
        free(TAKE_PTR(ret->hwaddr)); /* an optional string that is there has a text */
    return r;
}

/* "eth0:1" is another address of eth0. A new one is put behind those that there are. */
static int find_interface(json_object *row, remote_domain_interface_addresses_ret *ret,
                          remote_domain_interface **found, Error **reterr) {
    const char *full = json_member_string(row, "name");
    CLEANUP_FREE char *name = full ? strndup(full, strcspn(full, ":")) : NULL;

    if (!full)
        return nonsense("an interface without a name", reterr);
    if (!name)
        return error_no_memory(reterr);
    for (u_int i = 0; i < ret->ifaces.ifaces_len; i++)
        if (streq(ret->ifaces.ifaces_val[i].name, name)) {
            *found = &ret->ifaces.ifaces_val[i];
            return 0;
        }
    *found = &ret->ifaces.ifaces_val[ret->ifaces.ifaces_len++];
    return start_interface(name, json_member_string(row, "hardware-address"), *found, reterr);
}

static int by_agent(Domain *domain, remote_domain_interface_addresses_ret *ret, Error **reterr) {
    CLEANUP_JSON json_object *list = NULL;
    size_t n;
    int r = driver_agent_run(domain, "guest-network-get-interfaces", NULL, AGENT_DEFAULT, &list,
                             reterr);

    if (r < 0)
        return r;
    n = json_length(list);
    if (!json_object_is_type(list, json_type_array) || n > LIST_MAX)
        return nonsense("no list of at most 2048 interfaces", reterr);
    ret->ifaces.ifaces_val = n ? calloc(n, sizeof(*ret->ifaces.ifaces_val)) : NULL;
    if (n && !ret->ifaces.ifaces_val)
        return error_no_memory(reterr);
    for (size_t i = 0; r >= 0 && i < n; i++) {
        json_object *row = json_object_array_get_idx(list, i);
        remote_domain_interface *interface = NULL;

        r = find_interface(row, ret, &interface, reterr);
        if (r >= 0)
            r = add_addresses(json_member(row, "ip-addresses"), interface, reterr);
    }
    return r;
}

/* No networks with leases are kept, and no neighbours are looked for: like libvirt without any,
 * these sources know nothing of a running guest. */
DOMAIN_FUNC(interface_addresses, remote_domain_interface_addresses_args,
            remote_domain_interface_addresses_ret) {
    if (args->source >= SOURCE_MAX)
        return error_report(reterr, FROM_QEMU, ERROR_ARGUMENT_UNSUPPORTED,
                            "Unknown IP address data source %u", args->source);
    return args->source == SOURCE_AGENT ? by_agent(domain, ret, reterr)
                                        : domain_check_active(domain, reterr);
}

/* The agent is not asked for a client that may only read: libvirt's rule. */
HANDLER(interface_addresses_of) {
    const remote_domain_interface_addresses_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = 0;

    if (args->source == SOURCE_AGENT && rpc_session_readonly(session))
        return error_report(reterr, FROM_DOMAIN, ERROR_OPERATION_DENIED,
                            "read only access prevents %s from asking the guest agent",
                            call->proc->api);
    if (args->source == SOURCE_AGENT)
        r = dispatch_domain(session, &args->dom, &domain, reterr);
    if (r >= 0 && domain)
        r = access_check(client_of(session), ACCESS_AGENT, domain, reterr);
    return r < 0 ? r : dispatch_domain_call(session, call, args_, ret_, reterr);
}

const RpcProc address_procs[] = {
    {REMOTE_PROC_DOMAIN_INTERFACE_ADDRESSES, "virDomainInterfaceAddresses", RPC_PROC_ON_DOMAIN,
     interface_addresses_of, XDR_OF(remote_domain_interface_addresses_args),
     XDR_OF(remote_domain_interface_addresses_ret),
     CALL_FLAGS(interface_addresses, 0, false, remote_domain_interface_addresses_args)},
};
const size_t address_n_procs = ARRAY_SIZE(address_procs);
