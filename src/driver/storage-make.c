/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files of new volumes. */
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/image-names.h"
#include "driver/secret-file.h"
#include "driver/storage-internal.h"
#include "qemu/image.h"
#include "util/file.h"
#include "util/worker.h"

typedef struct Raw {
    const char *path;
    uint64_t capacity, allocation;
} Raw;

static int run_raw(void *arg) {
    const Raw *raw = arg;
    CLEANUP_CLOSE int fd = open(raw->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, VOLUME_MODE);
    uint64_t allocation = MIN_OF(raw->allocation, raw->capacity);

    if (fd < 0 || ftruncate(fd, (off_t)raw->capacity) < 0)
        return -errno;
    return allocation > 0 ? -posix_fallocate(fd, 0, (off_t)allocation) : 0;
}

static int make_raw(const VolumeDef *volume, const char *path, Error **reterr) {
    Raw raw = {path, volume->capacity,
               volume->allocation_given ? volume->allocation : volume->capacity};
    int r = worker_run(run_raw, &raw);

    return r < 0 ? error_system(reterr, FROM_STORAGE, r, "cannot create volume '%s'", volume->name)
                 : 0;
}

/* The passphrase as a file that qemu-img can open; *ret_fd is closed by the caller. */
static int open_passphrase(const Pool *pool, const VolumeDef *volume, int *ret_fd, char **ret_path,
                           Error **reterr) {
    CLEANUP_FREE char *whose = NULL;

    if (!volume->encryption)
        return 0;
    if (!streq(volume->format, "raw") && !streq(volume->format, "qcow2"))
        return error_report(reterr, FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                            "volume '%s': an image of format '%s' is not encrypted; use 'raw' or "
                            "'qcow2'",
                            volume->name, volume->format);
    whose = strf("volume '%s'", volume->name);
    if (!whose)
        return error_no_memory(reterr);
    *ret_fd = secret_open(pool_secrets(pool), volume->encryption, whose, reterr);
    if (*ret_fd < 0)
        return *ret_fd;
    *ret_path = strf("/proc/%d/fd/%d", (int)getpid(), *ret_fd);
    return *ret_path ? 0 : error_no_memory(reterr);
}

/* ---- directories ---- */

static int run_directory(void *arg) {
    return mkdir(arg, VOLUME_MODE) < 0 ? -errno : 0;
}

static int make_directory(const VolumeDef *volume, const char *path, Error **reterr) {
    int r = worker_run(run_directory, (void *)path);

    return r < 0 ? error_system(reterr, FROM_STORAGE, r, "cannot create volume '%s'", volume->name)
                 : 0;
}

/* ---- images ---- */

static int check_how(const VolumeDef *volume, const VolumeHow *how, Error **reterr) {
    if (!how->preallocate || (streq(volume->format, "qcow2") && !volume->backing_path))
        return 0;
    return error_report(reterr, FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                        "volume '%s': metadata is allocated beforehand only in a 'qcow2' image "
                        "without a backing file",
                        volume->name);
}

static int run_is_there(void *arg) {
    return access(arg, F_OK) < 0 ? -errno : 0;
}

/* qemu-img opens it, with all that is below it. */
static int check_backing(const Pool *pool, const VolumeDef *volume, Error **reterr) {
    return volume->backing_path && worker_run(run_is_there, volume->backing_path) >= 0
               ? image_names_check(pool->storage, volume->backing_path, volume->backing_format,
                                   IMAGE_BELOW_OPENED, reterr)
               : 0;
}

int volume_make_file(const Pool *pool, const VolumeDef *volume, const char *path,
                     const VolumeHow *how, Error **reterr) {
    CLEANUP_CLOSE int fd = -1;
    CLEANUP_FREE char *passphrase = NULL;
    int r = check_how(volume, how, reterr);

    if (r >= 0)
        r = open_passphrase(pool, volume, &fd, &passphrase, reterr);
    if (r < 0)
        return r;
    if (volume_is_directory(volume))
        return make_directory(volume, path, reterr);
    r = check_backing(pool, volume, reterr);
    if (r < 0)
        return r;
    if (streq(volume->format, "raw") && !volume->backing_path && !passphrase)
        return make_raw(volume, path, reterr);
    return image_create(&(ImageCreate){.path = path,
                                       .passphrase = passphrase,
                                       .format = volume->format,
                                       .size = volume->capacity,
                                       .backing = volume->backing_path,
                                       .backing_format = volume->backing_format,
                                       .compat = volume->compat,
                                       .preallocate = how->preallocate},
                        reterr);
}

