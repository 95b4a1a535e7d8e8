/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A snapshot of a domain's disks, as its XML says it. */
#pragma once

#include "conf/storage.h"

#define SNAPSHOT_XML_MAX ((size_t)4 << 20)

/* How a disk takes part, or the memory: nothing said, not at all, inside of its own image, in a new
 * image above it. */
typedef enum SnapshotPlace {
    SNAPSHOT_UNSAID,
    SNAPSHOT_NO,
    SNAPSHOT_INTERNAL,
    SNAPSHOT_EXTERNAL,
    SNAPSHOT_MANUAL, /* read as SNAPSHOT_NO */
} SnapshotPlace;

typedef struct SnapshotDisk {
    char *name; /* a disk's target or source */
    SnapshotPlace place;
    StorageSource source; /* of the new image */
} SnapshotDisk;

typedef struct SnapshotDef {
    char *name; /* NULL: not given */
    char *description;
    SnapshotPlace memory;
    char *memory_file;
    SnapshotDisk *disks;
    size_t n_disks;
} SnapshotDef;

/* ERROR_XML and its kin. The caller frees. */
int snapshot_parse(const char *xml, size_t len, SnapshotDef **ret, Error **reterr);

SnapshotDef *snapshot_def_free(SnapshotDef *def);
DEFINE_CLEANUP(SnapshotDef *, snapshot_def_free)
#define CLEANUP_SNAPSHOT_DEF CLEANUP(snapshot_def_freep)
