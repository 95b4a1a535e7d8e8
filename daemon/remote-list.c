/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of domains, and one of them by name, id or uuid. */
#include "access-view.h"
#include "access.h"
#include "filter.h"

#include <arpa/inet.h>

/* Of what the client may see, as far as access_look knows. */
static bool is_listed(RpcSession *session, const Domain *domain, unsigned flags) {
    return filter_matches(domain, flags) &&
           access_sees(client_of(session), domain_def(domain)->uuid);
}

static unsigned list_count(RpcSession *session, unsigned flags) {
    unsigned n = 0;

    for (const Domain *domain = driver_domains(driver_of(session)); domain; domain = domain->next)
        n += is_listed(session, domain, flags);
    return MIN_OF(n, (unsigned)REMOTE_DOMAIN_LIST_MAX);
}

/* ---- all domains ---- */

#define AHEAD 8u /* domains whose memory is asked for before they are encoded */

/* What remote_connect_list_all_domains_ret is on the wire. The domains are borrowed: between the
 * handler and the encoding of its reply nothing else runs. */
typedef struct DomainListRet {
    const Domain **domains; /* NULL: they were not asked for */
    unsigned n;
} DomainListRet;

/* The bytes of a remote_domain; false: they do not fit. */
static bool put_domain(XDR *xdr, const Domain *domain) {
    const DomainDef *def = domain_def(domain);
    const size_t len = strlen(def->name), padded = (len + 3) & ~(size_t)3;
    const uint32_t words[] = {htonl((uint32_t)len), htonl((uint32_t)domain_id(domain))};
    const size_t all = sizeof(words) + padded + sizeof(def->uuid);
    uint8_t *to = all <= REMOTE_STRING_MAX ? (uint8_t *)XDR_INLINE(xdr, (u_int)all) : NULL;

    if (!to)
        return false;
    memcpy(to, &words[0], sizeof(uint32_t));
    memset(to + sizeof(uint32_t) + len, 0, padded - len);
    memcpy(to + sizeof(uint32_t), def->name, len);
    memcpy(to + sizeof(uint32_t) + padded, def->uuid, sizeof(def->uuid));
    memcpy(to + all - sizeof(uint32_t), &words[1], sizeof(uint32_t));
    return true;
}

/* Of thousands of domains most time is that of memory which no cache has: it is asked for early. */
static void prefetch(const DomainListRet *list, unsigned i) {
    if (i + 2 * AHEAD < list->n)
        __builtin_prefetch(domain_def(list->domains[i + 2 * AHEAD]));
    if (i + AHEAD < list->n)
        __builtin_prefetch(domain_name(list->domains[i + AHEAD]));
}

static bool_t xdr_domain_list(XDR *xdr, DomainListRet *list, ...) {
    u_int n = list->domains ? list->n : 0, all = list->n;

    if (xdr->x_op == XDR_FREE) {
        free(list->domains);
        list->domains = NULL;
        return TRUE;
    }
    if (xdr->x_op != XDR_ENCODE || !xdr_u_int(xdr, &n))
        return FALSE;
    for (unsigned i = 0; i < n; i++) {
        prefetch(list, i);
        if (!put_domain(xdr, list->domains[i]))
            return FALSE;
    }
    return xdr_u_int(xdr, &all);
}

static const Domain **gather(RpcSession *session, unsigned flags, unsigned n) {
    const Domain **found = calloc(n, sizeof(Domain *));
    unsigned used = 0;

    for (const Domain *domain = driver_domains(driver_of(session)); found && domain && used < n;
         domain = domain->next)
        if (is_listed(session, domain, flags))
            found[used++] = domain;
    return found;
}

HANDLER(list_all_domains) {
    remote_connect_list_all_domains_args *args = args_;
    DomainListRet *ret = ret_;
    int r = dispatch_flags(args->flags, FILTER_ALL_BITS, call->proc->api, reterr);

    if (r >= 0)
        r = access_look(client_of(session), reterr);
    if (r < 0)
        return r;
    ret->n = list_count(session, args->flags);
    if (!args->need_results || !ret->n)
        return 0;
    ret->domains = gather(session, args->flags, ret->n);
    return ret->domains ? 0 : error_no_memory(reterr);
}

