/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots: made, listed, shown, gone back to, deleted. */
#include "access.h"
#include "driver/snapshot-revert.h"
#include "driver/snapshot.h"

#define LIST_FLAGS 2047u

/* ---- calls about one ---- */

/* What a row says. Its arguments begin with a remote_domain_snapshot, their flags are behind it. */
typedef struct SnapshotCall {
    /* `snapshot` is borrowed: gone after any wait. */
    int (*run)(Domain *domain, const Snapshot *snapshot, const void *args, void *ret,
               Error **reterr);
    unsigned allowed;
    size_t flags_at;
} SnapshotCall;

HANDLER(about_snapshot) {
    const SnapshotCall *about = call->proc->data;
    const remote_domain_snapshot *wire = args_;
    const Snapshot *snapshot;
    CLEANUP_DOMAIN Domain *domain = NULL;
    unsigned flags;
    int r;

    memcpy(&flags, (const char *)args_ + about->flags_at, sizeof(flags));
    r = dispatch_flags(flags, about->allowed, call->proc->api, reterr);
    if (r >= 0)
        r = dispatch_domain(session, &wire->dom, &domain, reterr);
    if (r < 0)
        return r;
    snapshot = driver_snapshot_find(domain, wire->name, reterr);
    return snapshot ? about->run(domain, snapshot, args_, ret_, reterr) : -ENOENT;
}

#define SNAPSHOT_FUNC(name, args_type, ret_type)                                                   \
    static int name##_typed(Domain *domain, const Snapshot *snapshot, const args_type *args,       \
                            ret_type *ret, Error **reterr);                                        \
    static int name(Domain *domain, const Snapshot *snapshot, const void *args, void *ret,         \
                    Error **reterr) {                                                              \
        return name##_typed(domain, snapshot, args, ret, reterr);                                  \
    }                                                                                              \
    static int name##_typed(Domain *domain, const Snapshot *snapshot, const args_type *args,       \
                            ret_type *ret, Error **reterr)

/* ---- wire forms ---- */

static int make_snapshot(const Domain *domain, const Snapshot *snapshot,
                         remote_domain_snapshot *ret, Error **reterr) {
    int r = dispatch_string(&ret->name, snapshot->def->name, reterr);

    return r < 0 ? r : dispatch_make_domain(domain, &ret->dom, reterr);
}

static unsigned count(const Domain *domain, const Snapshot *from, unsigned flags) {
    unsigned n = 0;

    for (const Snapshot *at = domain->snapshots.first; at; at = at->next)
        n += snapshot_is_listed(at, from, flags);
    return n;
}

/* Parents come before their children: they were made earlier, or else are looked for. */
static unsigned depth_of(const Snapshot *snapshot) {
    unsigned depth = 0;

    for (const Snapshot *at = snapshot->parent; at && depth < SNAPSHOTS_MAX; at = at->parent)
        depth++;
    return depth;
}

typedef struct Listed {
    const Snapshot *snapshot;
    unsigned depth, place;
} Listed;

static int by_depth(const void *a, const void *b) {
    const Listed *one = a, *other = b;

    if (one->depth != other->depth)
        return one->depth < other->depth ? -1 : 1;
    return one->place < other->place ? -1 : 1;
}

/* Those that are listed, *ret_n of them; NULL: out of memory. The caller frees. */
static Listed *gather(const Domain *domain, const Snapshot *from, unsigned flags, unsigned *ret_n) {
    Listed *list = calloc(domain->snapshots.n + 1, sizeof(Listed));
    unsigned n = 0;

    for (const Snapshot *at = domain->snapshots.first; list && at; at = at->next)
        if (snapshot_is_listed(at, from, flags)) {
            list[n] = (Listed){at, flags & SNAPSHOT_LIST_TOPOLOGICAL ? depth_of(at) : 0, n};
            n++;
        }
    if (list)
        qsort(list, n, sizeof(Listed), by_depth);
    *ret_n = n;
    return list;
}

static int list_all(const Domain *domain, const Snapshot *from, unsigned flags, bool wanted,
                    remote_domain_snapshot_list_ret *ret, Error **reterr) {
    CLEANUP_FREE Listed *list = gather(domain, from, flags, &ret->ret);
    int r = list ? 0 : error_no_memory(reterr);

    if (r < 0 || !wanted || ret->ret == 0)
        return r;
    ret->snapshots.snapshots_val = calloc(ret->ret, sizeof(remote_domain_snapshot));
    if (!ret->snapshots.snapshots_val)
        return error_no_memory(reterr);
    for (unsigned i = 0; r >= 0 && i < ret->ret; i++) {
        r = make_snapshot(domain, list[i].snapshot, &ret->snapshots.snapshots_val[i], reterr);
        ret->snapshots.snapshots_len += r >= 0;
    }
    return r;
}