/* What a copy of an encrypted image is encrypted with is in the image. */
static int check_encryption(const VolumeDef *volume, const VolumeDef *from, Error **reterr) {
    const bool as_it_is = streq(volume->format, "raw") && streq(from->format, "raw") &&
                          (!volume->encryption || from->encryption) &&
                          volume->capacity <= from->capacity;

    return as_it_is || (!volume->encryption && !from->encryption)
               ? 0
               : error_report(reterr, FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                              "volume '%s': an encrypted image is copied as it is, raw and of the "
                              "same size, or not at all",
                              volume->name);
}

typedef struct Reflink {
    const char *from, *to;
} Reflink;

static int run_reflink(void *arg) {
    const Reflink *work = arg;
    CLEANUP_CLOSE int from = open(work->from, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    CLEANUP_CLOSE int to = open(work->to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, VOLUME_MODE);

    return from < 0 || to < 0 || ioctl(to, FICLONE, from) < 0 ? -errno : 0;
}

static int copy_file(const VolumeDef *volume, const char *path, const VolumeDef *from,
                     const VolumeHow *how, Error **reterr) {
    int r;

    if (!how->reflink)
        return image_convert(from->path, from->format, path, volume->format, how->preallocate,
                             reterr);
    if (!streq(volume->format, "raw") || !streq(from->format, "raw"))
        return error_report(reterr, FROM_STORAGE, ERROR_INVALID_ARG,
                            "volume '%s': only a raw file can share its blocks with a clone",
                            volume->name);
    r = worker_run(run_reflink, &(Reflink){from->path, path});
    return r < 0 ? error_system(reterr, FROM_STORAGE, r, "cannot share the blocks of '%s'",
                                from->path)
                 : 0;
}

static int check_kinds(const VolumeDef *volume, const VolumeDef *from, Error **reterr) {
    return volume_is_directory(volume) || volume_is_directory(from)
               ? error_report(reterr, FROM_STORAGE, ERROR_CONFIG_UNSUPPORTED,
                              "volume '%s': a directory is not cloned", volume->name)
               : 0;
}

static int run_is_file(void *arg) {
    struct stat info;

    if (lstat(arg, &info) < 0)
        return -errno;
    return S_ISREG(info.st_mode) ? 0 : S_ISLNK(info.st_mode) ? -ELOOP : -EINVAL;
}

/* qemu-img takes a path, and opens what the header there names. */
static int check_source(const Pool *pool, const VolumeDef *from, Error **reterr) {
    int r = worker_run(run_is_file, from->path);

    return r < 0 ? error_system(reterr, FROM_STORAGE, r, "cannot copy volume '%s'", from->path)
                 : image_names_check(pool->storage, from->path, from->format, IMAGE_BELOW_COPIED,
                                     reterr);
}

int volume_clone_file(const Pool *pool, const VolumeDef *volume, const char *path,
                      const VolumeDef *from, const VolumeHow *how, Error **reterr) {
    CLEANUP_IMAGE_INFO ImageInfo info = {0};
    int r = check_kinds(volume, from, reterr);

    if (r >= 0)
        r = check_how(volume, how, reterr);
    if (r >= 0)
        r = check_encryption(volume, from, reterr);
    if (r >= 0)
        r = check_source(pool, from, reterr);
    if (r >= 0)
        r = copy_file(volume, path, from, how, reterr);
    if (r < 0 || volume->capacity <= from->capacity)
        return r;
    /* The file may have grown since the pool looked at it; not every format can be resized. */
    r = image_info(path, volume->format, &info, reterr);
    return r < 0 || info.virtual_size >= volume->capacity
               ? r
               : image_resize(path, volume->format, volume->capacity, false, reterr);
}
