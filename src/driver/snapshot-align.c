/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/snapshot-align.h"

#include "util/file.h"

static SnapshotDisk *said_of(const SnapshotDef *def, const DiskDef *disk) {
    for (size_t i = 0; i < def->n_disks; i++)
        if (streq(def->disks[i].name, disk->target) ||
            streq_ptr(disk->source.path, def->disks[i].name))
            return &def->disks[i];
    return NULL;
}

static int check_names(const DomainDef *domain, const SnapshotDef *def, Error **reterr) {
    for (size_t i = 0; i < def->n_disks; i++) {
        unsigned n = 0;

        for (size_t k = 0; k < domain->n_disks; k++)
            n += said_of(def, &domain->disks[k]) == &def->disks[i];
        if (n == 0)
            return error_report(reterr, FROM_DOMAIN_SNAPSHOT, ERROR_CONFIG_UNSUPPORTED,
                                "no disk named '%.100s'", def->disks[i].name);
    }
    return 0;
}

/* Whether the disk takes part when nothing is said of it. */
static SnapshotPlace place_of(const DiskDef *disk, SnapshotPlace usual) {
    if (!storage_is_there(&disk->source))
        return SNAPSHOT_NO;
    if (!disk->snapshot)
        return disk->readonly ? SNAPSHOT_NO : usual;
    return streq(disk->snapshot, "internal")   ? SNAPSHOT_INTERNAL
           : streq(disk->snapshot, "external") ? SNAPSHOT_EXTERNAL
                                               : SNAPSHOT_NO;
}

/* "/images/vda.qcow2" becomes "/images/vda.NAME". */
static char *make_path(const char *source, const char *name) {
    const char *slash = strrchr(source, '/'), *dot = strrchr(source, '.');
    size_t len = dot && dot > slash ? (size_t)(dot - source) : strlen(source);

    return strf("%.*s.%s", (int)len, source, name);
}

static int name_image(const SnapshotDef *def, const DiskDef *disk, SnapshotDisk *to,
                      Error **reterr) {
    if (to->source.path)
        return 0;
    if (disk->source.type != DISK_FILE || !disk->source.path)
        return error_report(reterr, FROM_DOMAIN_SNAPSHOT, ERROR_CONFIG_UNSUPPORTED,
                            "cannot generate external snapshot name for disk '%s' on a '%s' device",
                            disk->target, words_name(&disk_types, (int)disk->source.type));
    to->source.type = DISK_FILE;
    to->source.path = make_path(disk->source.path, def->name);
    return to->source.path ? 0 : error_no_memory(reterr);
}

static int align_disk(const SnapshotDef *def, const DiskDef *disk, SnapshotPlace usual, bool must,
                      SnapshotDisk *to, Error **reterr) {
    SnapshotDisk *said = said_of(def, disk);
    char *name;

    if (said) { /* all of it moves */
        *to = *said;
        *said = (SnapshotDisk){.name = strdup("")};
        if (!said->name)
            return error_no_memory(reterr);
    }
    name = strdup(disk->target);
    free(to->name);
    to->name = name;
    if (!name)
        return error_no_memory(reterr);
    if (to->place != SNAPSHOT_UNSAID && must && to->place != usual)
        return error_report(reterr, FROM_DOMAIN_SNAPSHOT, ERROR_CONFIG_UNSUPPORTED,
                            "disk '%s' must use snapshot mode '%s'", disk->target,
                            usual == SNAPSHOT_INTERNAL ? "internal" : "external");
    if (to->place == SNAPSHOT_UNSAID)
        to->place = place_of(disk, usual);
    if (to->place != SNAPSHOT_EXTERNAL) {
        to->source.type = DISK_TYPE_NONE_;
        return 0;
    }
    if (to->source.format == DISK_FORMAT_NONE_)
        to->source.format = DISK_FORMAT_QCOW2;
    return name_image(def, disk, to, reterr);
}

int snapshot_align(SnapshotDef *def, const DomainDef *domain, SnapshotPlace usual, bool must,
                   Error **reterr) {
    SnapshotDisk *all = calloc(domain->n_disks + 1, sizeof(SnapshotDisk));
    SnapshotDisk *said = def->disks;
    const size_t n_said = def->n_disks;
    int r = all ? check_names(domain, def, reterr) : error_no_memory(reterr);

    if (r < 0) {
        free(all);
        return r;
    }
    for (size_t i = 0; r >= 0 && i < domain->n_disks; i++)
        r = align_disk(def, &domain->disks[i], usual, must, &all[i], reterr);
    /* What was said has moved, or is freed with what is left. */
    for (size_t i = 0; i < n_said; i++)
        snapshot_disk_done(&said[i]);
    free(said);
    def->disks = all;
    def->n_disks = domain->n_disks;
    return r;
}
