/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Storage pools. */
#include "remote-storage.h"

#include "registration.h"

enum { /* virStoragePoolState */ POOL_INACTIVE = 0, POOL_RUNNING = 2 };
enum { /* virConnectListAllStoragePoolsFlags, in pairs of which either or both are asked for */
       POOLS_INACTIVE = 1,
       POOLS_ACTIVE = 2,
       POOLS_PERSISTENT = 4,
       POOLS_TRANSIENT = 8,
       POOLS_AUTOSTART = 16,
       POOLS_NO_AUTOSTART = 32,
       POOLS_DIR = 64,
       POOLS_TYPES = 0xfffc0,
       POOLS_ALL_BITS = 0xfffff
};
enum { CREATE_WITH_BUILD = 1, CREATE_BUILD_OVERWRITE = 2, CREATE_BUILD_NO_OVERWRITE = 4 };
#define CREATE_FLAGS (CREATE_WITH_BUILD | CREATE_BUILD_OVERWRITE | CREATE_BUILD_NO_OVERWRITE)
enum { BUILD_NO_OVERWRITE = 4, BUILD_OVERWRITE = 8 }; /* virStoragePoolBuildFlags */

Storage *storage_of(RpcSession *session) {
    return driver_of(session)->storage;
}

static int dispatch_make_pool(const Pool *pool, remote_storage_pool *ret, Error **reterr) {
    memcpy(ret->uuid, pool->def->uuid, 16);
    return dispatch_string(&ret->name, pool->def->name, reterr);
}

/* ---- lists ---- */

/* A pair of flags: neither asks for all. */
static bool either(unsigned flags, unsigned yes, unsigned no, bool is) {
    return !(flags & (yes | no)) || flags & (is ? yes : no);
}

static bool matches(const Pool *pool, unsigned flags) {
    return either(flags, POOLS_ACTIVE, POOLS_INACTIVE, pool->active) &&
           either(flags, POOLS_PERSISTENT, POOLS_TRANSIENT, pool->persistent) &&
           either(flags, POOLS_AUTOSTART, POOLS_NO_AUTOSTART, pool->autostart) &&
           (!(flags & POOLS_TYPES) || flags & POOLS_DIR);
}

static unsigned count(RpcSession *session, unsigned flags) {
    unsigned n = 0;

    for (const Pool *pool = storage_first(storage_of(session)); pool; pool = pool->next)
        n += matches(pool, flags);
    return MIN_OF(n, (unsigned)REMOTE_STORAGE_LIST_MAX);
}

HANDLER(list_all_pools) {
    const remote_list_all_args *args = args_;
    remote_connect_list_all_storage_pools_ret *ret = ret_;
    int r = dispatch_flags(args->flags, POOLS_ALL_BITS, call->proc->api, reterr);

    if (r < 0)
        return r;
    ret->ret = count(session, args->flags);
    if (!args->need_results || !ret->ret)
        return 0;
    ret->pools.pools_val = calloc(ret->ret, sizeof(remote_storage_pool));
    if (!ret->pools.pools_val)
        return error_no_memory(reterr);
    for (const Pool *pool = storage_first(storage_of(session));
         pool && r >= 0 && ret->pools.pools_len < ret->ret; pool = pool->next)
        if (matches(pool, args->flags))
            r = dispatch_make_pool(pool, &ret->pools.pools_val[ret->pools.pools_len++], reterr);
    return r;
}

/* The row's `data` points to the filter of these two. */
static const unsigned active = POOLS_ACTIVE, inactive = POOLS_INACTIVE;

HANDLER(num_of_pools) {
    ((remote_int_ret *)ret_)->value = (int)count(session, *(const unsigned *)call->proc->data);
    return 0;
}

HANDLER(list_pools) {
    const unsigned flags = *(const unsigned *)call->proc->data;
    const int max = ((const remote_max_args *)args_)->max;
    remote_names_ret *ret = ret_;
    unsigned n = max < 0 ? 0 : MIN_OF(count(session, flags), (unsigned)max);
    int r = 0;

    ret->names.names_val = calloc(n + 1, sizeof(remote_string));
    if (!ret->names.names_val)
        return error_no_memory(reterr);
    for (const Pool *pool = storage_first(storage_of(session));
         pool && r >= 0 && ret->names.names_len < n; pool = pool->next)
        if (matches(pool, flags))
            r = dispatch_string(&ret->names.names_val[ret->names.names_len++], pool->def->name,
                                reterr);
    return r;
}

/* ---- looking up ---- */

static int found(const Pool *pool, remote_storage_pool_ret *ret, Error **reterr) {
    return pool ? dispatch_make_pool(pool, &ret->pool, reterr) : -ENOENT;
}