/* ---- numbers, names, ids ---- */

HANDLER(num_of_domains) {
    remote_connect_num_of_domains_ret *ret = ret_;
    int r = access_look(client_of(session), reterr);

    ret->num = r >= 0 ? (int)list_count(session, LIST_ACTIVE) : 0;
    return r;
}

HANDLER(num_of_defined_domains) {
    remote_connect_num_of_defined_domains_ret *ret = ret_;
    int r = access_look(client_of(session), reterr);

    ret->num = r >= 0 ? (int)list_count(session, LIST_INACTIVE) : 0;
    return r;
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

    if (r >= 0)
        r = access_look(client_of(session), reterr);
    if (r < 0)
        return r;
    n = MIN_OF(list_count(session, LIST_ACTIVE), (unsigned)args->maxids);
    ret->ids.ids_val = calloc(n + 1, sizeof(int));
    if (!ret->ids.ids_val)
        return error_no_memory(reterr);
    for (const Domain *domain = driver_domains(driver); domain && ret->ids.ids_len < n;
         domain = domain->next)
        if (is_listed(session, domain, LIST_ACTIVE))
            ret->ids.ids_val[ret->ids.ids_len++] = domain->run->id;
    return 0;
}

HANDLER(list_defined_domains) {
    remote_connect_list_defined_domains_args *args = args_;
    remote_connect_list_defined_domains_ret *ret = ret_;
    const Driver *driver = driver_of(session);
    unsigned n;
    int r = check_max(args->maxnames, "maxnames", reterr);

    if (r >= 0)
        r = access_look(client_of(session), reterr);
    if (r < 0)
        return r;
    n = MIN_OF(list_count(session, LIST_INACTIVE), (unsigned)args->maxnames);
    ret->names.names_val = calloc(n + 1, sizeof(char *));
    if (!ret->names.names_val)
        return error_no_memory(reterr);
    for (const Domain *domain = driver_domains(driver); domain && ret->names.names_len < n;
         domain = domain->next) {
        if (!is_listed(session, domain, LIST_INACTIVE))
            continue;
        r = dispatch_string(&ret->names.names_val[ret->names.names_len], domain_name(domain),
                            reterr);
        if (r < 0)
            return r;
        ret->names.names_len++;
    }
    return 0;
}

/* What was found, if the client may see it; NULL: nothing was, and the error is there. */
static int give(RpcSession *session, Domain *found, remote_domain_ret *ret, Error **reterr) {
    CLEANUP_DOMAIN Domain *domain = found ? domain_ref(found) : NULL;
    int r = domain ? access_check(client_of(session), ACCESS_READ, domain, reterr) : -ENOENT;

    return r < 0 ? r : dispatch_make_domain(domain, &ret->dom, reterr);
}

HANDLER(lookup_by_id) {
    remote_domain_lookup_by_id_args *args = args_;

    return give(session, driver_find_id(driver_of(session), args->id, reterr), ret_, reterr);
}

HANDLER(lookup_by_name) {
    remote_domain_lookup_by_name_args *args = args_;

    return give(session, driver_find_name(driver_of(session), args->name, reterr), ret_, reterr);
}

HANDLER(lookup_by_uuid) {
    remote_domain_lookup_by_uuid_args *args = args_;

    return give(session,
                driver_find_uuid(driver_of(session), (const uint8_t *)args->uuid, NULL, reterr),
                ret_, reterr);
}

const RpcProc list_procs[] = {
    {REMOTE_PROC_CONNECT_LIST_ALL_DOMAINS, "virConnectListAllDomains", 0, list_all_domains,
     XDR_OF(remote_connect_list_all_domains_args), (xdrproc_t)xdr_domain_list,
     sizeof(DomainListRet)},
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
