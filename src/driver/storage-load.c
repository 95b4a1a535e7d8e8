/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an earlier daemon left: definitions, active pools, autostart. */
#include <unistd.h>

#include "driver/storage-internal.h"
#include "driver/storage.h"
#include "util/directory.h"
#include "util/file.h"
#include "util/log.h"

/* The pool that a file says, or NULL after a line in the log. */
static Pool *load_file(Storage *storage, const char *path) {
    CLEANUP_POOL_DEF PoolDef *def = NULL;
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL;
    size_t len = 0;
    Pool *same = NULL;
    int r = file_read(path, STORAGE_XML_MAX, &xml, &len);

    if (r < 0)
        error_system(&error, FROM_STORAGE, r, "cannot read it");
    if (r >= 0)
        r = pool_parse(xml, len, &def, &error);
    if (r >= 0 && (same = storage_pool_by_uuid(storage, def->uuid, NULL)) &&
        streq(same->def->name, def->name))
        return same;
    if (r >= 0)
        r = storage_find_same(storage, def, &same, &error);
    if (r < 0) {
        log_warning("storage pool file '%s', ignoring: %s", path, error_message(error));
        return NULL;
    }
    return storage_list_pool(storage, TAKE_PTR(def));
}

/* Each file NAME.xml of a directory. */
static void load_directory(Storage *storage, const char *dir, bool persistent, bool start) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_NAMES DirectoryNames names = {0};
    int r = directory_names(dir, ".xml", &names);

    if (r < 0)
        log_warning("storage pools of '%s' cannot be read: %s", dir, strerror(-r));
    for (size_t i = 0; i < names.n; i++) {
        CLEANUP_FREE char *path = path_join(dir, names.list[i]);
        Pool *pool;

        if (!path || *names.list[i] == '.')
            continue;
        pool = load_file(storage, path);
        if (!pool)
            continue;
        pool->persistent |= persistent;
        if (start && !pool->active && pool_start(pool, false, &error) < 0) {
            log_warning("storage pool '%s' cannot be started: %s", pool->def->name,
                        error_message(error));
            error_free(TAKE_PTR(error));
            if (!pool->persistent)
                storage_unlist_pool(pool);
        }
    }
}

static void load_autostart(Storage *storage) {
    const StorageFiles files = storage_files(storage);

    for (Pool *pool = storage_first(storage), *next; pool; pool = next) {
        CLEANUP_FREE char *path = pool_file(files.autostart, pool->def->name);
        CLEANUP_ERROR Error *error = NULL;

        next = pool->next;
        pool->autostart = path && access(path, F_OK) == 0;
        if (pool->autostart && !pool->active && pool_start(pool, false, &error) < 0)
            log_warning("storage pool '%s' cannot be started: %s", pool->def->name,
                        error_message(error));
    }
}

/* The pool that tools expect: virt-install looks for "default". */
static int make_default(Storage *storage, Error **reterr) {
    CLEANUP_POOL_DEF PoolDef *def = NULL;
    CLEANUP_POOL Pool *pool = NULL;
    CLEANUP_FREE char *xml = NULL;
    PoolDef wanted = {.name = (char *)"default",
                      .type = (char *)"dir",
                      .path = (char *)storage_files(storage).default_path,
                      .permissions = {-1, -1, -1}};
    int r;

    xml = pool_format(&wanted);
    if (!xml)
        return error_no_memory(reterr);
    r = storage_define_pool(storage, xml, &pool, reterr);
    if (r >= 0)
        r = pool_set_autostart(pool, true, reterr);
    if (r >= 0)
        r = pool_start(pool, true, reterr);
    return r;
}

int storage_load(Storage *storage, Error **reterr) {
    const StorageFiles files = storage_files(storage);

    load_directory(storage, files.etc, true, false);
    load_directory(storage, files.run, false, true);
    load_autostart(storage);
    if (!files.default_path || storage_pool_by_name(storage, "default", NULL) ||
        storage_pool_by_path(storage, files.default_path, NULL))
        return 0;
    return make_default(storage, reterr);
}