HANDLER(pool_by_name) {
    const remote_name_args *args = args_;

    return found(storage_pool_by_name(storage_of(session), args->name, reterr), ret_, reterr);
}

HANDLER(pool_by_uuid) {
    const remote_uuid_args *args = args_;

    return found(storage_pool_by_uuid(storage_of(session), (const uint8_t *)args->uuid, reterr),
                 ret_, reterr);
}

HANDLER(pool_by_path) {
    const remote_name_args *args = args_;

    return found(storage_pool_by_path(storage_of(session), args->name, reterr), ret_, reterr);
}

HANDLER(pool_by_volume) {
    const remote_storage_vol_args *args = args_;

    return found(storage_pool_by_name(storage_of(session), args->vol.pool, reterr), ret_, reterr);
}

/* ---- calls about one pool ---- */

int dispatch_pool_call(RpcSession *session, RpcCall *call, void *args, void *ret, Error **reterr) {
    const PoolCall *row = call->proc->data;
    const remote_storage_pool *wire = args; /* the first of every such struct */
    CLEANUP_POOL Pool *pool = NULL;
    Pool *listed;
    int r = row->has_flags ? dispatch_flags(*(const unsigned *)((const char *)args + row->flags_at),
                                            row->allowed, call->proc->api, reterr)
                           : 0;

    if (r < 0)
        return r;
    listed = storage_pool_by_uuid(storage_of(session), (const uint8_t *)wire->uuid, reterr);
    if (!listed)
        return -ENOENT;
    pool = pool_ref(listed);
    return row->run(pool, args, ret, reterr);
}

HANDLER(define_pool) {
    const remote_xml_flags_args *args = args_;
    CLEANUP_POOL Pool *pool = NULL;
    int r = dispatch_flags(args->flags, 1, call->proc->api, reterr); /* VALIDATE: always done */

    if (r >= 0)
        r = storage_define_pool(storage_of(session), args->xml, &pool, reterr);
    return r < 0 ? r : found(pool, ret_, reterr);
}

#define CREATE_OVERWRITES (CREATE_BUILD_OVERWRITE | CREATE_BUILD_NO_OVERWRITE)

/* What is asked of a device that is formatted; a directory is not. */
static int check_overwrite(unsigned asked, Error **reterr) {
    return asked ? error_report(reterr, FROM_STORAGE, ERROR_OPERATION_INVALID,
                                "a pool of type 'dir' has no device that could be formatted; leave "
                                "out the flags that say whether one is overwritten")
                 : 0;
}

HANDLER(create_pool_xml) {
    const remote_xml_flags_args *args = args_;
    CLEANUP_POOL Pool *pool = NULL;
    int r = dispatch_flags(args->flags, CREATE_FLAGS, call->proc->api, reterr);

    if (r >= 0)
        r = check_overwrite(args->flags & CREATE_OVERWRITES, reterr);
    if (r >= 0)
        r = storage_create_pool(storage_of(session), args->xml, args->flags & CREATE_FLAGS, &pool,
                                reterr);
    return r < 0 ? r : found(pool, ret_, reterr);
}

POOL_FUNC(create_pool, remote_storage_pool_flags_args, void) {
    int r = check_overwrite(args->flags & CREATE_OVERWRITES, reterr);

    return r < 0 ? r : pool_start(pool, args->flags & CREATE_FLAGS, reterr);
}

POOL_FUNC(build_pool, remote_storage_pool_flags_args, void) {
    const unsigned asked = args->flags & (BUILD_OVERWRITE | BUILD_NO_OVERWRITE);
    int r = pool->active ? 0
                         : check_overwrite(asked, reterr); /* an active one is refused as such */

    return r < 0 ? r : pool_build(pool, reterr);
}

POOL_FUNC(destroy_pool, remote_storage_pool_args, void) {
    return pool_stop(pool, reterr);
}

POOL_FUNC(delete_pool, remote_storage_pool_flags_args, void) {
    return pool_delete(pool, reterr);
}

POOL_FUNC(undefine_pool, remote_storage_pool_args, void) {
    return pool_undefine(pool, reterr);
}

POOL_FUNC(refresh_pool, remote_storage_pool_flags_args, void) {
    return pool_refresh(pool, reterr);
}

POOL_FUNC(pool_info, remote_storage_pool_args, remote_storage_pool_get_info_ret) {
    ret->state = pool->active ? POOL_RUNNING : POOL_INACTIVE;
    ret->capacity = pool->def->capacity;
    ret->allocation = pool->def->allocation;
    ret->available = pool->def->available;
    return 0;
}

POOL_FUNC(pool_xml, remote_storage_pool_flags_args, remote_xml_ret) {
    ret->xml = pool_format(pool->def);
    return ret->xml ? 0 : error_no_memory(reterr);
}

