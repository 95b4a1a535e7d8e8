/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/volume-source.h"

/* What is in no image format is its bytes ("iso"). */
static DiskFormat format_of(const VolumeDef *volume) {
    const int format = volume->format ? words_find(&disk_formats, volume->format) : -ENOENT;

    return format > 0 ? (DiskFormat)format : DISK_FORMAT_RAW;
}

int volume_source_resolve_disk(const Storage *storage, DiskDef *disk, Error **reterr) {
    StorageSource *source = &disk->source;
    const Pool *pool;
    const VolumeDef *volume;
    char *path;
    int r;

    if (source->type != DISK_VOLUME)
        return 0;
    pool = storage_pool_by_name(storage, source->pool, reterr);
    if (!pool)
        return -ENOENT;
    r = pool_check_active(pool, reterr);
    if (r < 0)
        return r;
    volume = pool_volume(pool, source->volume, reterr);
    if (!volume)
        return -ENOENT;
    path = strdup(volume->path);
    if (!path)
        return error_no_memory(reterr);
    free(source->path);
    source->path = path;
    if (source->format == DISK_FORMAT_NONE_)
        source->format = format_of(volume);
    return 0;
}

int volume_source_resolve(const Storage *storage, DomainDef *def, Error **reterr) {
    int r = 0;

    for (size_t i = 0; r >= 0 && i < def->n_disks; i++)
        r = volume_source_resolve_disk(storage, &def->disks[i], reterr);
    return r;
}
