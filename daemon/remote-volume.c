/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Storage volumes. */
#include "remote-storage.h"

enum { CREATE_PREALLOCATE = 1, CREATE_REFLINK = 2, CREATE_VALIDATE = 4 };
enum { RESIZE_ALLOCATE = 1, RESIZE_DELTA = 2, RESIZE_SHRINK = 4 };
#define CREATE_FLAGS (CREATE_PREALLOCATE | CREATE_VALIDATE)
enum { VOLUME_TYPE_FILE = 0, VOLUME_TYPE_DIR = 2 }; /* virStorageVolType */
#define RESIZE_FLAGS (RESIZE_ALLOCATE | RESIZE_DELTA | RESIZE_SHRINK)
#define INFO_PHYSICAL 1
#define WIPE_ZERO 0 /* virStorageVolWipeAlgorithm */

static int make_volume(const Pool *pool, const VolumeDef *volume, remote_storage_vol *ret,
                       Error **reterr) {
    int r = dispatch_string(&ret->pool, pool->def->name, reterr);

    if (r >= 0)
        r = dispatch_string(&ret->name, volume->name, reterr);
    return r < 0 ? r : dispatch_string(&ret->key, volume->key, reterr);
}

/* The pool of a volume, with a reference, and the volume. */
static int find(RpcSession *session, const remote_storage_vol *wire, Pool **ret_pool,
                const VolumeDef **ret, Error **reterr) {
    Pool *pool = storage_pool_by_name(storage_of(session), wire->pool, reterr);
    int r = pool ? pool_check_active(pool, reterr) : -ENOENT;

    if (r < 0)
        return r;
    *ret = pool_volume(pool, wire->name, reterr);
    if (!*ret)
        return -ENOENT;
    *ret_pool = pool_ref(pool);
    return 0;
}

/* ---- lists and looking up ---- */

POOL_FUNC(num_of_volumes, remote_storage_pool_args, remote_int_ret) {
    ret->value = (int)pool->n_volumes;
    return pool_check_active(pool, reterr);
}

POOL_FUNC(list_volumes, remote_storage_pool_list_volumes_args, remote_names_ret) {
    size_t n = args->maxnames < 0 ? 0 : MIN_OF(pool->n_volumes, (size_t)args->maxnames);
    int r = pool_check_active(pool, reterr);

    if (r < 0)
        return r;
    ret->names.names_val = calloc(n + 1, sizeof(remote_string));
    if (!ret->names.names_val)
        return error_no_memory(reterr);
    for (size_t i = 0; i < n && r >= 0; i++)
        r = dispatch_string(&ret->names.names_val[ret->names.names_len++], pool->volumes[i]->name,
                            reterr);
    return r;
}

POOL_FUNC(list_all_volumes, remote_storage_pool_list_all_volumes_args,
          remote_storage_pool_list_all_volumes_ret) {
    int r = pool_check_active(pool, reterr);

    if (r < 0)
        return r;
    ret->ret = (unsigned)pool->n_volumes;
    if (!args->need_results || !ret->ret)
        return 0;
    ret->vols.vols_val = calloc(ret->ret, sizeof(remote_storage_vol));
    if (!ret->vols.vols_val)
        return error_no_memory(reterr);
    for (size_t i = 0; i < pool->n_volumes && r >= 0; i++)
        r = make_volume(pool, pool->volumes[i], &ret->vols.vols_val[ret->vols.vols_len++], reterr);
    return r;
}

POOL_FUNC(volume_by_name, remote_storage_vol_lookup_by_name_args, remote_storage_vol_ret) {
    const VolumeDef *volume;
    int r = pool_check_active(pool, reterr);

    if (r < 0)
        return r;
    volume = pool_volume(pool, args->name, reterr);
    return volume ? make_volume(pool, volume, &ret->vol, reterr) : -ENOENT;
}

/* By the path, or the key, which is the same. */
HANDLER(volume_by_path) {
    const char *path = ((const remote_name_args *)args_)->name;
    remote_storage_vol_ret *ret = ret_;
    VolumeRef found;
    int r = storage_find_volume(storage_of(session), path, &found, reterr);

    return r < 0 ? r : make_volume(found.pool, found.volume, &ret->vol, reterr);
}

/* ---- making and changing ---- */

static int made(const Pool *pool, const char *name, remote_storage_vol_ret *ret, Error **reterr) {
    const VolumeDef *volume = pool_volume(pool, name, reterr);

    return volume ? make_volume(pool, volume, &ret->vol, reterr) : -ENOENT;
}

POOL_FUNC(create_volume, remote_storage_vol_create_xml_args, remote_storage_vol_ret) {
    CLEANUP_FREE char *name = NULL;
    int r = pool_create_volume(
        pool, args->xml, &(VolumeHow){args->flags & CREATE_PREALLOCATE, false}, &name, reterr);

    return r < 0 ? r : made(pool, name, ret, reterr);
}

