/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two notes, so that nothing is left behind and nobody else's file is removed: one before the file
 * is made, without a detail, and one that knows it again ("DEV INO", and when it was made, in
 * seconds and nanoseconds) before anything is written to it. Of the first an empty file is what may
 * be there. The notes are gone after the host's end, and the file has a mark for that. */
#include "driver/prepare-overlay.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "driver/disk-chain.h"
#include "driver/start-parts.h"
#include "driver/start-shown.h"
#include "host/file-mark.h"
#include "host/file-owner.h"
#include "qemu/fill.h"
#include "qemu/image-lock.h"
#include "qemu/image.h"
#include "util/file.h"
#include "util/worker.h"

#define FILE_MODE 0600

static const char *format_of(const StorageSource *source) {
    return words_name(&disk_formats, source->format ? source->format : DISK_FORMAT_RAW);
}

static int check_running(const Domain *domain, Error **reterr) {
    return domain->run ? 0
                       : error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                                      "domain '%s' has ended", domain_name(domain));
}

/* ---- the file ---- */

/* A file and no other that has its name. */
typedef struct Known {
    uint64_t dev, ino;
    int64_t seconds; /* when it was made; 0: the file system does not say */
    uint32_t nanoseconds;
} Known;

typedef struct Making {
    const char *path;
    char owner[UUID_TEXT_SIZE];
    int fd;
    Known known;
} Making;

static void making_done(Making *making) {
    if (making->fd >= 0)
        close(making->fd);
}

/* With an empty path the file is fd itself; a link is not followed. */
static int know(int fd, const char *path, Known *ret, struct statx *info) {
    if (statx(fd, path, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME,
              info) < 0)
        return -errno;
    *ret = (Known){.dev = makedev(info->stx_dev_major, info->stx_dev_minor), .ino = info->stx_ino};
    if (info->stx_mask & STATX_BTIME) {
        ret->seconds = info->stx_btime.tv_sec;
        ret->nanoseconds = info->stx_btime.tv_nsec;
    }
    return 0;
}

/* Whether a process has the image and lets nobody else write to it: 1, 0, -errno. */
static int is_locked(const char *path, int flags) {
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags);

    return fd < 0 ? -errno : image_lock_is_held(fd);
}

/* What this domain's run had when the host ended goes now. */
static int run_look(void *arg) {
    const Making *making = arg;
    struct stat info;

    if (lstat(making->path, &info) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISREG(info.st_mode) || !file_mark_is_of_earlier_boot(making->path, making->owner) ||
        is_locked(making->path, O_NOFOLLOW) != 0)
        return -EEXIST;
    return unlink(making->path) < 0 ? -errno : 0;
}

static int run_make(void *arg) {
    Making *making = arg;
    struct statx info;
    int r = file_owner_check_way(making->path);

    if (r < 0)
        return r;
    making->fd = open(making->path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
    if (making->fd < 0)
        return -errno;
    file_mark_write(making->fd, making->owner);
    return know(making->fd, "", &making->known, &info);
}

static int cannot(const DiskDef *disk, const char *path, int r, Error **reterr) {
    if (r == -EEXIST)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "Overlay file '%s' for transient disk '%s' already exists; remove it "
                            "if no guest uses it",
                            path, disk->target);
    return error_system(reterr, FROM_QEMU, r, "cannot make the overlay '%s' of transient disk '%s'",
                        path, disk->target);
}

static int note(Domain *domain, const char *path, const char *detail, Error **reterr) {
    const Made made = {.kind = MADE_OVERLAY, .name = (char *)path, .detail = (char *)detail};
    int r = check_running(domain, reterr);

    return r < 0 ? r : start_parts_note(domain, &made, reterr);
}

/* Somebody was faster: it is not ours. */
static void forget(Domain *domain, const char *path) {
    CLEANUP_FREE char *file = domain->run ? start_parts_note_path(&domain->services->paths,
                                                                  domain->run->live->uuid)
                                          : NULL;
    Made made;

    if (!file || made_take(file, MADE_OVERLAY, path, NULL, &made) < 0)
        return;
    free(made.name);
    free(made.detail);
}

