/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* New images above those of a domain that does not run. Its definition has them from one moment to
 * the next; until then they are files that nobody uses. */
#include "driver/disk-chain.h"
#include "driver/snapshot-file.h"
#include "driver/snapshot-internal.h"
#include "driver/snapshot-settle.h"
#include "qemu/image.h"
#include "util/libvirt-numbers.h"
#include "util/log.h"

static const char *format_of(const StorageSource *source) {
    return words_name(&disk_formats, source->format ? source->format : DISK_FORMAT_RAW);
}

/* As large as what is below it. */
static int make_file(const Taking *taking, Overlay *overlay, Error **reterr) {
    CLEANUP_IMAGE_INFO ImageInfo info = {0};
    const DiskDef *disk = chain_disk(taking->domain->config, overlay->disk);
    SnapshotFile file = {.disk = overlay->disk,
                         .path = overlay->source.path,
                         .backing = disk->source.path,
                         .backing_format = format_of(&disk->source),
                         .reuse = taking->flags & SNAPSHOT_REUSE_EXT,
                         .is_node = overlay->source.type == DISK_BLOCK};
    int r = snapshot_file_look(&file, reterr);

    if (r < 0)
        return r;
    overlay->is_made = file.is_made;
    r = image_info(disk->source.path, format_of(&disk->source), &info, reterr);
    file.size = info.virtual_size;
    if (r >= 0)
        r = snapshot_file_make(&file, reterr);
    if (r < 0 && !file.reuse)
        snapshot_file_undo(file.path, file.is_made);
    return r;
}

static int make_files(Taking *taking, Error **reterr) {
    int r = 0;

    for (; r >= 0 && taking->n_made < taking->n; taking->n_made += r >= 0)
        r = make_file(taking, &taking->overlays[taking->n_made], reterr);
    return r;
}

static int change(Taking *taking, Error **reterr) {
    taking->next = domain_def_copy(taking->domain->config);
    if (!taking->next)
        return error_no_memory(reterr);
    for (size_t i = 0; i < taking->n; i++) {
        Overlay *overlay = &taking->overlays[i];
        DiskDef *disk = chain_disk(taking->next, overlay->disk);
        StorageSource source = {.type = overlay->source.type,
                                .format = overlay->source.format,
                                .path = strdup(overlay->source.path)};

        if (!source.path || chain_push(disk, &source, 0) < 0)
            return error_no_memory(reterr);
        if (chain_length(disk) > CHAIN_MAX)
            return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                                "disk '%s' has as many images as there may be", overlay->disk);
    }
    return 0;
}

int snapshot_take_disks_off(Domain *domain, const SnapshotDef *def, unsigned flags,
                            Error **reterr) {
    CLEANUP(taking_done) Taking taking = {.domain = domain, .def = def, .flags = flags};
    int r = snapshot_choose(&taking, reterr);

    assert(domain_job_is_mine(domain) && !domain->run);
    if (r >= 0)
        r = change(&taking, reterr);
    if (r >= 0)
        r = make_files(&taking, reterr);
    if (r >= 0)
        r = snapshot_write_config(domain, TAKE_PTR(taking.next), false, reterr);
    for (size_t i = 0; r < 0 && !(flags & SNAPSHOT_REUSE_EXT) && i < taking.n_made; i++)
        snapshot_file_undo(taking.overlays[i].source.path, taking.overlays[i].is_made);
    return r;
}
