/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory as a whole: <memoryBacking>, <memtune>, <blkiotune>. */
#pragma once

#include "conf/element.h"

typedef struct HugepageDef {
    uint64_t size; /* KiB */
    Bitmap *nodes; /* cells; NULL: all */
} HugepageDef;

typedef struct MemoryBackingDef {
    bool has_hugepages;
    HugepageDef *pages;
    size_t n_pages;
    bool nosharepages, locked, discard;
    char *source;     /* file, anonymous, memfd */
    char *access;     /* shared, private */
    char *allocation; /* immediate, ondemand */
    unsigned allocation_threads;
} MemoryBackingDef;

/* KiB. A limit of 0 is one that somebody wrote; nothing holds who has none. */
#define MEMTUNE_UNLIMITED UINT64_C(9007199254740991) /* libvirt's word for no limit */
typedef struct MemtuneDef {
    bool has_hard, has_soft, has_swap;
    uint64_t hard, soft, swap, min_guarantee;
} MemtuneDef;

typedef struct BlkioDevice {
    char *path;
    unsigned weight;
    uint64_t read_iops_sec, write_iops_sec, read_bytes_sec, write_bytes_sec;
} BlkioDevice;

typedef struct BlkiotuneDef {
    unsigned weight;
    BlkioDevice *devices;
    size_t n_devices;
} BlkiotuneDef;

extern const Field memory_backing_fields[], memtune_fields[], blkiotune_fields[];
