/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two notes, so that nothing is left behind and nobody else's file is removed: one before the file
 * is made, without a detail, and one that knows it again before anything is written to it. */
#include "driver/prepare-overlay.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver/disk-chain.h"
#include "driver/overlay-file.h"
#include "driver/start-parts.h"
#include "driver/start-shown.h"
#include "qemu/fill.h"
#include "qemu/image-lock.h"
#include "qemu/image.h"
#include "util/file.h"
#include "util/worker.h"

static const char *format_of(const StorageSource *source) {
    return words_name(&disk_formats, source->format ? source->format : DISK_FORMAT_RAW);
}

static int check_running(const Domain *domain, Error **reterr) {
    return domain->run ? 0
                       : error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                                      "domain '%s' has ended", domain_name(domain));
}

/* ---- the file ---- */

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
static int make_file(Domain *domain, const DiskDef *disk, OverlayFile *making, Error **reterr) {
    int r = worker_run(overlay_file_look, making);

    if (r < 0)
        return cannot(disk, making->path, r, reterr);
    r = note(domain, making->path, NULL, reterr);
    if (r < 0)
        return r;
    r = worker_run(overlay_file_make, making);
    if (r < 0 && making->fd < 0)
        forget(domain, making->path);
    if (r < 0)
        return cannot(disk, making->path, r, reterr);
    return note(domain, making->path, making->detail, reterr);
}

/* Without the name that qemu-img was given. */
static int tell(const DiskDef *disk, const OverlayFile *making, const Error *error,
                Error **reterr) {
    const char *said = strstr(error_message(error), "qemu-img: "), *name = said;

    while (name && (name = strstr(said, making->content)))
        said = name + strlen(making->content);
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                        "cannot make the overlay '%s' of transient disk '%s'%s%s", making->path,
                        disk->target, said && *said == ':' ? "" : ": ",
                        said ? said : error_message(error));
}

/* qemu-img writes to a directory of the daemon's: it opens what has the name by then. */
static int write_image(const DiskDef *disk, OverlayFile *making, uint64_t size, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    const ImageCreate create = {.path = making->content,
                                .format = "qcow2",
                                .size = size,
                                .backing = disk->source.path,
                                .backing_format = format_of(&disk->source),
                                .blind = true};
    int r;

    if (image_create(&create, &error) < 0) {
        unlink(making->content);
        return tell(disk, making, error, reterr);
    }
    r = worker_run(overlay_file_fill, making);
    if (r >= 0)
        r = worker_run(overlay_file_give, making);
    return r < 0 ? cannot(disk, making->path, r, reterr) : 0;
}

/* ---- the disk ---- */

static int run_is_file(void *arg) {
    const char *path = arg;
    struct stat info;

    return stat(path, &info) < 0 ? -errno : S_ISREG(info.st_mode);
}

static int check(const DiskDef *disk, Error **reterr) {
    const char *path = disk->source.path;
    int r = disk->source.type == DISK_FILE && path && *path == '/'
                ? worker_run(run_is_file, (void *)path)
                : 0;

    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot look at '%s'", path);
    if (r == 0)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "transient disk '%s' is not in a regular file with an absolute path",
                            disk->target);
    if (disk->readonly || disk->device != DISK_DEVICE_DISK)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "a transient disk must not be read-only, and has device 'disk', which "
                            "'%s' has not",
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
    CLEANUP(overlay_file_done) OverlayFile making = {.directory = -1, .fd = -1};
    int r;

    assert(domain_job_is_mine(domain));
    if (!disk->transient)
        return 0;
    r = check(disk, reterr);
    if (r >= 0)
        r = check_running(domain, reterr);
    if (r < 0)
        return r;
    making.path = path = chain_overlay_path(disk->source.path, domain->run->live->name);
    uuid_format(domain->run->live->uuid, making.owner);
    making.content = strf("%s/made/%s.qcow2", domain->services->paths.run, making.owner);
    if (!path || !making.content || start_show_disk(disk) < 0)
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
    CLEANUP_CLOSE int fd = open(arg, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    return fd < 0 ? -errno : image_lock_is_held(fd);
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

int prepare_overlays_found(Domain *domain, Error **reterr) {
    CLEANUP_FREE char *file = start_parts_note_path(&domain->services->paths,
                                                    domain->run->live->uuid);
    CLEANUP(made_done) MadeList list = {0};
    DomainDef *live = domain->run->live;
    int r = file ? made_read(file, &list) : -ENOMEM;

    if (r == -ENOMEM)
        return error_no_memory(reterr);
    for (size_t i = 0; i < live->n_disks; i++) {
        DiskDef *disk = &live->disks[i];
        CLEANUP_FREE char *path = disk->transient && disk->source.path
                                      ? chain_overlay_path(disk->source.path, live->name)
                                      : NULL;

        if (!path || !made_has(&list, MADE_OVERLAY, path))
            continue;
        r = start_show_disk(disk) < 0 ? error_no_memory(reterr)
                                      : put_above(live, disk, path, reterr);
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- the way back ---- */

static int run_remove(void *arg) {
    const Made *made = arg;

    return overlay_file_remove(made->name, made->detail);
}

int prepare_overlay_undo(const Made *made) {
    return worker_run(run_remove, (void *)made);
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
