/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which disks get new images. */
#include "driver/block-job-check.h"
#include "driver/disk-chain.h"
#include "driver/snapshot-internal.h"

void taking_done(Taking *taking) {
    domain_def_free(taking->next);
    for (size_t i = 0; i < taking->n; i++)
        overlay_done(&taking->overlays[i]);
    free(taking->overlays);
    device_steps_done(&taking->steps);
}

static int refuse(Error **reterr, const char *what) {
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED, "%s", what);
}

static int check_disk(const Domain *domain, const DiskDef *disk, const SnapshotDisk *said,
                      Error **reterr) {
    const StorageSource *source = &disk->source;
    const DiskFormat format = said->source.format;

    if (domain->run && block_check_transient(disk, reterr) < 0)
        return -EINVAL;
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
    if ((source->type != DISK_FILE && source->type != DISK_BLOCK) || !source->path ||
        *source->path != '/')
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "external snapshots are made here of disks in files and block "
                            "devices with an absolute path, which disk '%s' is not",
                            disk->target);
    if (format != DISK_FORMAT_QCOW2)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "external snapshot format for disk %s is unsupported: %s", disk->target,
                            words_name(&disk_formats, format));
    if (said->source.type != DISK_FILE && said->source.type != DISK_BLOCK)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "the new image of disk '%s' is a file or a block device here",
                            disk->target);
    return block_job_check_disk(domain, disk->target, reterr);
}

static int add_overlay(Taking *taking, const SnapshotDisk *said, Error **reterr) {
    Overlay *to = array_append(&taking->overlays, &taking->n, sizeof(Overlay));

    if (!to)
        return error_no_memory(reterr);
    to->disk = strdup(said->name);
    to->source.format = said->source.format;
    to->source.type = said->source.type;
    to->source.path = strdup(said->source.path);
    return to->disk && to->source.path ? 0 : error_no_memory(reterr);
}

static int check_same(const Taking *taking, Error **reterr) {
    for (size_t i = 0; i < taking->n; i++)
        for (size_t k = 0; k < i; k++)
            if (streq(taking->overlays[i].source.path, taking->overlays[k].source.path))
                return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                    "disks '%s' and '%s' cannot have one new image, '%s'",
                                    taking->overlays[k].disk, taking->overlays[i].disk,
                                    taking->overlays[i].source.path);
    return 0;
}

int snapshot_choose(Taking *taking, Error **reterr) {
    const DomainDef *domain = domain_def(taking->domain);
    const SnapshotDef *def = taking->def;
    int r = 0;

    for (size_t i = 0; r >= 0 && i < def->n_disks; i++) {
        const SnapshotDisk *said = &def->disks[i];

        if (said->place == SNAPSHOT_INTERNAL)
            return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                taking->domain->run
                                    ? "active qemu domains require external disk snapshots; disk "
                                      "%s requested internal"
                                    : "mixing internal and external targets for a snapshot is not "
                                      "yet supported (disk %s)",
                                said->name);
        if (said->place != SNAPSHOT_EXTERNAL)
            continue;
        r = check_disk(taking->domain, chain_disk(domain, said->name), said, reterr);
        if (r >= 0)
            r = add_overlay(taking, said, reterr);
    }
    if (r >= 0 && taking->n == 0)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "nothing selected for snapshot");
    return r < 0 ? r : check_same(taking, reterr);
}