HANDLER(clone_volume) {
    const remote_storage_vol_create_xml_from_args *args = args_;
    CLEANUP_POOL Pool *pool = NULL, *source = NULL;
    CLEANUP_FREE char *name = NULL;
    VolumeRef from;
    Pool *listed;
    int r = dispatch_flags(args->flags, CREATE_FLAGS | CREATE_REFLINK, call->proc->api, reterr);

    if (r < 0)
        return r;
    listed = storage_pool_by_uuid(storage_of(session), (const uint8_t *)args->pool.uuid, reterr);
    if (!listed)
        return -ENOENT;
    pool = pool_ref(listed);
    r = find(session, &args->clonevol, &source, &from.volume, reterr);
    if (r < 0)
        return r;
    from.pool = source;
    r = pool_clone_volume(
        pool, args->xml, &from,
        &(VolumeHow){args->flags & CREATE_PREALLOCATE, args->flags & CREATE_REFLINK}, &name,
        reterr);
    return r < 0 ? r : made(pool, name, ret_, reterr);
}

HANDLER(delete_volume) {
    const remote_storage_vol_flags_args *args = args_;
    CLEANUP_POOL Pool *pool = NULL;
    const VolumeDef *volume;
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);

    if (r >= 0)
        r = find(session, &args->vol, &pool, &volume, reterr);
    return r < 0 ? r : pool_delete_volume(pool, args->vol.name, reterr);
}

static int wipe(RpcSession *session, const remote_storage_vol *wire, Error **reterr) {
    CLEANUP_POOL Pool *pool = NULL;
    const VolumeDef *volume;
    int r = find(session, wire, &pool, &volume, reterr);

    return r < 0 ? r : pool_wipe_volume(pool, wire->name, reterr);
}

HANDLER(wipe_volume) {
    const remote_storage_vol_flags_args *args = args_;
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);

    return r < 0 ? r : wipe(session, &args->vol, reterr);
}

HANDLER(wipe_volume_pattern) {
    const remote_storage_vol_wipe_pattern_args *args = args_;
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);

    if (r < 0)
        return r;
    if (args->algorithm != WIPE_ZERO)
        return error_report(reterr, FROM_STORAGE, ERROR_ARGUMENT_UNSUPPORTED,
                            "volume '%s': only zeros are written (algorithm 'zero'), not algorithm "
                            "%u",
                            args->vol.name, args->algorithm);
    return wipe(session, &args->vol, reterr);
}

HANDLER(resize_volume) {
    const remote_storage_vol_resize_args *args = args_;
    CLEANUP_POOL Pool *pool = NULL;
    const VolumeDef *volume;
    int r = dispatch_flags(args->flags, RESIZE_FLAGS, call->proc->api, reterr);

    if (r >= 0)
        r = find(session, &args->vol, &pool, &volume, reterr);
    return r < 0 ? r
                 : pool_resize_volume(pool, args->vol.name, args->capacity,
                                      args->flags & RESIZE_DELTA, args->flags & RESIZE_SHRINK,
                                      args->flags & RESIZE_ALLOCATE, reterr);
}

/* ---- what one is ---- */

/* The file may have grown under a running QEMU: it is looked at again. */
static int look(RpcSession *session, const remote_storage_vol *wire, Pool **ret_pool,
                const VolumeDef **ret, Error **reterr) {
    int r = find(session, wire, ret_pool, ret, reterr);

    if (r >= 0)
        r = pool_look_at_volume(*ret_pool, wire->name, reterr);
    if (r < 0)
        return r;
    *ret = pool_volume(*ret_pool, wire->name, reterr);
    return *ret ? 0 : -ENOENT;
}

static int type_of(const VolumeDef *volume) {
    return streq_ptr(volume->type, "dir") ? VOLUME_TYPE_DIR : VOLUME_TYPE_FILE;
}

HANDLER(volume_info) {
    const remote_storage_vol_args *args = args_;
    remote_storage_vol_get_info_ret *ret = ret_;
    CLEANUP_POOL Pool *pool = NULL;
    const VolumeDef *volume = NULL;
    int r = look(session, &args->vol, &pool, &volume, reterr);

    if (r < 0)
        return r;
    ret->type = type_of(volume);
    ret->capacity = volume->capacity;
    ret->allocation = volume->allocation;
    return 0;
}

HANDLER(volume_info_flags) {
    const remote_storage_vol_flags_args *args = args_;
    remote_storage_vol_get_info_flags_ret *ret = ret_;
    CLEANUP_POOL Pool *pool = NULL;
    const VolumeDef *volume = NULL;
    int r = dispatch_flags(args->flags, INFO_PHYSICAL, call->proc->api, reterr);

    if (r >= 0)
        r = look(session, &args->vol, &pool, &volume, reterr);
    if (r < 0)
        return r;
    ret->type = type_of(volume);
    ret->capacity = volume->capacity;
    ret->allocation = args->flags & INFO_PHYSICAL ? volume->physical : volume->allocation;
    return 0;
}

