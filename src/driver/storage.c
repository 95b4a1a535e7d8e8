/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/storage.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/uuid.h"
#include "driver/storage-internal.h"
#include "host/file-owner.h"
#include "util/directory.h"
#include "util/file.h"
#include "util/log.h"
#include "util/worker.h"

#define TURN_USEC (30 * USEC_PER_SEC)
#define DIRECTORY_MODE 0711

struct Storage {
    char *etc, *autostart, *run; /* directories of files NAME.xml */
    char *default_path;          /* NULL: no default pool */
    PoolEventFunc event;
    void *userdata;
    const SecretStore *secrets;
    Pool *pools;
};

/* ---- memory ---- */

Pool *pool_ref(Pool *pool) {
    assert(pool->n_refs > 0);
    pool->n_refs++;
    return pool;
}

void pool_unref(Pool *pool) {
    assert(pool->n_refs > 0);
    if (--pool->n_refs > 0)
        return;
    pool_def_free(pool->def);
    volumes_free(pool->volumes, pool->n_volumes);
    fiber_cond_done(&pool->idle);
    free(pool);
}

Storage *storage_new(const StorageParams *params) {
    Storage *storage = calloc(1, sizeof(Storage));

    if (!storage)
        return NULL;
    storage->etc = path_join(params->etc, "storage");
    storage->autostart = path_join(params->etc, "storage/autostart");
    storage->run = path_join(params->run, "storage");
    storage->default_path = params->default_path ? strdup(params->default_path) : NULL;
    storage->event = params->event;
    storage->userdata = params->userdata;
    storage->secrets = params->secrets;
    if (storage->etc && storage->autostart && storage->run &&
        (storage->default_path || !params->default_path))
        return storage;
    return storage_free(storage);
}

Storage *storage_free(Storage *storage) {
    if (!storage)
        return NULL;
    for (Pool *pool = storage->pools, *next; pool; pool = next) {
        next = pool->next;
        pool->storage = NULL;
        pool_unref(pool);
    }
    free(storage->etc);
    free(storage->autostart);
    free(storage->run);
    free(storage->default_path);
    free(storage);
    return NULL;
}

Pool *storage_list_pool(Storage *storage, PoolDef *def_consume) {
    Pool *pool = calloc(1, sizeof(Pool)), **end = &storage->pools;

    if (!pool) {
        pool_def_free(def_consume);
        return NULL;
    }
    *pool = (Pool){.n_refs = 1, .storage = storage, .def = def_consume};
    while (*end)
        end = &(*end)->next;
    *end = pool;
    return pool;
}

void storage_unlist_pool(Pool *pool) {
    Pool **at = &pool->storage->pools;

    while (*at != pool)
        at = &(*at)->next;
    *at = pool->next;
    pool->storage = NULL;
    pool_unref(pool);
}

static void tell(const Pool *pool, PoolEvent event) {
    if (pool->storage->event)
        pool->storage->event(pool, event, pool->storage->userdata);
}

bool storage_has_directory(const Storage *storage, const char *path) {
    for (const Pool *pool = storage_first(storage); pool; pool = pool->next) {
        const size_t n = strlen(pool->def->path);

        if (pool->active && strncmp(path, pool->def->path, n) == 0 && path[n] == '/')
            return true;
    }
    return false;
}

const SecretStore *pool_secrets(const Pool *pool) {
    return pool->storage ? pool->storage->secrets : NULL;
}

/* ---- looking up ---- */

Pool *storage_first(const Storage *storage) {
    return storage->pools;
}

Pool *storage_pool_by_name(const Storage *storage, const char *name, Error **reterr) {
    for (Pool *pool = storage->pools; pool; pool = pool->next)
        if (streq(pool->def->name, name))
            return pool;
    error_report(reterr, FROM_STORAGE, ERROR_NO_STORAGE_POOL,
                 "no storage pool with matching name '%.200s'", name);
    return NULL;
}

Pool *storage_pool_by_uuid(const Storage *storage, const uint8_t uuid[16], Error **reterr) {
    char text[UUID_TEXT_SIZE];

    for (Pool *pool = storage->pools; pool; pool = pool->next)
        if (memcmp(pool->def->uuid, uuid, 16) == 0)
            return pool;
    uuid_format(uuid, text);
    error_report(reterr, FROM_STORAGE, ERROR_NO_STORAGE_POOL,
                 "no storage pool with matching uuid '%s'", text);
    return NULL;
}

Pool *storage_pool_by_path(const Storage *storage, const char *path, Error **reterr) {
    for (Pool *pool = storage->pools; pool; pool = pool->next)
        if (pool->active && streq(pool->def->path, path))
            return pool;
    error_report(reterr, FROM_STORAGE, ERROR_NO_STORAGE_POOL,
                 "no storage pool with matching target path '%.200s'", path);
    return NULL;
}