static int list_names(const Domain *domain, const Snapshot *from, unsigned flags, int max,
                      remote_names_ret *ret, Error **reterr) {
    unsigned n = 0;
    CLEANUP_FREE Listed *list = gather(domain, from, flags, &n);
    int r = 0;

    if (max < 0 || max > 16384)
        return error_report(reterr, FROM_RPC, ERROR_RPC, "too many domain snapshots requested: %d",
                            max);
    n = MIN_OF(n, (unsigned)max);
    ret->names.names_val = list ? calloc(n + 1, sizeof(char *)) : NULL;
    if (!ret->names.names_val)
        return error_no_memory(reterr);
    for (unsigned i = 0; r >= 0 && i < n; i++) {
        r = dispatch_string(&ret->names.names_val[i], list[i].snapshot->def->name, reterr);
        ret->names.names_len += r >= 0;
    }
    return r;
}

/* ---- of a domain ---- */

DOMAIN_FUNC(create_xml, remote_domain_snapshot_create_xml_args, remote_domain_snapshot_ret) {
    int r = driver_snapshot_create(domain, args->xml, args->flags, &ret->snapshot.name, reterr);

    return r < 0 ? r : dispatch_make_domain(domain, &ret->snapshot.dom, reterr);
}

DOMAIN_FUNC(num, remote_domain_flags_args, remote_int_ret) {
    ret->value = (int)count(domain, NULL, args->flags);
    return 0;
}

DOMAIN_FUNC(names, remote_domain_snapshot_list_names_args, remote_names_ret) {
    return list_names(domain, NULL, args->flags, args->maxnames, ret, reterr);
}

DOMAIN_FUNC(all, remote_domain_list_all_args, remote_domain_snapshot_list_ret) {
    return list_all(domain, NULL, args->flags, args->need_results, ret, reterr);
}

DOMAIN_FUNC(lookup, remote_domain_named_args, remote_domain_snapshot_ret) {
    const Snapshot *found = driver_snapshot_find(domain, args->name, reterr);

    return found ? make_snapshot(domain, found, &ret->snapshot, reterr) : -ENOENT;
}

DOMAIN_FUNC(has_current, remote_domain_flags_args, remote_int_ret) {
    ret->value = domain->snapshots.current != NULL;
    return 0;
}

DOMAIN_FUNC(current, remote_domain_flags_args, remote_domain_snapshot_ret) {
    if (!domain->snapshots.current)
        return error_report(reterr, FROM_DOMAIN_SNAPSHOT, ERROR_NO_DOMAIN_SNAPSHOT,
                            "the domain does not have a current snapshot");
    return make_snapshot(domain, domain->snapshots.current, &ret->snapshot, reterr);
}

/* ---- of a snapshot ---- */

HANDLER(get_xml_desc) {
    const remote_domain_snapshot_flags_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    const Snapshot *snapshot;
    int r = dispatch_flags(args->flags, XML_SECURE, call->proc->api, reterr);

    if (r >= 0)
        r = dispatch_domain(session, &args->snap.dom, &domain, reterr);
    if (r < 0)
        return r;
    if ((args->flags & XML_SECURE) && rpc_session_readonly(session))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_DENIED,
                            "virDomainSnapshotGetXMLDesc with secure flag");
    if (args->flags & XML_SECURE)
        r = access_check(client_of(session), ACCESS_WRITE, domain, reterr);
    snapshot = r < 0 ? NULL : driver_snapshot_find(domain, args->snap.name, reterr);
    return snapshot ? driver_snapshot_xml(snapshot, args->flags & XML_SECURE,
                                          &((remote_domain_get_xml_desc_ret *)ret_)->xml, reterr)
                    : MIN_OF(r, -ENOENT);
}

SNAPSHOT_FUNC(get_parent, remote_domain_snapshot_flags_args, remote_domain_snapshot_ret) {
    if (!snapshot->parent)
        return error_report(reterr, FROM_DOMAIN_SNAPSHOT, ERROR_NO_DOMAIN_SNAPSHOT,
                            "snapshot '%s' does not have a parent", snapshot->def->name);
    return make_snapshot(domain, snapshot->parent, &ret->snapshot, reterr);
}

SNAPSHOT_FUNC(num_children, remote_domain_snapshot_flags_args, remote_int_ret) {
    ret->value = (int)count(domain, snapshot, args->flags);
    return 0;
}

SNAPSHOT_FUNC(children_names, remote_domain_snapshot_list_children_names_args, remote_names_ret) {
    return list_names(domain, snapshot, args->flags, args->maxnames, ret, reterr);
}

SNAPSHOT_FUNC(all_children, remote_domain_snapshot_list_all_children_args,
              remote_domain_snapshot_list_ret) {
    return list_all(domain, snapshot, args->flags, args->need_results, ret, reterr);
}

SNAPSHOT_FUNC(is_current, remote_domain_snapshot_flags_args, remote_int_ret) {
    ret->value = domain->snapshots.current == snapshot;
    return 0;
}

/* It has a name here, for else it would not have been found. */
SNAPSHOT_FUNC(has_metadata, remote_domain_snapshot_flags_args, remote_int_ret) {
    ret->value = 1;
    return 0;
}

