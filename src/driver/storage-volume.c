/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volumes: made beside their name and renamed, so that a half-made one is never seen. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/image-names.h"
#include "driver/storage-internal.h"
#include "driver/storage.h"
#include "host/file-owner.h"
#include "qemu/image.h"
#include "util/directory.h"
#include "util/file-holes.h"
#include "util/file.h"
#include "util/worker.h"

#define WIPE_STEP ((size_t)16 << 20) /* bytes that one turn of a worker writes */

/* ---- looking up ---- */

static VolumeDef *find(const Pool *pool, const char *name) {
    for (size_t i = 0; i < pool->n_volumes; i++)
        if (streq(pool->volumes[i]->name, name))
            return pool->volumes[i];
    return NULL;
}

const VolumeDef *pool_volume(const Pool *pool, const char *name, Error **reterr) {
    const VolumeDef *volume = find(pool, name);

    if (!volume)
        error_report(reterr, FROM_STORAGE, ERROR_NO_STORAGE_VOL,
                     "no storage vol with matching name '%.200s'", name);
    return volume;
}

int storage_find_volume(const Storage *storage, const char *path, VolumeRef *ret, Error **reterr) {
    for (Pool *pool = storage_first(storage); pool; pool = pool->next)
        for (size_t i = 0; i < pool->n_volumes; i++)
            if (streq(pool->volumes[i]->path, path)) {
                *ret = (VolumeRef){pool, pool->volumes[i]};
                return 0;
            }
    return error_report(reterr, FROM_STORAGE, ERROR_NO_STORAGE_VOL,
                        "no storage vol with matching path '%.200s'", path);
}

/* ---- the list of a pool ---- */

static int by_name(const void *a, const void *b) {
    return strcmp((*(VolumeDef *const *)a)->name, (*(VolumeDef *const *)b)->name);
}

static int list_volume(Pool *pool, VolumeDef *volume_consume, Error **reterr) {
    VolumeDef **bigger = reallocarray(pool->volumes, pool->n_volumes + 1, sizeof(VolumeDef *));

    if (!bigger) {
        volume_def_free(volume_consume);
        return error_no_memory(reterr);
    }
    pool->volumes = bigger;
    pool->volumes[pool->n_volumes++] = volume_consume;
    qsort(pool->volumes, pool->n_volumes, sizeof(VolumeDef *), by_name);
    return 0;
}

static void unlist_volume(Pool *pool, VolumeDef *volume) {
    for (size_t i = 0; i < pool->n_volumes; i++)
        if (pool->volumes[i] == volume) {
            memmove(&pool->volumes[i], &pool->volumes[i + 1],
                    (--pool->n_volumes - i) * sizeof(VolumeDef *));
            volume_def_free(volume);
            return;
        }
}

typedef struct Look {
    const char *path;
    VolumeDef *volume;
} Look;

static int run_look(void *arg) {
    const Look *look = arg;

    return volume_look(look->path, look->volume);
}

/* What the file is, into an entry of the list. */
static int look(VolumeDef *volume, Error **reterr) {
    Look work = {volume->path, volume};
    int r = worker_run(run_look, &work);

    if (r < 0)
        return error_system(reterr, FROM_STORAGE, r, "cannot look at volume '%s'", volume->path);
    return volume_read_image(volume, reterr);
}

/* ---- making one ---- */

static int name_exists(const Pool *pool, const char *name, Error **reterr) {
    return error_report(reterr, FROM_STORAGE, ERROR_STORAGE_VOL_EXIST, "'%s'", name);
}

typedef struct Placing {
    const VolumeDef *volume;
    VolumePlace place;
} Placing;

static void placing_done(Placing *placing) {
    volume_place_close(&placing->place);
}

static int run_open(void *arg) {
    Placing *placing = arg;

    return volume_place_open(placing->volume->path, placing->volume->name, &placing->place);
}

static int run_settle(void *arg) {
    const Placing *placing = arg;
    const StoragePermissions *permissions = &placing->volume->permissions;

    return volume_place_settle(&placing->place,
                               permissions->mode >= 0 ? (mode_t)permissions->mode : VOLUME_MODE);
}

static int run_close(void *arg) {
    placing_done(arg);
    return 0;
}