POOL_FUNC(pool_autostart, remote_storage_pool_args, remote_int_ret) {
    ret->value = pool->autostart;
    return 0;
}

POOL_FUNC(set_pool_autostart, remote_storage_pool_set_autostart_args, void) {
    return pool_set_autostart(pool, args->autostart, reterr);
}

POOL_FUNC(pool_is_active, remote_storage_pool_args, remote_int_ret) {
    ret->value = pool->active;
    return 0;
}

POOL_FUNC(pool_is_persistent, remote_storage_pool_args, remote_int_ret) {
    ret->value = pool->persistent;
    return 0;
}

/* ---- events ---- */

static void send_one(const Client *client, int callback_id, const remote_storage_pool *wire,
                     PoolEvent event) {
    if (event == POOL_EVENT_REFRESHED) {
        remote_storage_pool_event_refresh_msg message = {callback_id, *wire};

        rpc_session_send_event(client->session, REMOTE_PROGRAM, REMOTE_VERSION,
                               REMOTE_PROC_STORAGE_POOL_EVENT_REFRESH,
                               (xdrproc_t)xdr_remote_storage_pool_event_refresh_msg, &message);
    } else {
        remote_storage_pool_event_lifecycle_msg message = {callback_id, *wire, (int)event, 0};

        rpc_session_send_event(client->session, REMOTE_PROGRAM, REMOTE_VERSION,
                               REMOTE_PROC_STORAGE_POOL_EVENT_LIFECYCLE,
                               (xdrproc_t)xdr_remote_storage_pool_event_lifecycle_msg, &message);
    }
}

void storage_send_event(const Pool *pool, PoolEvent event, void *userdata) {
    const Daemon *daemon = userdata;
    const int event_id = EVENT_OF_POOLS + (event == POOL_EVENT_REFRESHED);
    remote_storage_pool wire = {.name = pool->def->name};

    memcpy(wire.uuid, pool->def->uuid, 16);
    for (const Client *client = daemon->clients; client; client = client->next)
        for (const Registration *at = client->registrations; at; at = at->next)
            if (at->event_id == event_id && (!at->filtered || memcmp(at->uuid, wire.uuid, 16) == 0))
                send_one(client, at->callback_id, &wire, event);
}

/* ---- rows ---- */

#define LOOKUP(number, api, run, args)                                                             \
    {                                                                                              \
        REMOTE_PROC_STORAGE_##number, "vir" api, 0, run, XDR_OF(args),                             \
            XDR_OF(remote_storage_pool_ret)                                                        \
    }
#define CREATION(number, api, run)                                                                 \
    {                                                                                              \
        REMOTE_PROC_STORAGE_POOL_##number, "virStoragePool" api, RPC_PROC_WRITE, run,              \
            XDR_OF(remote_xml_flags_args), XDR_OF(remote_storage_pool_ret)                         \
    }
#define NUMBER(number, api, filter)                                                                \
    {                                                                                              \
        REMOTE_PROC_CONNECT_##number, "virConnect" api, 0, num_of_pools, NO_XDR,                   \
            XDR_OF(remote_int_ret), filter                                                         \
    }
#define NAMES(number, api, filter)                                                                 \
    {                                                                                              \
        REMOTE_PROC_CONNECT_##number, "virConnect" api, 0, list_pools, XDR_OF(remote_max_args),    \
            XDR_OF(remote_names_ret), filter                                                       \
    }

/* What kinds there are by libvirt's names; directories can be used. */
static const char capabilities[] = "<storagepoolCapabilities>\n"
                                   "  <pool type='dir' supported='yes'>\n"
                                   "    <volOptions>\n"
                                   "      <defaultFormat type='raw'/>\n"
                                   "      <enum name='targetFormatType'>\n"
                                   "        <value>none</value>\n"
                                   "        <value>raw</value>\n"
                                   "        <value>iso</value>\n"
                                   "        <value>qcow</value>\n"
                                   "        <value>qcow2</value>\n"
                                   "        <value>qed</value>\n"
                                   "        <value>vmdk</value>\n"
                                   "        <value>vpc</value>\n"
                                   "        <value>vdi</value>\n"
                                   "        <value>vhdx</value>\n"
                                   "      </enum>\n"
                                   "    </volOptions>\n"
                                   "  </pool>\n"
                                   "  <pool type='fs' supported='no'>\n  </pool>\n"
                                   "  <pool type='netfs' supported='no'>\n  </pool>\n"
                                   "  <pool type='logical' supported='no'>\n  </pool>\n"
                                   "  <pool type='disk' supported='no'>\n  </pool>\n"
                                   "  <pool type='iscsi' supported='no'>\n  </pool>\n"
                                   "  <pool type='iscsi-direct' supported='no'>\n  </pool>\n"
                                   "  <pool type='scsi' supported='no'>\n  </pool>\n"
                                   "  <pool type='mpath' supported='no'>\n  </pool>\n"
                                   "  <pool type='rbd' supported='no'>\n  </pool>\n"
                                   "  <pool type='gluster' supported='no'>\n  </pool>\n"
                                   "  <pool type='zfs' supported='no'>\n  </pool>\n"
                                   "  <pool type='vstorage' supported='no'>\n  </pool>\n"
                                   "</storagepoolCapabilities>\n";