/* An empty file that is noted, and open. */
static int make_file(Domain *domain, const DiskDef *disk, Making *making, Error **reterr) {
    CLEANUP_FREE char *detail = NULL;
    int r = worker_run(run_look, making);

    if (r < 0)
        return cannot(disk, making->path, r, reterr);
    r = note(domain, making->path, NULL, reterr);
    if (r < 0)
        return r;
    r = worker_run(run_make, making);
    if (r < 0) {
        forget(domain, making->path);
        return cannot(disk, making->path, r, reterr);
    }
    detail = strf("%" PRIu64 " %" PRIu64 " %" PRId64 " %" PRIu32, making->known.dev,
                  making->known.ino, making->known.seconds, making->known.nanoseconds);
    return detail ? note(domain, making->path, detail, reterr) : error_no_memory(reterr);
}

/* By its descriptor: what has its name by then may be somebody else's. */
static int write_image(const DiskDef *disk, const Making *making, uint64_t size, Error **reterr) {
    CLEANUP_FREE char *path = strf("/proc/%d/fd/%d", (int)getpid(), making->fd);
    const ImageCreate create = {.path = path,
                                .format = "qcow2",
                                .size = size,
                                .backing = disk->source.path,
                                .backing_format = format_of(&disk->source),
                                .blind = true};

    return path ? image_create(&create, reterr) : error_no_memory(reterr);
}

/* ---- the disk ---- */

static int check(const DiskDef *disk, Error **reterr) {
    if (disk->source.type != DISK_FILE || !disk->source.path || *disk->source.path != '/')
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "transient disk '%s' is not in a file with an absolute path",
                            disk->target);
    if (disk_encryption(disk))
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "transient disk '%s' is encrypted: what the guest writes would be in a "
                            "file that is not",
                            disk->target);
    return 0;
}

/* The guest sees one slice of a raw image, if any is said. */
static uint64_t size_of(const DiskDef *disk, const ImageInfo *info) {
    return disk->source.n_slices > 0 ? disk->source.slices[0].size : info->virtual_size;
}

/* It is made for this run, and QEMU's whatever is said of the image. */
static void drop_labels(StorageSource *source) {
    while (source->n_seclabels > 0)
        element_done(&device_seclabel_element, &source->seclabels[--source->n_seclabels]);
    free(TAKE_PTR(source->seclabels));
}

static int put_above(DomainDef *def, DiskDef *disk, const char *path, Error **reterr) {
    StorageSource source = {.type = DISK_FILE, .format = DISK_FORMAT_QCOW2, .path = strdup(path)};

    if (!source.path || chain_push(disk, &source, 0) < 0)
        return error_no_memory(reterr);
    drop_labels(&disk->source);
    qemu_number_sources(def);
    return chain_length(disk) <= CHAIN_MAX
               ? 0
               : error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                              "transient disk '%s' has as many images as there may be",
                              disk->target);
}

int prepare_overlay(Domain *domain, DomainDef *def, DiskDef *disk, Error **reterr) {
    CLEANUP_IMAGE_INFO ImageInfo info = {0};
    CLEANUP_FREE char *path = NULL;
    CLEANUP(making_done) Making making = {.fd = -1};
    int r;

    assert(domain_job_is_mine(domain));
    if (!disk->transient)
        return 0;
    r = check(disk, reterr);
    if (r < 0)
        return r;
    making.path = path = chain_overlay_path(disk->source.path, domain->run->live->name);
    uuid_format(domain->run->live->uuid, making.owner);
    if (!path || start_show_disk(disk) < 0)
        return error_no_memory(reterr);
    r = image_info(disk->source.path, format_of(&disk->source), &info, reterr);
    if (r >= 0)
        r = make_file(domain, disk, &making, reterr);
    if (r >= 0)
        r = write_image(disk, &making, size_of(disk, &info), reterr);
    if (r >= 0)
        r = check_running(domain, reterr);
    return r < 0 ? r : put_above(def, disk, path, reterr);
}