/* ---- one change at a time ---- */

int pool_begin(Pool *pool, const char *what, Error **reterr) {
    uint64_t deadline = deadline_in(TURN_USEC);

    while (pool->storage && pool->busy)
        if (fiber_cond_wait(&pool->idle, deadline) < 0 && pool->busy)
            return error_report(reterr, FROM_STORAGE, ERROR_OPERATION_TIMEOUT,
                                "storage pool '%s' is busy, %s has to wait; try again later",
                                pool->def->name, what);
    if (!pool->storage)
        return error_report(reterr, FROM_STORAGE, ERROR_NO_STORAGE_POOL,
                            "storage pool '%s' went while %s waited for it", pool->def->name, what);
    pool->busy = true;
    return 0;
}

void pool_end(Pool *pool) {
    assert(pool->busy);
    pool->busy = false;
    fiber_cond_broadcast(&pool->idle);
}

int pool_check_active(const Pool *pool, Error **reterr) {
    return pool->active ? 0
                        : error_report(reterr, FROM_STORAGE, ERROR_OPERATION_INVALID,
                                       "storage pool '%s' is not active", pool->def->name);
}

/* `how`: "already", "still". */
static int check_inactive(const Pool *pool, const char *how, Error **reterr) {
    return !pool->active ? 0
                         : error_report(reterr, FROM_STORAGE, ERROR_OPERATION_INVALID,
                                        "storage pool '%s' is %s active", pool->def->name, how);
}

/* ---- files ---- */

StorageFiles storage_files(const Storage *storage) {
    return (StorageFiles){storage->etc, storage->autostart, storage->run, storage->default_path};
}

char *pool_file(const char *dir, const char *name) {
    return strf("%s/%s.xml", dir, name);
}

/* Writes the definition below `dir`. */
static int save(const char *dir, const PoolDef *def, Error **reterr) {
    CLEANUP_FREE char *path = pool_file(dir, def->name), *xml = pool_format(def);
    int r;

    if (!path || !xml)
        return error_no_memory(reterr);
    r = dir_make(dir, 0755);
    if (r >= 0)
        r = file_write_atomic_worker(path, xml, strlen(xml), 0600);
    return r < 0 ? error_system(reterr, FROM_STORAGE, r, "cannot write '%s'", path) : 0;
}

static int forget(const char *dir, const char *name, Error **reterr) {
    CLEANUP_FREE char *path = pool_file(dir, name);
    int r = path ? file_remove_worker(path) : -ENOMEM;

    return r < 0 ? error_system(reterr, FROM_STORAGE, r, "cannot remove '%s'", path ? path : name)
                 : 0;
}

typedef struct Directory {
    const char *path;
    int fd;
} Directory;

static int run_make_directory(void *arg) {
    Directory *directory = arg;

    return file_owner_make_directory(directory->path, DIRECTORY_MODE, &directory->fd);
}

static int run_remove_directory(void *arg) {
    CLEANUP_CLOSE int way = -1;
    CLEANUP_FREE char *held = NULL;
    int r = file_owner_hold_way(arg, &way, &held);

    return r < 0 ? r : rmdir(held) < 0 ? -errno : 0;
}

static int run_check_directory(void *arg) {
    return file_owner_check_way(arg);
}

static int build(const PoolDef *def, Error **reterr) {
    Directory directory = {.path = def->path, .fd = -1};
    int r = worker_run(run_make_directory, &directory);
    CLEANUP_CLOSE int fd = directory.fd;
    CLEANUP_FREE char *held = strf("/proc/self/fd/%d/.", fd);

    if (r < 0)
        return error_system(reterr, FROM_STORAGE, r, "cannot make directory '%s' of pool '%s'",
                            def->path, def->name);
    return held ? permissions_apply(held, def->path, &def->permissions, reterr)
                : error_no_memory(reterr);
}

/* That no link of somebody else's leads to it. */
static int check_directory(const PoolDef *def, Error **reterr) {
    CLEANUP_FREE char *path = path_join(def->path, "");
    int r = path ? worker_run(run_check_directory, path) : -ENOMEM;

    if (r == -EACCES)
        return error_system(reterr, FROM_STORAGE, r,
                            "cannot use directory '%s' of pool '%s': a link on the way may be "
                            "somebody else's",
                            def->path, def->name);
    return r == -ENOMEM ? error_no_memory(reterr) : 0;
}

/* ---- active and inactive ---- */