HANDLER(pool_capabilities) {
    const remote_connect_get_storage_pool_capabilities_args *args = args_;
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);

    return r < 0 ? r : dispatch_string(&((remote_xml_ret *)ret_)->xml, capabilities, reterr);
}

const RpcProc pool_procs[] = {
    {REMOTE_PROC_CONNECT_GET_STORAGE_POOL_CAPABILITIES, "virConnectGetStoragePoolCapabilities", 0,
     pool_capabilities, XDR_OF(remote_connect_get_storage_pool_capabilities_args),
     XDR_OF(remote_xml_ret)},
    NUMBER(NUM_OF_STORAGE_POOLS, "NumOfStoragePools", &active),
    NUMBER(NUM_OF_DEFINED_STORAGE_POOLS, "NumOfDefinedStoragePools", &inactive),
    NAMES(LIST_STORAGE_POOLS, "ListStoragePools", &active),
    NAMES(LIST_DEFINED_STORAGE_POOLS, "ListDefinedStoragePools", &inactive),
    {REMOTE_PROC_CONNECT_LIST_ALL_STORAGE_POOLS, "virConnectListAllStoragePools", 0, list_all_pools,
     XDR_OF(remote_list_all_args), XDR_OF(remote_connect_list_all_storage_pools_ret)},
    LOOKUP(POOL_LOOKUP_BY_NAME, "StoragePoolLookupByName", pool_by_name, remote_name_args),
    LOOKUP(POOL_LOOKUP_BY_UUID, "StoragePoolLookupByUUID", pool_by_uuid, remote_uuid_args),
    LOOKUP(POOL_LOOKUP_BY_TARGET_PATH, "StoragePoolLookupByTargetPath", pool_by_path,
           remote_name_args),
    LOOKUP(POOL_LOOKUP_BY_VOLUME, "StoragePoolLookupByVolume", pool_by_volume,
           remote_storage_vol_args),
    CREATION(DEFINE_XML, "DefineXML", define_pool),
    CREATION(CREATE_XML, "CreateXML", create_pool_xml),
    POOL_FLAGS_ROW(CREATE, "Create", RPC_PROC_WRITE, create_pool, CREATE_FLAGS,
                   remote_storage_pool_flags_args, NO_XDR),
    POOL_FLAGS_ROW(BUILD, "Build", RPC_PROC_WRITE, build_pool, 15, remote_storage_pool_flags_args,
                   NO_XDR),
    POOL_ROW(DESTROY, "Destroy", RPC_PROC_WRITE, destroy_pool, remote_storage_pool_args, NO_XDR),
    POOL_FLAGS_ROW(DELETE, "Delete", RPC_PROC_WRITE, delete_pool, 1, remote_storage_pool_flags_args,
                   NO_XDR),
    POOL_ROW(UNDEFINE, "Undefine", RPC_PROC_WRITE, undefine_pool, remote_storage_pool_args, NO_XDR),
    POOL_FLAGS_ROW(REFRESH, "Refresh", RPC_PROC_WRITE, refresh_pool, 0,
                   remote_storage_pool_flags_args, NO_XDR),
    POOL_ROW(GET_INFO, "GetInfo", 0, pool_info, remote_storage_pool_args,
             XDR_OF(remote_storage_pool_get_info_ret)),
    POOL_FLAGS_ROW(GET_XML_DESC, "GetXMLDesc", 0, pool_xml, 1, remote_storage_pool_flags_args,
                   XDR_OF(remote_xml_ret)),
    POOL_ROW(GET_AUTOSTART, "GetAutostart", 0, pool_autostart, remote_storage_pool_args,
             XDR_OF(remote_int_ret)),
    POOL_ROW(SET_AUTOSTART, "SetAutostart", RPC_PROC_WRITE, set_pool_autostart,
             remote_storage_pool_set_autostart_args, NO_XDR),
    POOL_ROW(IS_ACTIVE, "IsActive", 0, pool_is_active, remote_storage_pool_args,
             XDR_OF(remote_int_ret)),
    POOL_ROW(IS_PERSISTENT, "IsPersistent", 0, pool_is_persistent, remote_storage_pool_args,
             XDR_OF(remote_int_ret)),
};
const size_t pool_n_procs = ARRAY_SIZE(pool_procs);
