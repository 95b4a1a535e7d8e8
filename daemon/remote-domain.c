/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domains as a client sees them: lists, look-up, state, XML. Nothing here changes anything or
 * waits, except the definition's autostart mark. */
#include <stdio.h>

#include "conf/domain-metadata.h"
#include "daemon.h"

/* ---- lists ---- */

enum { LIST_ALL_BITS = (1 << 16) - 1 };

static unsigned state_bit(const Domain *domain) {
    switch (domain->state) {
    case DOMAIN_RUNNING:
        return LIST_RUNNING;
    case DOMAIN_PAUSED:
        return LIST_PAUSED;
    case DOMAIN_SHUTOFF:
        return LIST_SHUTOFF;
    default:
        return LIST_OTHER;
    }
}

/* What the domain is, in the filter's bits: one of each group. */
static unsigned list_bits(const Domain *domain) {
    return (domain_is_active(domain) ? LIST_ACTIVE : LIST_INACTIVE) |
           (domain->config ? LIST_PERSISTENT : LIST_TRANSIENT) | state_bit(domain) |
           (domain->autostart ? LIST_AUTOSTART : LIST_NO_AUTOSTART) | LIST_NO_MANAGED_SAVE |
           LIST_NO_SNAPSHOT | LIST_NO_CHECKPOINT;
}

bool dispatch_list_matches(const Domain *domain, unsigned flags) {
    static const unsigned groups[] = {LIST_ACTIVE | LIST_INACTIVE,
                                      LIST_PERSISTENT | LIST_TRANSIENT,
                                      LIST_RUNNING | LIST_PAUSED | LIST_SHUTOFF | LIST_OTHER,
                                      LIST_MANAGED_SAVE | LIST_NO_MANAGED_SAVE,
                                      LIST_AUTOSTART | LIST_NO_AUTOSTART,
                                      LIST_HAS_SNAPSHOT | LIST_NO_SNAPSHOT,
                                      LIST_HAS_CHECKPOINT | LIST_NO_CHECKPOINT};
    unsigned bits = list_bits(domain);

    for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
        if ((flags & groups[i]) && !(flags & groups[i] & bits))
            return false;
    return true;
}

static unsigned list_count(const Driver *driver, unsigned flags) {
    unsigned n = 0;

    for (const Domain *domain = driver->domains; domain; domain = domain->next)
        n += dispatch_list_matches(domain, flags);
    return MIN_OF(n, (unsigned)REMOTE_DOMAIN_LIST_MAX);
}

