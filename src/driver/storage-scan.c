/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a directory of images has. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "driver/storage-internal.h"
#include "driver/storage.h"
#include "qemu/image.h"
#include "util/file.h"
#include "util/worker.h"

#define VOLUMES_MAX 16384u /* of a pool: the most that libvirt's protocol lists */
#define HEAD_BYTES 32774u  /* as far as an ISO 9660 file system's mark */

/* ---- formats by their first bytes ---- */

typedef struct Magic {
    const char *format;
    size_t at;
    const char *bytes;
    size_t n;
} Magic;

/* From the formats' own descriptions. Raw is what none of these is. */
static const Magic magics[] = {
    {"qcow2", 0, "QFI\xfb\0\0\0\x02", 8},
    {"qcow2", 0, "QFI\xfb\0\0\0\x03", 8},
    {"qcow", 0, "QFI\xfb\0\0\0\x01", 8},
    {"qed", 0, "QED\0", 4},
    {"vmdk", 0, "KDMV", 4},
    {"vpc", 0, "conectix", 8},
    {"vhdx", 0, "vhdxfile", 8},
    {"vdi", 64, "\x7f\x10\xda\xbe", 4},
    {"iso", 32769, "CD001", 5},
    {"luks", 0, "LUKS\xba\xbe\0\1", 8}, /* version 1: what QEMU makes */
};

static const char *format_of(const char *head, size_t n) {
    for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
        if (n >= magics[i].at + magics[i].n &&
            memcmp(head + magics[i].at, magics[i].bytes, magics[i].n) == 0)
            return magics[i].format;
    return "raw";
}

/* What is known of its secret stays. */
static int note_encryption(VolumeDef *volume) {
    if (volume->encryption)
        return 0;
    volume->encryption = calloc(1, sizeof(StorageEncryption));
    if (volume->encryption)
        volume->encryption->format = strdup("luks");
    return volume->encryption && volume->encryption->format ? 0 : -ENOMEM;
}

static void forget_encryption(VolumeDef *volume) {
    if (volume->encryption)
        element_done(&storage_encryption_element, volume->encryption);
    free(TAKE_PTR(volume->encryption));
}

/* A LUKS image is an encrypted raw one; another raw one was wiped, or written over. */
static int read_format(int fd, VolumeDef *volume) {
    CLEANUP_FREE char *head = malloc(HEAD_BYTES);
    ssize_t n = head ? pread(fd, head, HEAD_BYTES, 0) : -1;
    const char *format = head ? format_of(head, n > 0 ? (size_t)n : 0) : NULL;

    if (!head || (streq(format, "luks") && note_encryption(volume) < 0))
        return -ENOMEM;
    if (streq(format, "raw"))
        forget_encryption(volume);
    free(volume->format);
    volume->format = strdup(streq(format, "luks") ? "raw" : format);
    return volume->format ? 0 : -ENOMEM;
}

static int set_time(char **to, struct timespec at) {
    free(*to);
    *to = strf("%lld.%09ld", (long long)at.tv_sec, at.tv_nsec);
    return *to ? 0 : -ENOMEM;
}

bool volume_is_directory(const VolumeDef *volume) {
    return streq_ptr(volume->format, "dir");
}

/* Of a directory nothing is counted, as libvirt does. */
static int look_at_directory(VolumeDef *volume) {
    forget_encryption(volume);
    free(volume->format);
    volume->format = strdup("dir");
    volume->physical = volume->capacity = volume->allocation = 0;
    return volume->format ? 0 : -ENOMEM;
}

static int look_at_file(int fd, const struct stat *info, VolumeDef *volume) {
    volume->allocation = (uint64_t)info->st_blocks * 512;
    volume->physical = volume->capacity = (uint64_t)info->st_size;
    return read_format(fd, volume);
}

int volume_look(const char *path, VolumeDef *volume) {
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat info;
    int r;

    if (fd < 0 || fstat(fd, &info) < 0)
        return -errno;
    if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))
        return -ENOTSUP;
    free(volume->type);
    volume->type = strdup(S_ISDIR(info.st_mode) ? "dir" : "file");
    if (!volume->type)
        return -ENOMEM;
    r = S_ISDIR(info.st_mode) ? look_at_directory(volume) : look_at_file(fd, &info, volume);
    if (r >= 0 && set_time(&volume->atime, info.st_atim) < 0)
        r = -ENOMEM;
    if (r >= 0 && set_time(&volume->mtime, info.st_mtim) < 0)
        r = -ENOMEM;
    if (r >= 0 && set_time(&volume->ctime, info.st_ctim) < 0)
        r = -ENOMEM;
    volume->permissions = (StoragePermissions){info.st_mode & 07777, info.st_uid, info.st_gid};
    volume->capacity_given = volume->allocation_given = true;
    return r;
}