/* ---- a start ---- */

static int run_try_lock(void *arg) {
    return is_locked(arg, 0);
}

/* Who does not say that the image is shared does not share it, as with libvirt. */
static int check_unused(const DiskDef *disk, Error **reterr) {
    int r;

    if (!disk->transient || disk->share_backing == TRISTATE_YES || disk->source.type != DISK_FILE ||
        !disk->source.path)
        return 0;
    r = worker_run(run_try_lock, disk->source.path);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot look at '%s'", disk->source.path);
    return r == 0 ? 0
                  : error_report(reterr, FROM_QEMU, ERROR_RESOURCE_BUSY,
                                 "another process uses '%s', the image of transient disk '%s' "
                                 "(Failed to get \"write\" lock): machines share it when they have "
                                 "<transient shareBacking='yes'/>",
                                 disk->source.path, disk->target);
}

int prepare_overlays(Domain *domain, Error **reterr) {
    DomainDef *live = domain->run->live;
    int r = 0;

    for (size_t i = 0; r >= 0 && i < live->n_disks; i++)
        r = check_unused(&live->disks[i], reterr);
    for (size_t i = 0; r >= 0 && i < live->n_disks; i++)
        r = prepare_overlay(domain, live, &live->disks[i], reterr);
    return r;
}

/* ---- the way back ---- */

typedef struct Removal {
    const char *path;
    bool is_known;
    Known known;
} Removal;

/* Of what was about to be made. */
static bool may_be_ours(const struct statx *info) {
    return S_ISREG(info->stx_mode) && info->stx_size == 0 && info->stx_uid == geteuid() &&
           info->stx_nlink == 1 && (info->stx_mode & 07777) == FILE_MODE;
}

static bool is_same(const Known *a, const Known *b) {
    return a->dev == b->dev && a->ino == b->ino && a->seconds == b->seconds &&
           a->nanoseconds == b->nanoseconds;
}

static int run_remove(void *arg) {
    const Removal *removal = arg;
    struct statx info;
    Known known;
    int r = know(AT_FDCWD, removal->path, &known, &info);

    if (r < 0)
        return r == -ENOENT || r == -ENOTDIR ? 0 : r;
    if (removal->is_known && !is_same(&known, &removal->known))
        return -ESTALE;
    if (!removal->is_known && !may_be_ours(&info))
        return 0;
    return unlink(removal->path) < 0 ? -errno : 0;
}

int prepare_overlay_undo(const Made *made) {
    Removal removal = {.path = made->name, .is_known = made->detail != NULL};
    Known *known = &removal.known;

    if (made->detail && sscanf(made->detail, "%" SCNu64 " %" SCNu64 " %" SCNd64 " %" SCNu32,
                               &known->dev, &known->ino, &known->seconds, &known->nanoseconds) != 4)
        return -EBADMSG;
    return worker_run(run_remove, &removal);
}

/* That of a disk: its source, or what would be above it. Caller frees; NULL: out of memory. */
static char *path_of(const DiskDef *disk, const char *name) {
    return chain_has_overlay(disk, name) ? strdup(disk->source.path)
                                         : chain_overlay_path(disk->source.path, name);
}

char *prepare_overlay_path(const Domain *domain, const DomainDef *def, const DiskDef *disk) {
    const char *name = domain->run->live->name;
    CLEANUP_FREE char *path = disk->transient && disk->source.path ? path_of(disk, name) : NULL;

    for (size_t i = 0; path && i < def->n_disks; i++) {
        const DiskDef *other = &def->disks[i];
        CLEANUP_FREE char *theirs = other != disk && other->transient && other->source.path
                                        ? path_of(other, name)
                                        : NULL;

        if (streq_ptr(path, theirs))
            return NULL;
    }
    return TAKE_PTR(path);
}