HANDLER(list_all_domains) {
    remote_connect_list_all_domains_args *args = args_;
    remote_connect_list_all_domains_ret *ret = ret_;
    const Driver *driver = driver_of(session);
    unsigned n;
    int r = dispatch_flags(args->flags, LIST_ALL_BITS, "qemuConnectListAllDomains", reterr);

    if (r < 0)
        return r;
    n = list_count(driver, args->flags);
    ret->ret = n;
    if (!args->need_results || !n)
        return 0;
    ret->domains.domains_val = calloc(n, sizeof(remote_domain));
    if (!ret->domains.domains_val)
        return error_no_memory(reterr);
    for (const Domain *domain = driver->domains; domain && ret->domains.domains_len < n;
         domain = domain->next) {
        if (!dispatch_list_matches(domain, args->flags))
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
    for (const Domain *domain = driver->domains; domain && ret->ids.ids_len < n;
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
    for (const Domain *domain = driver->domains; domain && ret->names.names_len < n;
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

/* ---- one domain ---- */

/* Readers look and are gone before anything else runs: the list's own reference suffices. */
static const Domain *peek(RpcSession *session, const remote_domain *wire, Error **reterr) {
    return driver_find_uuid(driver_of(session), (const uint8_t *)wire->uuid, wire->name, reterr);
}

HANDLER(get_info) {
    remote_domain_args *args = args_;
    remote_domain_get_info_ret *ret = ret_;
    const Domain *domain = peek(session, &args->dom, reterr);
    const DomainDef *def;
    uint64_t ns = 0;
    char state;
    int cpu;

    if (!domain)
        return -ENOENT;
    def = domain_def(domain);
    ret->state = domain->state;
    ret->maxMem = def->memory_kib;
    ret->memory = def->current_memory_kib;
    ret->nrVirtCpu = domain_def_online_vcpus(def);
    if (domain_is_active(domain) &&
        driver_thread_stat(domain->run->pid.pid, 0, &ns, &cpu, &state) >= 0)
        ret->cpuTime = ns;
    return 0;
}

HANDLER(get_state) {
    remote_domain_flags_args *args = args_;
    remote_domain_get_state_ret *ret = ret_;
    const Domain *domain = peek(session, &args->dom, reterr);
    int r = domain ? dispatch_flags(args->flags, 0, "qemuDomainGetState", reterr) : -ENOENT;

    if (r < 0)
        return r;
    ret->state = domain->state;
    ret->reason = domain->reason;
    return 0;
}

HANDLER(get_os_type) {
    remote_domain_args *args = args_;

    return peek(session, &args->dom, reterr)
               ? dispatch_string(&((remote_domain_get_os_type_ret *)ret_)->type, "hvm", reterr)
               : -ENOENT;
}

HANDLER(is_active) {
    remote_domain_args *args = args_;
    const Domain *domain = peek(session, &args->dom, reterr);

    if (!domain)
        return -ENOENT;
    ((remote_int_ret *)ret_)->value = domain_is_active(domain);
    return 0;
}

HANDLER(is_persistent) {
    remote_domain_args *args = args_;
    const Domain *domain = peek(session, &args->dom, reterr);

    if (!domain)
        return -ENOENT;
    ((remote_int_ret *)ret_)->value = domain->config != NULL;
    return 0;
}

/* A zero for whatever no domain has here: managed save images, snapshots, an update at run time. */
HANDLER(domain_zero) {
    remote_domain_args *args = args_; /* the first field of every such struct */

    if (!peek(session, &args->dom, reterr))
        return -ENOENT;
    ((remote_int_ret *)ret_)->value = 0;
    return 0;
}

HANDLER(domain_empty_list) {
    remote_domain_list_all_args *args = args_;

    return peek(session, &args->dom, reterr) ? 0 : -ENOENT;
}

HANDLER(get_max_memory) {
    remote_domain_args *args = args_;
    const Domain *domain = peek(session, &args->dom, reterr);

    if (!domain)
        return -ENOENT;
    ((remote_domain_get_max_memory_ret *)ret_)->memory = domain_def(domain)->memory_kib;
    return 0;
}

HANDLER(get_autostart) {
    remote_domain_args *args = args_;
    const Domain *domain = peek(session, &args->dom, reterr);

    if (!domain)
        return -ENOENT;
    ((remote_int_ret *)ret_)->value = domain->autostart;
    return 0;
}

HANDLER(set_autostart) {
    remote_domain_set_autostart_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_domain(session, &args->dom, &domain, reterr);

    return r < 0 ? r : driver_set_autostart(domain, args->autostart != 0, reterr);
}

HANDLER(get_control_info) {
    remote_domain_flags_args *args = args_;
    remote_domain_get_control_info_ret *ret = ret_;
    const Domain *domain = peek(session, &args->dom, reterr);

    if (!domain)
        return -ENOENT;
    if (!domain_is_active(domain))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain is not running");
    ret->state = domain->jobs ? 1 : 0; /* VIR_DOMAIN_CONTROL_JOB, _OK */
    return 0;
}

HANDLER(get_messages) {
    remote_domain_flags_args *args = args_;

    return peek(session, &args->dom, reterr) ? 0 : -ENOENT;
}

/* No security driver: an empty label. */
HANDLER(get_security_label) {
    remote_domain_args *args = args_;
    remote_domain_get_security_label_ret *ret = ret_;

    if (!peek(session, &args->dom, reterr))
        return -ENOENT;
    ret->label.label_val = calloc(1, 1);
    if (!ret->label.label_val)
        return error_no_memory(reterr);
    ret->label.label_len = 1;
    return 0;
}

HANDLER(get_xml_desc) {
    remote_domain_flags_args *args = args_;
    remote_domain_get_xml_desc_ret *ret = ret_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_domain(session, &args->dom, &domain, reterr);

    if (r >= 0)
        r = dispatch_flags(args->flags, XML_SECURE | XML_INACTIVE | XML_UPDATE_CPU | XML_MIGRATABLE,
                           "qemuDomainGetXMLDesc", reterr);
    if (r < 0)
        return r;
    if ((args->flags & XML_SECURE) && rpc_session_readonly(session))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_DENIED,
                            "virDomainGetXMLDesc with secure flag");
    return driver_dump_xml(domain, args->flags, &ret->xml, reterr);
}

HANDLER(get_metadata) {
    remote_domain_get_metadata_args *args = args_;
    remote_domain_get_metadata_ret *ret = ret_;
    const Domain *domain = peek(session, &args->dom, reterr);
    const DomainDef *def;
    const char *text = NULL;
    int r = domain ? dispatch_flags(args->flags, AFFECT_LIVE | AFFECT_CONFIG,
                                    "qemuDomainGetMetadata", reterr)
                   : -ENOENT;

    if (r < 0)
        return r;
    def = (args->flags & AFFECT_CONFIG) && domain->config ? domain->config : domain_def(domain);
    if (args->type == METADATA_TITLE)
        text = def->title;
    else if (args->type == METADATA_DESCRIPTION)
        text = def->description;
    else if (args->type == METADATA_ELEMENT)
        return domain_def_metadata_element(def, args->uri ? *args->uri : NULL, &ret->metadata,
                                           reterr);
    else
        return error_argument(reterr, "virDomainGetMetadata", "type", "unknown metadata type %d",
                              args->type);
    if (!text)
        return error_report(reterr, FROM_DOMAIN, ERROR_NO_DOMAIN_METADATA,
                            "Requested metadata element is not present");
    return dispatch_string(&ret->metadata, text, reterr);
}

const RpcProc domain_procs[] = {
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
    {REMOTE_PROC_DOMAIN_GET_INFO, "virDomainGetInfo", 0, get_info, XDR_OF(remote_domain_args),
     XDR_OF(remote_domain_get_info_ret)},
    {REMOTE_PROC_DOMAIN_GET_STATE, "virDomainGetState", 0, get_state,
     XDR_OF(remote_domain_flags_args), XDR_OF(remote_domain_get_state_ret)},
    {REMOTE_PROC_DOMAIN_GET_OS_TYPE, "virDomainGetOSType", 0, get_os_type,
     XDR_OF(remote_domain_args), XDR_OF(remote_domain_get_os_type_ret)},
    {REMOTE_PROC_DOMAIN_IS_ACTIVE, "virDomainIsActive", 0, is_active, XDR_OF(remote_domain_args),
     XDR_OF(remote_int_ret)},
    {REMOTE_PROC_DOMAIN_IS_PERSISTENT, "virDomainIsPersistent", 0, is_persistent,
     XDR_OF(remote_domain_args), XDR_OF(remote_int_ret)},
    {REMOTE_PROC_DOMAIN_IS_UPDATED, "virDomainIsUpdated", 0, domain_zero,
     XDR_OF(remote_domain_args), XDR_OF(remote_int_ret)},
    {REMOTE_PROC_DOMAIN_GET_MAX_MEMORY, "virDomainGetMaxMemory", 0, get_max_memory,
     XDR_OF(remote_domain_args), XDR_OF(remote_domain_get_max_memory_ret)},
    {REMOTE_PROC_DOMAIN_GET_AUTOSTART, "virDomainGetAutostart", 0, get_autostart,
     XDR_OF(remote_domain_args), XDR_OF(remote_int_ret)},
    {REMOTE_PROC_DOMAIN_SET_AUTOSTART, "virDomainSetAutostart", RPC_PROC_WRITE, set_autostart,
     XDR_OF(remote_domain_set_autostart_args), NO_XDR},
    {REMOTE_PROC_DOMAIN_GET_CONTROL_INFO, "virDomainGetControlInfo", 0, get_control_info,
     XDR_OF(remote_domain_flags_args), XDR_OF(remote_domain_get_control_info_ret)},
    {REMOTE_PROC_DOMAIN_GET_MESSAGES, "virDomainGetMessages", 0, get_messages,
     XDR_OF(remote_domain_flags_args), XDR_OF(remote_domain_get_messages_ret)},
    {REMOTE_PROC_DOMAIN_GET_SECURITY_LABEL, "virDomainGetSecurityLabel", 0, get_security_label,
     XDR_OF(remote_domain_args), XDR_OF(remote_domain_get_security_label_ret)},
    {REMOTE_PROC_DOMAIN_GET_XML_DESC, "virDomainGetXMLDesc", 0, get_xml_desc,
     XDR_OF(remote_domain_flags_args), XDR_OF(remote_domain_get_xml_desc_ret)},
    {REMOTE_PROC_DOMAIN_GET_METADATA, "virDomainGetMetadata", 0, get_metadata,
     XDR_OF(remote_domain_get_metadata_args), XDR_OF(remote_domain_get_metadata_ret)},
    {REMOTE_PROC_DOMAIN_HAS_MANAGED_SAVE_IMAGE, "virDomainHasManagedSaveImage", 0, domain_zero,
     XDR_OF(remote_domain_flags_args), XDR_OF(remote_int_ret)},
    {REMOTE_PROC_DOMAIN_SNAPSHOT_NUM, "virDomainSnapshotNum", 0, domain_zero,
     XDR_OF(remote_domain_flags_args), XDR_OF(remote_int_ret)},
    {REMOTE_PROC_DOMAIN_HAS_CURRENT_SNAPSHOT, "virDomainHasCurrentSnapshot", 0, domain_zero,
     XDR_OF(remote_domain_flags_args), XDR_OF(remote_int_ret)},
    {REMOTE_PROC_DOMAIN_LIST_ALL_SNAPSHOTS, "virDomainListAllSnapshots", 0, domain_empty_list,
     XDR_OF(remote_domain_list_all_args), XDR_OF(remote_empty_list_ret)},
    {REMOTE_PROC_DOMAIN_LIST_ALL_CHECKPOINTS, "virDomainListAllCheckpoints", 0, domain_empty_list,
     XDR_OF(remote_domain_list_all_args), XDR_OF(remote_empty_list_ret)},
};
const size_t domain_n_procs = ARRAY_SIZE(domain_procs);
