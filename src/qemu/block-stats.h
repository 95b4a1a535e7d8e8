/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU says of a machine's disks: query-blockstats and query-block, by the alias of the device
 * ("virtio-disk0"). Pure: replies in, structs out. */
#pragma once

#include <json-c/json.h>

#include "util/macro.h"

typedef enum BlockError {
    BLOCK_ERROR_NONE = 0,
    BLOCK_ERROR_IO = 1,
    BLOCK_ERROR_SPACE = 2
} BlockError;

typedef struct BlockStats {
    char *alias;
    uint64_t rd_reqs, rd_bytes, rd_ns;
    uint64_t wr_reqs, wr_bytes, wr_ns;
    uint64_t fl_reqs, fl_ns;
    uint64_t errors;               /* of all three kinds */
    uint64_t capacity, allocation; /* bytes; of the image, of its file */
    bool has_sizes;
    BlockError error; /* what stopped it; libvirt's virDomainDiskErrorCode */
} BlockStats;

typedef struct BlockStatsList {
    BlockStats *list;
    size_t n;
} BlockStatsList;

/* Either reply may be NULL: what only it says is missing. What does not look as it should is left
 * out. -ENOMEM. */
int block_stats_parse(json_object *blockstats, json_object *block, BlockStatsList *ret);
/* Where the node of that name tells of writes, in a reply of query-named-block-nodes; 0: nowhere.
 */
uint64_t block_stats_threshold(json_object *nodes, const char *node);
void block_stats_done(BlockStatsList *stats);
/* NULL: QEMU has no such device. */
const BlockStats *block_stats_find(const BlockStatsList *stats, const char *alias);