int volume_read_image(VolumeDef *volume, Error **reterr) {
    CLEANUP_IMAGE_INFO ImageInfo info = {0};
    const bool is_luks = streq(volume->format, "raw") && volume->encryption;
    int r;

    if (!is_luks && (streq(volume->format, "raw") || streq(volume->format, "iso") ||
                     volume_is_directory(volume)))
        return 0;
    r = image_info(volume->path, is_luks ? "luks" : volume->format, &info, reterr);
    if (r >= 0 && info.encrypted && note_encryption(volume) < 0)
        r = error_no_memory(reterr);
    if (r < 0)
        return r;
    volume->capacity = info.virtual_size;
    volume->cluster_size = info.cluster_size;
    free(volume->compat);
    free(volume->backing_path);
    free(volume->backing_format);
    volume->compat = TAKE_PTR(info.compat);
    volume->backing_path = TAKE_PTR(info.backing);
    volume->backing_format = TAKE_PTR(info.backing_format);
    return 0;
}

/* ---- a directory ---- */

typedef struct Scan {
    const char *path;
    VolumeDef **volumes;
    size_t n;
} Scan;

void volumes_free(VolumeDef **volumes, size_t n) {
    for (size_t i = 0; i < n; i++)
        volume_def_free(volumes[i]);
    free(volumes);
}

static int add_file(Scan *scan, const char *name) {
    CLEANUP_VOLUME_DEF VolumeDef *volume = calloc(1, sizeof(VolumeDef));
    VolumeDef **bigger;
    int r;

    if (!volume)
        return -ENOMEM;
    volume->name = strdup(name);
    volume->path = path_join(scan->path, name);
    volume->key = volume->path ? strdup(volume->path) : NULL;
    if (!volume->name || !volume->key)
        return -ENOMEM;
    r = volume_look(volume->path, volume);
    if (r < 0)
        return r == -ENOMEM ? r : 0; /* no file, gone, or not ours to read */
    bigger = reallocarray(scan->volumes, scan->n + 1, sizeof(*bigger));
    if (!bigger)
        return -ENOMEM;
    scan->volumes = bigger;
    scan->volumes[scan->n++] = TAKE_PTR(volume);
    return 0;
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(VolumeDef *const *)a)->name, (*(VolumeDef *const *)b)->name);
}

static int run_scan(void *arg) {
    Scan *scan = arg;
    DIR *dir = opendir(scan->path);
    struct dirent *entry;
    int r = 0;

    if (!dir)
        return -errno;
    while (r >= 0 && (entry = readdir(dir))) {
        if (*entry->d_name == '.' || strchr(entry->d_name, '\n'))
            continue;
        r = scan->n < VOLUMES_MAX ? add_file(scan, entry->d_name) : -EFBIG;
    }
    closedir(dir);
    if (r >= 0 && scan->n > 0)
        qsort(scan->volumes, scan->n, sizeof(VolumeDef *), by_name);
    return r;
}

int pool_scan(const Pool *pool, VolumeDef ***ret, size_t *ret_n, Error **reterr) {
    Scan scan = {.path = pool->def->path};
    int r = worker_run(run_scan, &scan);

    for (size_t i = 0; r >= 0 && i < scan.n; i++)
        volume_read_image(scan.volumes[i], NULL); /* a broken image is listed all the same */
    if (r < 0) {
        volumes_free(scan.volumes, scan.n);
        return r == -ENOMEM ? error_no_memory(reterr)
                            : error_system(reterr, FROM_STORAGE, r, "cannot open directory '%s'",
                                           pool->def->path);
    }
    *ret = scan.volumes;
    *ret_n = scan.n;
    return 0;
}

typedef struct Measure {
    const char *path;
    struct statvfs info;
    struct stat directory;
} Measure;

static int run_measure(void *arg) {
    Measure *measure = arg;

    if (stat(measure->path, &measure->directory) < 0)
        return -errno;
    return statvfs(measure->path, &measure->info) < 0 ? -errno : 0;
}

int pool_measure(Pool *pool, Error **reterr) {
    Measure measure = {.path = pool->def->path};
    int r = worker_run(run_measure, &measure);

    if (r < 0)
        return error_system(reterr, FROM_STORAGE, r, "cannot look at '%s' of storage pool '%s'",
                            pool->def->path, pool->def->name);
    pool->def->capacity = (uint64_t)measure.info.f_blocks * measure.info.f_frsize;
    pool->def->available = (uint64_t)measure.info.f_bavail * measure.info.f_frsize;
    pool->def->allocation = pool->def->capacity - pool->def->available;
    pool->def->permissions = (StoragePermissions){
        measure.directory.st_mode & 07777, measure.directory.st_uid, measure.directory.st_gid};
    return 0;
}

/* ---- permissions ---- */

typedef struct Apply {
    const char *path;
    const StoragePermissions *permissions;
} Apply;

static int run_apply(void *arg) {
    const Apply *apply = arg;
    const StoragePermissions *permissions = apply->permissions;
    CLEANUP_CLOSE int fd = open(apply->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0)
        return -errno;
    if ((permissions->owner >= 0 || permissions->group >= 0) &&
        fchown(fd, (uid_t)permissions->owner, (gid_t)permissions->group) < 0)
        return -errno;
    return permissions->mode >= 0 && fchmod(fd, (mode_t)permissions->mode) < 0 ? -errno : 0;
}

int permissions_apply(const char *path, const char *name, const StoragePermissions *permissions,
                      Error **reterr) {
    Apply apply = {path, permissions};
    int r = worker_run(run_apply, &apply);

    return r < 0 ? error_system(reterr, FROM_STORAGE, r, "cannot set mode and owner of '%s'", name)
                 : 0;
}
