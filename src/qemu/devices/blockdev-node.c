/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the block nodes of a disk are called. */
#include "qemu/devices/blockdev-internal.h"

#include <stdio.h>

/* QEMU's names of nodes have at most 31 characters, and up to 14 are added here; an alias of a
 * person's may be longer, the disk's target is not. */
#define BASE_MAX 16u

const char *blockdev_base(const DiskDef *disk) {
    return strlen(disk->info.alias) <= BASE_MAX ? disk->info.alias : disk->target;
}

/* What the node of the chain was called when the disk came; place 0 is the disk's own source. */
static void first_node(const DiskDef *disk, size_t place, char ret[NODE_SIZE]) {
    if (place == 0)
        snprintf(ret, NODE_SIZE, "drive-%.80s", blockdev_base(disk));
    else
        snprintf(ret, NODE_SIZE, "drive-%.64s-%zu", blockdev_base(disk), place);
}

void blockdev_node(const DiskDef *disk, const StorageSource *source, size_t place,
                   char ret[NODE_SIZE]) {
    if (source->node)
        snprintf(ret, NODE_SIZE, "%.90s", source->node);
    else
        first_node(disk, place, ret);
}

void device_storage_node(const DiskDef *disk, const char *node, char ret[NODE_SIZE]) {
    char first[NODE_SIZE];

    first_node(disk, 0, first);
    snprintf(ret, NODE_SIZE, "file-%.80s", streq(node, first) ? blockdev_base(disk) : node);
}

void device_disk_node(const DiskDef *disk, char ret[96]) {
    blockdev_node(disk, &disk->source, 0, ret);
}

void device_disk_storage_node(const DiskDef *disk, char ret[96]) {
    char node[NODE_SIZE];

    device_disk_node(disk, node);
    device_storage_node(disk, node, ret);
}

void blockdev_storage_node(const DiskDef *disk, const StorageSource *source, size_t place,
                           char ret[NODE_SIZE]) {
    char node[NODE_SIZE];

    blockdev_node(disk, source, place, node);
    device_storage_node(disk, node, ret);
}

static int name_source(const DiskDef *disk, StorageSource *source, size_t place) {
    char node[NODE_SIZE];

    if (source->node)
        return 0;
    first_node(disk, place, node);
    source->node = strdup(node);
    return source->node ? 0 : -ENOMEM;
}

int device_name_nodes(DiskDef *disk) {
    size_t place = 0;
    int r = name_source(disk, &disk->source, place);

    for (BackingStore *at = disk->backing; r >= 0 && at && storage_is_there(&at->source);
         at = at->next)
        r = name_source(disk, &at->source, ++place);
    return r;
}