static int refresh(Pool *pool, Error **reterr) {
    VolumeDef **volumes = NULL;
    size_t n = 0;
    int r = pool_scan(pool, &volumes, &n, reterr);

    if (r >= 0)
        r = pool_measure(pool, reterr);
    if (r < 0) {
        volumes_free(volumes, n);
        return r;
    }
    volumes_free(pool->volumes, pool->n_volumes);
    pool->volumes = volumes;
    pool->n_volumes = n;
    return 0;
}

static int activate(Pool *pool, bool with_build, Error **reterr) {
    int r = with_build ? build(pool->def, reterr) : 0;

    if (r >= 0)
        r = check_directory(pool->def, reterr);
    if (r >= 0)
        r = refresh(pool, reterr);
    if (r >= 0)
        r = save(pool->storage->run, pool->def, reterr);
    if (r < 0)
        return r;
    pool->active = true;
    tell(pool, POOL_EVENT_STARTED);
    return 0;
}

static void deactivate(Pool *pool) {
    pool->active = false;
    volumes_free(pool->volumes, pool->n_volumes);
    pool->volumes = NULL;
    pool->n_volumes = 0;
    pool->def->capacity = pool->def->allocation = pool->def->available = 0;
    tell(pool, POOL_EVENT_STOPPED);
}

int pool_start(Pool *pool, bool with_build, Error **reterr) {
    int r = pool_begin(pool, "start", reterr);

    if (r < 0)
        return r;
    r = check_inactive(pool, "already", reterr);
    if (r >= 0)
        r = activate(pool, with_build, reterr);
    pool_end(pool);
    return r;
}

int pool_stop(Pool *pool, Error **reterr) {
    int r = pool_begin(pool, "stop", reterr);

    if (r < 0)
        return r;
    r = pool_check_active(pool, reterr);
    if (r >= 0)
        r = forget(pool->storage->run, pool->def->name, reterr);
    if (r >= 0)
        deactivate(pool);
    pool_end(pool);
    if (r >= 0 && !pool->persistent && pool->storage)
        storage_unlist_pool(pool);
    return r;
}

int pool_refresh(Pool *pool, Error **reterr) {
    int r = pool_begin(pool, "refresh", reterr);

    if (r < 0)
        return r;
    r = pool_check_active(pool, reterr);
    if (r >= 0)
        r = refresh(pool, reterr);
    if (r >= 0)
        tell(pool, POOL_EVENT_REFRESHED);
    pool_end(pool);
    return r;
}

int pool_build(Pool *pool, Error **reterr) {
    int r = pool_begin(pool, "build", reterr);

    if (r < 0)
        return r;
    r = check_inactive(pool, "already", reterr);
    if (r >= 0)
        r = build(pool->def, reterr);
    if (r >= 0)
        tell(pool, POOL_EVENT_CREATED);
    pool_end(pool);
    return r;
}

int pool_delete(Pool *pool, Error **reterr) {
    int r = pool_begin(pool, "delete", reterr);

    if (r < 0)
        return r;
    r = check_inactive(pool, "still", reterr);
    if (r >= 0) {
        r = worker_run(run_remove_directory, pool->def->path);
        if (r < 0)
            error_system(reterr, FROM_STORAGE, r, "cannot remove directory '%s' of pool '%s'",
                         pool->def->path, pool->def->name);
        else
            tell(pool, POOL_EVENT_DELETED);
    }
    pool_end(pool);
    return r;
}

/* ---- definitions ---- */

/* Two pools in one directory would each think the
 * other's images theirs. */
int storage_find_same(const Storage *storage, const PoolDef *def, Pool **ret, Error **reterr) {
    Pool *named = storage_pool_by_name(storage, def->name, NULL);
    Pool *same = storage_pool_by_uuid(storage, def->uuid, NULL);
    char text[UUID_TEXT_SIZE];

    if (same && named != same)
        return error_report(reterr, FROM_STORAGE, ERROR_OPERATION_FAILED,
                            "a pool with this uuid is already defined as '%s'", same->def->name);
    if (named && named != same) {
        uuid_format(named->def->uuid, text);
        return error_report(reterr, FROM_STORAGE, ERROR_OPERATION_FAILED,
                            "pool '%s' already exists with uuid %s", def->name, text);
    }
    for (const Pool *pool = storage->pools; pool; pool = pool->next)
        if (pool != same && streq(pool->def->path, def->path))
            return error_report(reterr, FROM_STORAGE, ERROR_OPERATION_FAILED,
                                "storage source conflict with pool '%s': its directory is '%s'",
                                pool->def->name, def->path);
    *ret = same;
    return 0;
}