SNAPSHOT_FUNC(revert, remote_domain_snapshot_flags_args, void) {
    return driver_snapshot_revert(domain, args->snap.name, args->flags, reterr);
}

SNAPSHOT_FUNC(delete, remote_domain_snapshot_flags_args, void) {
    return driver_snapshot_delete(domain, args->snap.name, args->flags, reterr);
}

/* ---- rows ---- */

#define SNAPSHOT_ROW(number, api, how, run, allow, args, ...)                                      \
    {                                                                                              \
        REMOTE_PROC_DOMAIN_##number, "virDomain" api, (how) | RPC_PROC_ON_SNAPSHOT,                \
            about_snapshot, XDR_OF(args), __VA_ARGS__, &(const SnapshotCall) {                     \
            run, allow, offsetof(args, flags)                                                      \
        }                                                                                          \
    }

const RpcProc snapshot_procs[] = {
    FLAGS_ROW(DOMAIN_SNAPSHOT_CREATE_XML, "DomainSnapshotCreateXML", RPC_PROC_WRITE, create_xml,
              1023, remote_domain_snapshot_create_xml_args, XDR_OF(remote_domain_snapshot_ret)),
    FLAGS_ROW(DOMAIN_SNAPSHOT_NUM, "DomainSnapshotNum", 0, num, LIST_FLAGS,
              remote_domain_flags_args, XDR_OF(remote_int_ret)),
    FLAGS_ROW(DOMAIN_SNAPSHOT_LIST_NAMES, "DomainSnapshotListNames", 0, names, LIST_FLAGS,
              remote_domain_snapshot_list_names_args, XDR_OF(remote_names_ret)),
    FLAGS_ROW(DOMAIN_LIST_ALL_SNAPSHOTS, "DomainListAllSnapshots", 0, all, LIST_FLAGS,
              remote_domain_list_all_args, XDR_OF(remote_domain_snapshot_list_ret)),
    FLAGS_ROW(DOMAIN_SNAPSHOT_LOOKUP_BY_NAME, "DomainSnapshotLookupByName", 0, lookup, 0,
              remote_domain_named_args, XDR_OF(remote_domain_snapshot_ret)),
    FLAGS_ROW(DOMAIN_HAS_CURRENT_SNAPSHOT, "DomainHasCurrentSnapshot", 0, has_current, 0,
              remote_domain_flags_args, XDR_OF(remote_int_ret)),
    FLAGS_ROW(DOMAIN_SNAPSHOT_CURRENT, "DomainSnapshotCurrent", 0, current, 0,
              remote_domain_flags_args, XDR_OF(remote_domain_snapshot_ret)),

    {REMOTE_PROC_DOMAIN_SNAPSHOT_GET_XML_DESC, "virDomainSnapshotGetXMLDesc", RPC_PROC_ON_SNAPSHOT,
     get_xml_desc, XDR_OF(remote_domain_snapshot_flags_args),
     XDR_OF(remote_domain_get_xml_desc_ret)},
    SNAPSHOT_ROW(SNAPSHOT_GET_PARENT, "SnapshotGetParent", 0, get_parent, 0,
                 remote_domain_snapshot_flags_args, XDR_OF(remote_domain_snapshot_ret)),
    SNAPSHOT_ROW(SNAPSHOT_NUM_CHILDREN, "SnapshotNumChildren", 0, num_children, LIST_FLAGS,
                 remote_domain_snapshot_flags_args, XDR_OF(remote_int_ret)),
    SNAPSHOT_ROW(SNAPSHOT_LIST_CHILDREN_NAMES, "SnapshotListChildrenNames", 0, children_names,
                 LIST_FLAGS, remote_domain_snapshot_list_children_names_args,
                 XDR_OF(remote_names_ret)),
    SNAPSHOT_ROW(SNAPSHOT_LIST_ALL_CHILDREN, "SnapshotListAllChildren", 0, all_children, LIST_FLAGS,
                 remote_domain_snapshot_list_all_children_args,
                 XDR_OF(remote_domain_snapshot_list_ret)),
    SNAPSHOT_ROW(SNAPSHOT_IS_CURRENT, "SnapshotIsCurrent", 0, is_current, 0,
                 remote_domain_snapshot_flags_args, XDR_OF(remote_int_ret)),
    SNAPSHOT_ROW(SNAPSHOT_HAS_METADATA, "SnapshotHasMetadata", 0, has_metadata, 0,
                 remote_domain_snapshot_flags_args, XDR_OF(remote_int_ret)),
    SNAPSHOT_ROW(REVERT_TO_SNAPSHOT, "RevertToSnapshot", RPC_PROC_WRITE, revert, 15,
                 remote_domain_snapshot_flags_args, NO_XDR),
    SNAPSHOT_ROW(SNAPSHOT_DELETE, "SnapshotDelete", RPC_PROC_WRITE, delete, 7,
                 remote_domain_snapshot_flags_args, NO_XDR),
};
const size_t snapshot_n_procs = ARRAY_SIZE(snapshot_procs);
