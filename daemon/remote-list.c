/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of domains, and one of them by name, id or uuid. */
#include "daemon.h"
#include "filter.h"

static unsigned list_count(const Driver *driver, unsigned flags) {
    unsigned n = 0;

    for (const Domain *domain = driver_domains(driver); domain; domain = domain->next)
        n += filter_matches(domain, flags);
    return MIN_OF(n, (unsigned)REMOTE_DOMAIN_LIST_MAX);
}

HANDLER(list_all_domains) {
    remote_connect_list_all_domains_args *args = args_;
    remote_connect_list_all_domains_ret *ret = ret_;
    const Driver *driver = driver_of(session);
    unsigned n;
    int r = dispatch_flags(args->flags, FILTER_ALL_BITS, call->proc->api, reterr);

    if (r < 0)
        return r;
    n = list_count(driver, args->flags);
    ret->ret = n;
    if (!args->need_results || !n)
        return 0;
    ret->domains.domains_val = calloc(n, sizeof(remote_domain));
    if (!ret->domains.domains_val)
        return error_no_memory(reterr);
    for (const Domain *domain = driver_domains(driver); domain && ret->domains.domains_len < n;
         domain = domain->next) {
        if (!filter_matches(domain, args->flags))
            continue;
        r = dispatch_make_domain(domain, &ret->domains.domains_val[ret->domains.domains_len++],
                                 reterr);
        if (r < 0)
            return r;
    }
    return 0;
}

HANDLER(num_of_domains) {
    remote_connect_num_of_domains_ret *ret = ret_;

    ret->num = list_count(driver_of(session), LIST_ACTIVE);
    return 0;
}

HANDLER(num_of_defined_domains) {
    remote_connect_num_of_defined_domains_ret *ret = ret_;

    ret->num = list_count(driver_of(session), LIST_INACTIVE);
    return 0;
}

static int check_max(int max, const char *what, Error **reterr) {
    if (max < 0 || max > REMOTE_DOMAIN_LIST_MAX)
        return error_report(reterr, FROM_RPC, ERROR_RPC, "%s must be in 0...%d", what,
                            REMOTE_DOMAIN_LIST_MAX);
    return 0;
}

HANDLER(list_domains) {
    remote_connect_list_domains_args *args = args_;
    remote_connect_list_domains_ret *ret = ret_;
    const Driver *driver = driver_of(session);
    unsigned n;
    int r = check_max(args->maxids, "maxids", reterr);

    if (r < 0)
        return r;
    n = MIN_OF(list_count(driver, LIST_ACTIVE), (unsigned)args->maxids);
    ret->ids.ids_val = calloc(n + 1, sizeof(int));
    if (!ret->ids.ids_val)
        return error_no_memory(reterr);
    for (const Domain *domain = driver_domains(driver); domain && ret->ids.ids_len < n;
         domain = domain->next)
        if (domain_is_active(domain))
            ret->ids.ids_val[ret->ids.ids_len++] = domain->run->id;
    return 0;
}

HANDLER(list_defined_domains) {
    remote_connect_list_defined_domains_args *args = args_;
    remote_connect_list_defined_domains_ret *ret = ret_;
    const Driver *driver = driver_of(session);
    unsigned n;
    int r = check_max(args->maxnames, "maxnames", reterr);

    if (r < 0)
        return r;
    n = MIN_OF(list_count(driver, LIST_INACTIVE), (unsigned)args->maxnames);
    ret->names.names_val = calloc(n + 1, sizeof(char *));
    if (!ret->names.names_val)
        return error_no_memory(reterr);
    for (const Domain *domain = driver_domains(driver); domain && ret->names.names_len < n;
         domain = domain->next) {
        if (domain_is_active(domain))
            continue;
        r = dispatch_string(&ret->names.names_val[ret->names.names_len], domain_name(domain),
                            reterr);
        if (r < 0)
            return r;
        ret->names.names_len++;
    }
    return 0;
}

HANDLER(lookup_by_id) {
    remote_domain_lookup_by_id_args *args = args_;
    const Domain *domain = driver_find_id(driver_of(session), args->id, reterr);

    return domain ? dispatch_make_domain(domain, &((remote_domain_ret *)ret_)->dom, reterr)
                  : -ENOENT;
}

HANDLER(lookup_by_name) {
    remote_domain_lookup_by_name_args *args = args_;
    const Domain *domain = driver_find_name(driver_of(session), args->name, reterr);

    return domain ? dispatch_make_domain(domain, &((remote_domain_ret *)ret_)->dom, reterr)
                  : -ENOENT;
}

HANDLER(lookup_by_uuid) {
    remote_domain_lookup_by_uuid_args *args = args_;
    const Domain *domain = driver_find_uuid(driver_of(session), (const uint8_t *)args->uuid, NULL,
                                            reterr);

    return domain ? dispatch_make_domain(domain, &((remote_domain_ret *)ret_)->dom, reterr)
                  : -ENOENT;
}

const RpcProc list_procs[] = {
    {REMOTE_PROC_CONNECT_LIST_ALL_DOMAINS, "virConnectListAllDomains", 0, list_all_domains,
     XDR_OF(remote_connect_list_all_domains_args), XDR_OF(remote_connect_list_all_domains_ret)},
    {REMOTE_PROC_CONNECT_NUM_OF_DOMAINS, "virConnectNumOfDomains", 0, num_of_domains, NO_XDR,
     XDR_OF(remote_connect_num_of_domains_ret)},
    {REMOTE_PROC_CONNECT_NUM_OF_DEFINED_DOMAINS, "virConnectNumOfDefinedDomains", 0,
     num_of_defined_domains, NO_XDR, XDR_OF(remote_connect_num_of_defined_domains_ret)},
    {REMOTE_PROC_CONNECT_LIST_DOMAINS, "virConnectListDomains", 0, list_domains,
     XDR_OF(remote_connect_list_domains_args), XDR_OF(remote_connect_list_domains_ret)},
    {REMOTE_PROC_CONNECT_LIST_DEFINED_DOMAINS, "virConnectListDefinedDomains", 0,
     list_defined_domains, XDR_OF(remote_connect_list_defined_domains_args),
     XDR_OF(remote_connect_list_defined_domains_ret)},
    {REMOTE_PROC_DOMAIN_LOOKUP_BY_ID, "virDomainLookupByID", 0, lookup_by_id,
     XDR_OF(remote_domain_lookup_by_id_args), XDR_OF(remote_domain_ret)},
    {REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME, "virDomainLookupByName", 0, lookup_by_name,
     XDR_OF(remote_domain_lookup_by_name_args), XDR_OF(remote_domain_ret)},
    {REMOTE_PROC_DOMAIN_LOOKUP_BY_UUID, "virDomainLookupByUUID", 0, lookup_by_uuid,
     XDR_OF(remote_domain_lookup_by_uuid_args), XDR_OF(remote_domain_ret)},
};
const size_t list_n_procs = ARRAY_SIZE(list_procs);