/* A definition for a pool that is there: the next start has it. */
static int redefine(Pool *pool, PoolDef **def, Error **reterr) {
    int r = pool_begin(pool, "define", reterr);

    if (r < 0)
        return r;
    r = save(pool->storage->etc, *def, reterr);
    if (r >= 0) {
        pool->persistent = true;
        if (!pool->active) {
            pool_def_free(pool->def);
            pool->def = TAKE_PTR(*def);
        }
    }
    pool_end(pool);
    return r;
}

/* Lists a definition and keeps it busy: before the first wait, so that it is there once. */
static Pool *list_busy(Storage *storage, PoolDef *def_consume, Error **reterr) {
    Pool *pool = storage_list_pool(storage, def_consume);

    if (!pool) {
        error_no_memory(reterr);
        return NULL;
    }
    pool->busy = true;
    return pool;
}

static int define_new(Storage *storage, PoolDef *def_consume, Pool **ret, Error **reterr) {
    Pool *pool = list_busy(storage, def_consume, reterr);
    int r;

    if (!pool)
        return -ENOMEM;
    r = save(storage->etc, pool->def, reterr);
    pool->persistent = r >= 0;
    pool_end(pool);
    if (r < 0)
        storage_unlist_pool(pool);
    else
        *ret = pool_ref(pool);
    return r;
}

int storage_define_pool(Storage *storage, const char *xml, Pool **ret, Error **reterr) {
    CLEANUP_POOL_DEF PoolDef *def = NULL;
    CLEANUP_POOL Pool *pool = NULL;
    Pool *same = NULL;
    int r = pool_parse(xml, strlen(xml), &def, reterr);

    if (r >= 0)
        r = storage_find_same(storage, def, &same, reterr);
    if (r < 0)
        return r;
    if (same) {
        pool = pool_ref(same);
        r = redefine(pool, &def, reterr);
    } else {
        r = define_new(storage, TAKE_PTR(def), &pool, reterr);
    }
    if (r < 0)
        return r;
    if (pool->storage)
        tell(pool, POOL_EVENT_DEFINED);
    *ret = TAKE_PTR(pool);
    return 0;
}

int storage_create_pool(Storage *storage, const char *xml, bool with_build, Pool **ret,
                        Error **reterr) {
    CLEANUP_POOL_DEF PoolDef *def = NULL;
    Pool *pool = NULL;
    int r = pool_parse(xml, strlen(xml), &def, reterr);

    if (r >= 0)
        r = storage_find_same(storage, def, &pool, reterr);
    if (r < 0)
        return r;
    if (pool) {
        CLEANUP_POOL Pool *held = pool_ref(pool);

        r = pool_start(held, with_build, reterr);
        if (r >= 0)
            *ret = TAKE_PTR(held);
        return r;
    }
    pool = list_busy(storage, TAKE_PTR(def), reterr);
    if (!pool)
        return -ENOMEM;
    r = activate(pool, with_build, reterr);
    pool_end(pool);
    if (r < 0)
        storage_unlist_pool(pool);
    else
        *ret = pool_ref(pool);
    return r;
}

int pool_undefine(Pool *pool, Error **reterr) {
    int r = pool_begin(pool, "undefine", reterr);

    if (r < 0)
        return r;
    r = check_inactive(pool, "still", reterr);
    if (r >= 0)
        r = forget(pool->storage->etc, pool->def->name, reterr);
    if (r >= 0)
        r = forget(pool->storage->autostart, pool->def->name, NULL);
    pool_end(pool);
    if (r < 0)
        return r;
    tell(pool, POOL_EVENT_UNDEFINED);
    storage_unlist_pool(pool);
    return 0;
}

static int set_link(const char *dir, const char *target, const char *path, bool yes) {
    int r = dir_make(dir, 0755);

    if (r < 0)
        return r;
    return yes ? file_symlink_worker(target, path) : file_remove_worker(path);
}

int pool_set_autostart(Pool *pool, bool yes, Error **reterr) {
    CLEANUP_FREE char *path = NULL, *target = strf("../%s.xml", pool->def->name);
    int r = pool_begin(pool, "autostart", reterr);

    if (r < 0)
        return r;
    path = pool_file(pool->storage->autostart, pool->def->name);
    if (!path || !target)
        r = error_no_memory(reterr);
    else if (!pool->persistent)
        r = error_report(reterr, FROM_STORAGE, ERROR_INTERNAL, "pool has no config file");
    else if ((r = set_link(pool->storage->autostart, target, path, yes)) < 0)
        error_system(reterr, FROM_STORAGE, r, "cannot change '%s'", path);
    if (r >= 0)
        pool->autostart = yes;
    pool_end(pool);
    return r;
}