HANDLER(volume_xml) {
    const remote_storage_vol_flags_args *args = args_;
    CLEANUP_POOL Pool *pool = NULL;
    const VolumeDef *volume = NULL;
    remote_xml_ret *ret = ret_;
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);

    if (r >= 0)
        r = look(session, &args->vol, &pool, &volume, reterr);
    if (r < 0)
        return r;
    ret->xml = volume_format(volume);
    return ret->xml ? 0 : error_no_memory(reterr);
}

HANDLER(volume_path) {
    const remote_storage_vol_args *args = args_;
    remote_storage_vol_get_path_ret *ret = ret_;
    CLEANUP_POOL Pool *pool = NULL;
    const VolumeDef *volume;
    int r = find(session, &args->vol, &pool, &volume, reterr);

    return r < 0 ? r : dispatch_string(&ret->name, volume->path, reterr);
}

/* ---- rows ---- */

#define VOLUME_ROW(number, api, how, run, args, ...)                                               \
    { REMOTE_PROC_STORAGE_VOL_##number, "virStorageVol" api, how, run, XDR_OF(args), __VA_ARGS__ }
#define IN_POOL(run, allow, args)                                                                  \
    &(const PoolCall) {                                                                            \
        run, true, allow, offsetof(args, flags)                                                    \
    }

const RpcProc volume_procs[] = {
    POOL_ROW(NUM_OF_VOLUMES, "NumOfVolumes", 0, num_of_volumes, remote_storage_pool_args,
             XDR_OF(remote_int_ret)),
    POOL_ROW(LIST_VOLUMES, "ListVolumes", 0, list_volumes, remote_storage_pool_list_volumes_args,
             XDR_OF(remote_names_ret)),
    POOL_FLAGS_ROW(LIST_ALL_VOLUMES, "ListAllVolumes", 0, list_all_volumes, 0,
                   remote_storage_pool_list_all_volumes_args,
                   XDR_OF(remote_storage_pool_list_all_volumes_ret)),
    VOLUME_ROW(LOOKUP_BY_NAME, "LookupByName", 0, dispatch_pool_call,
               remote_storage_vol_lookup_by_name_args, XDR_OF(remote_storage_vol_ret),
               &(const PoolCall){volume_by_name}),
    VOLUME_ROW(LOOKUP_BY_KEY, "LookupByKey", 0, volume_by_path, remote_name_args,
               XDR_OF(remote_storage_vol_ret)),
    VOLUME_ROW(LOOKUP_BY_PATH, "LookupByPath", 0, volume_by_path, remote_name_args,
               XDR_OF(remote_storage_vol_ret)),
    VOLUME_ROW(CREATE_XML, "CreateXML", RPC_PROC_WRITE, dispatch_pool_call,
               remote_storage_vol_create_xml_args, XDR_OF(remote_storage_vol_ret),
               IN_POOL(create_volume, CREATE_FLAGS, remote_storage_vol_create_xml_args)),
    VOLUME_ROW(CREATE_XML_FROM, "CreateXMLFrom", RPC_PROC_WRITE, clone_volume,
               remote_storage_vol_create_xml_from_args, XDR_OF(remote_storage_vol_ret)),
    VOLUME_ROW(DELETE, "Delete", RPC_PROC_WRITE, delete_volume, remote_storage_vol_flags_args,
               NO_XDR),
    VOLUME_ROW(WIPE, "Wipe", RPC_PROC_WRITE, wipe_volume, remote_storage_vol_flags_args, NO_XDR),
    VOLUME_ROW(WIPE_PATTERN, "WipePattern", RPC_PROC_WRITE, wipe_volume_pattern,
               remote_storage_vol_wipe_pattern_args, NO_XDR),
    VOLUME_ROW(RESIZE, "Resize", RPC_PROC_WRITE, resize_volume, remote_storage_vol_resize_args,
               NO_XDR),
    VOLUME_ROW(GET_INFO, "GetInfo", 0, volume_info, remote_storage_vol_args,
               XDR_OF(remote_storage_vol_get_info_ret)),
    VOLUME_ROW(GET_INFO_FLAGS, "GetInfoFlags", 0, volume_info_flags, remote_storage_vol_flags_args,
               XDR_OF(remote_storage_vol_get_info_flags_ret)),
    VOLUME_ROW(GET_XML_DESC, "GetXMLDesc", 0, volume_xml, remote_storage_vol_flags_args,
               XDR_OF(remote_xml_ret)),
    VOLUME_ROW(GET_PATH, "GetPath", 0, volume_path, remote_storage_vol_args,
               XDR_OF(remote_storage_vol_get_path_ret)),
};
const size_t volume_n_procs = ARRAY_SIZE(volume_procs);
