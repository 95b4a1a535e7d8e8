/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which disks a snapshot is of. */
#include "driver/block-job-check.h"
#include "driver/snapshot-internal.h"
#include "util/file.h"
#include "util/libvirt-numbers.h"

static int refuse(Error **reterr, const char *what) {
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED, "%s", what);
}

static int check_flags(const SnapshotDef *def, unsigned flags, Error **reterr) {
    if (flags & SNAPSHOT_REDEFINE)
        return refuse(reterr, "no list of snapshots is kept here that one could be put into");
    if (!(flags & SNAPSHOT_DISK_ONLY) || def->memory == SNAPSHOT_INTERNAL ||
        def->memory == SNAPSHOT_EXTERNAL)
        return refuse(reterr, "a snapshot with the guest's memory is not made here: use "
                              "--disk-only, or save the domain");
    if (!(flags & SNAPSHOT_NO_METADATA))
        return refuse(reterr, "no list of snapshots is kept here: use --no-metadata; the images "
                              "are in the domain's definition");
    if (flags & SNAPSHOT_HALT)
        return refuse(reterr, "the guest goes on after a snapshot here: leave --halt out");
    if ((flags & SNAPSHOT_REUSE_EXT) && def->n_disks == 0)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "images that are used again have to be named");
    return 0;
}

static const SnapshotDisk *said_of(const SnapshotDef *def, const DiskDef *disk) {
    for (size_t i = 0; i < def->n_disks; i++)
        if (streq(def->disks[i].name, disk->target) ||
            streq_ptr(disk->source.path, def->disks[i].name))
            return &def->disks[i];
    return NULL;
}

static int check_names(const DomainDef *live, const SnapshotDef *def, Error **reterr) {
    for (size_t i = 0; i < def->n_disks; i++) {
        unsigned n = 0;

        for (size_t k = 0; k < live->n_disks; k++)
            n += said_of(def, &live->disks[k]) == &def->disks[i];
        if (n == 0)
            return error_report(reterr, FROM_DOMAIN_SNAPSHOT, ERROR_CONFIG_UNSUPPORTED,
                                "no disk named '%.100s'", def->disks[i].name);
    }
    return 0;
}

/* Whether the disk takes part, by what is said of it here or in its own definition. */
static SnapshotPlace place_of(const DiskDef *disk, const SnapshotDisk *said) {
    if (said && said->place != SNAPSHOT_UNSAID)
        return said->place;
    if (disk->snapshot && streq(disk->snapshot, "internal"))
        return SNAPSHOT_INTERNAL;
    return disk->readonly || !storage_is_there(&disk->source) ||
                   (disk->snapshot && streq(disk->snapshot, "no"))
               ? SNAPSHOT_NO
               : SNAPSHOT_EXTERNAL;
}

static int check_disk(const Domain *domain, const DiskDef *disk, const SnapshotDisk *said,
                      Error **reterr) {
    const StorageSource *source = &disk->source;
    const DiskFormat format = said ? said->source.format : DISK_FORMAT_NONE_;

    if (place_of(disk, said) == SNAPSHOT_INTERNAL)
        return refuse(reterr, "a snapshot inside of the image of a disk is not made here: use "
                              "snapshot='external'");
    if (disk_encryption(disk))
        return refuse(reterr, "an encrypted disk gets no snapshot here");
    if (disk->device == DISK_DEVICE_LUN || disk->device == DISK_DEVICE_CDROM || disk->readonly)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "disk '%s' cannot have a new image above it: the guest does not write "
                            "to an image of its own there",
                            disk->target);
    if (disk->shareable)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "disk '%s' is shared: a new image above it would be this domain's "
                            "alone; leave it out by snapshot='no'",
                            disk->target);
    if ((source->type != DISK_FILE && source->type != DISK_BLOCK) || !source->path)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "external snapshots are made here of disks in files and block "
                            "devices, which disk '%s' is not",
                            disk->target);
    if (format != DISK_FORMAT_NONE_ && format != DISK_FORMAT_QCOW2)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "external snapshot format for disk %s is unsupported: %s", disk->target,
                            words_name(&disk_formats, format));
    if (said && said->source.path && said->source.type != DISK_FILE &&
        said->source.type != DISK_BLOCK)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "the new image of disk '%s' is a file or a block device here",
                            disk->target);
    return block_job_check_disk(domain, disk->target, reterr);
}

/* "/images/vda.qcow2" becomes "/images/vda.NAME". */
static char *make_path(const char *source, const char *name) {
    const char *slash = strrchr(source, '/'), *dot = strrchr(source, '.');
    size_t len = dot && dot > slash ? (size_t)(dot - source) : strlen(source);

    return strf("%.*s.%s", (int)len, source, name);
}

static int add_overlay(Taking *taking, const DiskDef *disk, const SnapshotDisk *said,
                       Error **reterr) {
    Overlay *to = array_append(&taking->overlays, &taking->n, sizeof(Overlay));

    if (!to)
        return error_no_memory(reterr);
    to->disk = strdup(disk->target);
    to->source.format = DISK_FORMAT_QCOW2;
    to->source.type = said && said->source.path ? said->source.type : DISK_FILE;
    if (!(said && said->source.path) && disk->source.type != DISK_FILE)
        return error_report(reterr, FROM_DOMAIN_SNAPSHOT, ERROR_CONFIG_UNSUPPORTED,
                            "cannot generate external snapshot name for disk '%s' on a '%s' device",
                            disk->target, words_name(&disk_types, (int)disk->source.type));
    to->source.path = said && said->source.path ? strdup(said->source.path)
                                                : make_path(disk->source.path, taking->def->name);
    return to->disk && to->source.path ? 0 : error_no_memory(reterr);
}

static int choose_disks(Taking *taking, Error **reterr) {
    const DomainDef *live = taking->domain->run->live;
    int r = check_names(live, taking->def, reterr);

    for (size_t i = 0; r >= 0 && i < live->n_disks; i++) {
        const SnapshotDisk *said = said_of(taking->def, &live->disks[i]);

        if (place_of(&live->disks[i], said) == SNAPSHOT_NO)
            continue;
        r = check_disk(taking->domain, &live->disks[i], said, reterr);
        if (r >= 0)
            r = add_overlay(taking, &live->disks[i], said, reterr);
    }
    if (r >= 0 && taking->n == 0)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "nothing selected for snapshot");
    for (size_t i = 0; r >= 0 && i < taking->n; i++)
        for (size_t k = 0; k < i; k++)
            if (streq(taking->overlays[i].source.path, taking->overlays[k].source.path))
                return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                    "disks '%s' and '%s' cannot have one new image, '%s'",
                                    taking->overlays[k].disk, taking->overlays[i].disk,
                                    taking->overlays[i].source.path);
    return r;
}

int snapshot_choose(Taking *taking, Error **reterr) {
    int r = check_flags(taking->def, taking->flags, reterr);

    return r < 0 ? r : choose_disks(taking, reterr);
}