static int settle_volume(const Pool *pool, Placing *placing, Error **reterr) {
    const VolumeDef *volume = placing->volume;
    int r = permissions_apply(placing->place.unfinished, volume->path, &volume->permissions,
                              reterr);

    if (r < 0)
        return r;
    r = worker_run(run_settle, placing);
    if (r == -EEXIST)
        return name_exists(pool, volume->name, reterr);
    return r < 0 ? error_system(reterr, FROM_STORAGE, r, "cannot name volume '%s'", volume->path)
                 : 0;
}

static int make_file(const Pool *pool, Placing *placing, const VolumeDef *from,
                     const VolumeHow *how, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    const char *path = placing->place.unfinished;
    int r = from ? volume_clone_file(pool, placing->volume, path, from, how, &error)
                 : volume_make_file(pool, placing->volume, path, how, &error);

    if (r >= 0)
        return settle_volume(pool, placing, reterr);
    return volume_place_tell(&placing->place, placing->volume->path, TAKE_PTR(error), reterr);
}

static const char *const formats[] = {"raw",  "bochs", "cloop", "dmg", "iso",  "vpc", "vdi",
                                      "qcow", "qcow2", "vmdk",  "qed", "vhdx", "dir"};

static bool is_format(const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
        if (streq(formats[i], name))
            return true;
    return false;
}

/* Completes what the XML left open. */
static int complete(const Pool *pool, VolumeDef *volume, Error **reterr) {
    free(volume->path);
    free(volume->key);
    volume->path = path_join(pool->def->path, volume->name);
    volume->key = volume->path ? strdup(volume->path) : NULL;
    if (streq_ptr(volume->format, "iso")) /* made as a file that a disc can be written to */
        free(TAKE_PTR(volume->format));
    if (!volume->format)
        volume->format = strdup("raw");
    if (volume->backing_path && !volume->backing_format)
        volume->backing_format = strdup("raw");
    if (!volume->key || !volume->format || (volume->backing_path && !volume->backing_format))
        return error_no_memory(reterr);
    if (!is_format(volume->format))
        return error_report(reterr, FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                            "unknown volume format type %.100s", volume->format);
    if (volume->backing_path && streq(volume->format, "raw"))
        return error_report(reterr, FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                            "volume '%s': a raw image has no backing file; use format 'qcow2'",
                            volume->name);
    return find(pool, volume->name) ? name_exists(pool, volume->name, reterr) : 0;
}

/* Makes the file, names it and lists it. Takes the volume. */
static int make(Pool *pool, VolumeDef *volume_consume, const VolumeDef *from, const VolumeHow *how,
                Error **reterr) {
    CLEANUP_VOLUME_DEF VolumeDef *volume = volume_consume;
    CLEANUP(placing_done) Placing placing = {.volume = volume, .place = {.way = -1, .fd = -1}};
    int r = complete(pool, volume, reterr);

    if (r < 0)
        return r;
    r = worker_run(run_open, &placing);
    if (r < 0)
        return error_system(reterr, FROM_STORAGE, r, "cannot create volume '%s'", volume->path);
    r = make_file(pool, &placing, from, how, reterr);
    worker_run(run_close, &placing);
    if (r < 0)
        return r;
    r = look(volume, reterr);
    if (r >= 0)
        r = list_volume(pool, TAKE_PTR(volume), reterr);
    pool_measure(pool, NULL);
    return r;
}

static int begin_active(Pool *pool, const char *what, Error **reterr) {
    int r = pool_begin(pool, what, reterr);

    if (r < 0)
        return r;
    r = pool_check_active(pool, reterr);
    if (r < 0)
        pool_end(pool);
    return r;
}

int pool_create_volume(Pool *pool, const char *xml, const VolumeHow *how, char **ret_name,
                       Error **reterr) {
    CLEANUP_VOLUME_DEF VolumeDef *volume = NULL;
    CLEANUP_FREE char *name = NULL;
    int r = volume_parse(xml, strlen(xml), &volume, reterr);

    if (r < 0)
        return r;
    name = strdup(volume->name);
    if (!name)
        return error_no_memory(reterr);
    r = begin_active(pool, "the new volume", reterr);
    if (r < 0)
        return r;
    r = make(pool, TAKE_PTR(volume), NULL, how, reterr);
    pool_end(pool);
    if (r >= 0)
        *ret_name = TAKE_PTR(name);
    return r;
}

