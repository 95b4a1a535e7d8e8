/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Storage pools that are directories, and the images in them.
 *
 * A pool is persistent (its XML is in ETC/storage), active (its directory is looked at; a file in
 * RUN/storage says so to the next daemon), or both. One change of a pool runs at a time; who reads
 * looks and does not wait. Pools and volumes are borrowed: over a wait, hold a reference of the
 * pool and look its volume up again.
 *
 * Whatever suspends runs on a fiber. Errors are libvirt's: ERROR_NO_STORAGE_POOL, _VOL, ... */
#pragma once

#include "conf/pool.h"
#include "driver/secret.h"
#include "util/fiber.h"

typedef struct Storage Storage;

typedef struct Pool {
    unsigned n_refs;
    Storage *storage; /* NULL once it is no longer listed */
    struct Pool *next;
    PoolDef *def;
    bool persistent, active, autostart;
    VolumeDef **volumes; /* by name; of an active pool */
    size_t n_volumes;
    bool busy; /* a change is under way */
    FiberCond idle;
} Pool;

/* What became of a pool: libvirt's numbers (virStoragePoolEventLifecycleType), and one that is an
 * event of its own there. */
typedef enum PoolEvent {
    POOL_EVENT_DEFINED = 0,
    POOL_EVENT_UNDEFINED = 1,
    POOL_EVENT_STARTED = 2,
    POOL_EVENT_STOPPED = 3,
    POOL_EVENT_CREATED = 4,
    POOL_EVENT_DELETED = 5,
    POOL_EVENT_REFRESHED,
} PoolEvent;

typedef void (*PoolEventFunc)(const Pool *pool, PoolEvent event, void *userdata);

typedef struct StorageParams {
    const char *etc, *run; /* directories of the daemon */
    const char
        *default_path; /* of the pool 'default' that is made when there is none; NULL: none */
    const SecretStore *secrets; /* of volumes that are encrypted; NULL: there are none */
    PoolEventFunc event;        /* may be NULL */
    void *userdata;
} StorageParams;

/* The strings are copied. NULL: out of memory. */
Storage *storage_new(const StorageParams *params);
Storage *storage_free(Storage *storage);
DEFINE_CLEANUP(Storage *, storage_free)
/* Reads the definitions; activates what was active, and what is to be started with the host. What
 * cannot be read is logged and left alone. Suspends. */
int storage_load(Storage *storage, Error **reterr);

/* ---- pools ---- */

Pool *storage_first(const Storage *storage); /* in order of definition */
/* Borrowed; NULL and ERROR_NO_STORAGE_POOL when there is none. */
Pool *storage_pool_by_name(const Storage *storage, const char *name, Error **reterr);
Pool *storage_pool_by_uuid(const Storage *storage, const uint8_t uuid[16], Error **reterr);
Pool *storage_pool_by_path(const Storage *storage, const char *path, Error **reterr);
Pool *pool_ref(Pool *pool);
void pool_unref(Pool *pool);
DEFINE_CLEANUP(Pool *, pool_unref)
#define CLEANUP_POOL CLEANUP(pool_unrefp)

/* All of these suspend. define and create give a new reference. */
int storage_define_pool(Storage *storage, const char *xml, Pool **ret, Error **reterr);
/* A transient one, active at once; with `build` its directory is made. */
int storage_create_pool(Storage *storage, const char *xml, bool build, Pool **ret, Error **reterr);
int pool_start(Pool *pool, bool build, Error **reterr);
int pool_stop(Pool *pool, Error **reterr);
int pool_build(Pool *pool, Error **reterr);
/* Removes the empty directory. */
int pool_delete(Pool *pool, Error **reterr);
int pool_undefine(Pool *pool, Error **reterr);
int pool_refresh(Pool *pool, Error **reterr);
int pool_set_autostart(Pool *pool, bool yes, Error **reterr);
/* "storage pool 'x' is not active" unless it is. */
int pool_check_active(const Pool *pool, Error **reterr);

/* ---- volumes ---- */

/* Where a volume is; both borrowed. */
typedef struct VolumeRef {
    Pool *pool;
    const VolumeDef *volume;
} VolumeRef;

const VolumeDef *pool_volume(const Pool *pool, const char *name, Error **reterr);
/* Whether the file is below the directory of an active pool. */
bool storage_has_directory(const Storage *storage, const char *path);
/* By the absolute path, or the key, which is the same. */
int storage_find_volume(const Storage *storage, const char *path, VolumeRef *ret, Error **reterr);

typedef struct VolumeHow {
    bool preallocate; /* the metadata; only of qcow2 without a backing file */
    bool reflink;     /* the clone shares the blocks of a raw file; not every file system can */
} VolumeHow;

/* Make a volume; *ret_name is its name, freed by the caller. The clone has the contents of `from`,
 * which may be of another pool. ERROR_CONFIG_UNSUPPORTED: not in that way. */
int pool_create_volume(Pool *pool, const char *xml, const VolumeHow *how, char **ret_name,
                       Error **reterr);
int pool_clone_volume(Pool *pool, const char *xml, const VolumeRef *from, const VolumeHow *how,
                      char **ret_name, Error **reterr);
int pool_delete_volume(Pool *pool, const char *name, Error **reterr);
/* capacity in bytes; relative: added, or with `shrink` taken away. */
int pool_resize_volume(Pool *pool, const char *name, uint64_t capacity, bool relative, bool shrink,
                       bool allocate, Error **reterr);
/* Overwrites what it has with zeros. */
int pool_wipe_volume(Pool *pool, const char *name, Error **reterr);
/* Looks at its file again. */
int pool_look_at_volume(Pool *pool, const char *name, Error **reterr);