int pool_clone_volume(Pool *pool, const char *xml, const VolumeRef *from, const VolumeHow *how,
                      char **ret_name, Error **reterr) {
    CLEANUP_VOLUME_DEF VolumeDef *volume = NULL, *source = volume_def_copy(from->volume);
    CLEANUP_FREE char *name = NULL;
    int r = volume_parse(xml, strlen(xml), &volume, reterr);

    if (r < 0)
        return r;
    name = strdup(volume->name);
    if (!name || !source)
        return error_no_memory(reterr);
    r = begin_active(pool, "the new volume", reterr);
    if (r < 0)
        return r;
    r = make(pool, TAKE_PTR(volume), source, how, reterr);
    pool_end(pool);
    if (r >= 0)
        *ret_name = TAKE_PTR(name);
    return r;
}

/* ---- changing one ---- */

/* The volume of a pool that is held for a change. */
static int begin_volume(Pool *pool, const char *name, const char *what, VolumeDef **ret,
                        Error **reterr) {
    int r = begin_active(pool, what, reterr);

    if (r < 0)
        return r;
    *ret = find(pool, name);
    if (*ret)
        return 0;
    pool_volume(pool, name, reterr);
    pool_end(pool);
    return -ENOENT;
}

/* A directory only when it is empty. */
static int run_remove(void *arg) {
    const VolumeDef *volume = arg;
    CLEANUP_CLOSE int way = -1;
    CLEANUP_FREE char *held = NULL;
    int r = file_owner_hold_way(volume->path, &way, &held);

    if (r < 0)
        return r == -ENOENT ? 0 : r;
    r = volume_is_directory(volume) ? rmdir(held) : unlink(held);
    return r < 0 && errno != ENOENT ? -errno : 0;
}

int pool_delete_volume(Pool *pool, const char *name, Error **reterr) {
    VolumeDef *volume;
    int r = begin_volume(pool, name, "delete", &volume, reterr);

    if (r < 0)
        return r;
    r = worker_run(run_remove, volume);
    if (r < 0)
        error_system(reterr, FROM_STORAGE, r, "cannot remove volume '%s'", volume->path);
    else
        unlist_volume(pool, volume);
    pool_measure(pool, NULL);
    pool_end(pool);
    return r;
}

/* The capacity that a resize asks for. */
static int wanted_capacity(const VolumeDef *volume, uint64_t capacity, bool relative, bool shrink,
                           uint64_t *ret, Error **reterr) {
    const uint64_t now = volume->capacity, kept = MIN_OF(volume->allocation, now);

    if (relative && shrink && capacity > now)
        return error_report(reterr, FROM_STORAGE, ERROR_INVALID_ARG,
                            "volume '%s' has %llu bytes, %llu cannot be taken away", volume->name,
                            (unsigned long long)now, (unsigned long long)capacity);
    if (capacity > INT64_MAX - (relative ? now : 0))
        return error_system(reterr, FROM_STORAGE, EINVAL,
                            "volume '%s' cannot %s %llu bytes: no file has as many", volume->name,
                            relative ? "grow by" : "have", (unsigned long long)capacity);
    *ret = !relative ? capacity : shrink ? now - capacity : now + capacity;
    if (*ret < kept)
        return error_report(reterr, FROM_STORAGE, ERROR_INVALID_ARG,
                            "can't shrink capacity below existing allocation: volume '%s' has %llu "
                            "bytes in %llu of its file",
                            volume->name, (unsigned long long)now,
                            (unsigned long long)volume->allocation);
    if (*ret < now && !shrink)
        return error_report(reterr, FROM_STORAGE, ERROR_INVALID_ARG,
                            "Can't shrink capacity below current capacity unless shrink flag "
                            "explicitly specified");
    return 0;
}

typedef struct Allocate {
    const char *path;
    uint64_t size;
} Allocate;

static int run_allocate(void *arg) {
    const Allocate *work = arg;
    CLEANUP_CLOSE int fd = file_owner_open_existing(work->path, O_WRONLY);

    return fd < 0 ? fd : -posix_fallocate(fd, 0, (off_t)work->size);
}

static int allocate_all(const VolumeDef *volume, uint64_t size, Error **reterr) {
    int r = worker_run(run_allocate, &(Allocate){volume->path, size});

    return r < 0 ? error_system(reterr, FROM_STORAGE, r, "cannot allocate all of volume '%s'",
                                volume->path)
                 : 0;
}

static int run_check(void *arg) {
    CLEANUP_CLOSE int fd = file_owner_open_existing(arg, O_WRONLY);

    return MIN_OF(fd, 0);
}

/* qemu-img takes a path: what somebody else may have put there is looked for before it is run. */
static int check_writable(VolumeDef *volume, Error **reterr) {
    int r = worker_run(run_check, volume->path);

    return r < 0 ? error_system(reterr, FROM_STORAGE, r, "cannot write volume '%s'", volume->path)
                 : 0;
}

int pool_resize_volume(Pool *pool, const char *name, uint64_t capacity, bool relative, bool shrink,
                       bool allocate, Error **reterr) {
    VolumeDef *volume;
    uint64_t size = 0;
    int r = begin_volume(pool, name, "resize", &volume, reterr);

    if (r < 0)
        return r;
    if (volume->encryption)
        r = error_report(reterr, FROM_STORAGE, ERROR_OPERATION_UNSUPPORTED,
                         "volume '%s': an encrypted image is not resized", name);
    else if (allocate && !streq(volume->format, "raw"))
        r = error_report(reterr, FROM_STORAGE, ERROR_OPERATION_UNSUPPORTED,
                         "volume '%s': only a raw image can be allocated as it is resized", name);
    if (r >= 0) /* it may hold more by now */
        r = look(volume, reterr);
    if (r >= 0)
        r = wanted_capacity(volume, capacity, relative, shrink, &size, reterr);
    if (r >= 0)
        r = check_writable(volume, reterr);
    if (r >= 0)
        r = image_names_check(pool->storage, volume->path, volume->format, IMAGE_BELOW_OPENED,
                              reterr);
    if (r >= 0)
        r = image_resize(volume->path, volume->format, size, shrink, reterr);
    if (r >= 0 && allocate)
        r = allocate_all(volume, size, reterr);
    if (r >= 0)
        r = look(volume, reterr);
    pool_measure(pool, NULL);
    pool_end(pool);
    return r;
}

typedef struct Wipe {
    const char *path;
    int fd;
    uint64_t at, end;
} Wipe;

static int run_open_wipe(void *arg) {
    Wipe *wipe = arg;

    wipe->fd = file_owner_open_existing(wipe->path, O_WRONLY);
    return MIN_OF(wipe->fd, 0);
}

/* A hole is zeros, and would take up the disk. */
static int run_wipe(void *arg) {
    static const char zeros[65536];
    Wipe *wipe = arg;
    uint64_t stop;

    file_next_data(wipe->fd, wipe->at, wipe->end, &wipe->at, &stop);
    stop = MIN_OF(stop, wipe->at + WIPE_STEP);
    while (wipe->at < stop) {
        ssize_t n = pwrite(wipe->fd, zeros, MIN_OF(sizeof(zeros), stop - wipe->at),
                           (off_t)wipe->at);

        if (n < 0 && errno != EINTR)
            return -errno;
        wipe->at += n > 0 ? (uint64_t)n : 0;
    }
    return fdatasync(wipe->fd) < 0 ? -errno : 0;
}

int pool_wipe_volume(Pool *pool, const char *name, Error **reterr) {
    VolumeDef *volume;
    Wipe wipe = {.fd = -1};
    int r = begin_volume(pool, name, "wipe", &volume, reterr);

    if (r < 0)
        return r;
    wipe.path = volume->path;
    wipe.end = volume->physical;
    r = worker_run(run_open_wipe, &wipe);
    while (r >= 0 && wipe.at < wipe.end)
        r = worker_run(run_wipe, &wipe);
    if (wipe.fd >= 0)
        close(wipe.fd);
    if (r < 0)
        error_system(reterr, FROM_STORAGE, r, "cannot wipe volume '%s'", volume->path);
    else
        r = look(volume, reterr);
    pool_end(pool);
    return r;
}

int pool_look_at_volume(Pool *pool, const char *name, Error **reterr) {
    VolumeDef *volume;
    int r = begin_volume(pool, name, "the look at its file", &volume, reterr);

    if (r < 0)
        return r;
    r = look(volume, reterr);
    pool_end(pool);
    return r;
}
