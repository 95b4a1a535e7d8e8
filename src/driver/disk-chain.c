/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/disk-chain.h"

#include <stdlib.h>

#include "domain/services.h"
#include "driver/named-files.h"
#include "qemu/block-graph.h"
#include "qemu/devices/device.h"
#include "qemu/fill.h"
#include "util/file.h"

StorageSource *chain_at(const DiskDef *disk, size_t place) {
    BackingStore *at = disk->backing;

    if (place == 0)
        return storage_is_there(&disk->source) ? (StorageSource *)&disk->source : NULL;
    while (at && --place > 0)
        at = at->next;
    return at && storage_is_there(&at->source) ? &at->source : NULL;
}

unsigned chain_index(const DiskDef *disk, size_t place) {
    const BackingStore *at = disk->backing;

    if (place == 0)
        return disk->source.index;
    while (at && --place > 0)
        at = at->next;
    return at ? at->index : 0;
}

size_t chain_length(const DiskDef *disk) {
    size_t n = 0;

    while (chain_at(disk, n))
        n++;
    return n;
}

int chain_place(const DiskDef *disk, unsigned index) {
    for (size_t place = 0; index > 0 && chain_at(disk, place); place++)
        if (chain_index(disk, place) == index)
            return (int)place;
    return -ENOENT;
}

/* What follows the last image: NULL when nothing is said of it. */
static BackingStore **end_of(DiskDef *disk) {
    BackingStore **at = &disk->backing;

    while (*at && storage_is_there(&(*at)->source))
        at = &(*at)->next;
    return at;
}

bool chain_is_closed(const DiskDef *disk) {
    const size_t n = chain_length(disk);

    return *end_of((DiskDef *)disk) != NULL ||
           (n > 0 && chain_at(disk, n - 1)->format == DISK_FORMAT_RAW);
}

int chain_find(const DiskDef *disk, const char *name) {
    const size_t len = strlen(disk->target);
    char *end;

    if (strncmp(name, disk->target, len) == 0 && name[len] == '[') {
        unsigned long index = strtoul(name + len + 1, &end, 10);

        return streq(end, "]") && index <= UINT32_MAX ? chain_place(disk, (unsigned)index)
                                                      : -ENOENT;
    }
    for (size_t place = 0; chain_at(disk, place); place++)
        if (streq_ptr(chain_at(disk, place)->path, name))
            return (int)place;
    return -ENOENT;
}

DiskDef *chain_disk(const DomainDef *def, const char *target) {
    for (size_t i = 0; i < def->n_disks; i++)
        if (streq(def->disks[i].target, target))
            return &def->disks[i];
    return NULL;
}

char *chain_overlay_path(const char *image, const char *domain) {
    return strf("%s.TRANSIENT-%s", image, domain);
}

bool chain_has_overlay(const DiskDef *disk, const char *domain) {
    const StorageSource *below = disk->transient ? chain_at(disk, 1) : NULL;
    CLEANUP_FREE char *path = below && below->path ? chain_overlay_path(below->path, domain) : NULL;

    return path && streq_ptr(path, disk->source.path);
}

/* ---- what QEMU has below ---- */

static BackingStore *append(DiskDef *disk) {
    BackingStore **end = end_of(disk);

    if (!*end)
        *end = calloc(1, sizeof(BackingStore));
    return *end;
}

static bool has_node(const DiskDef *disk, const char *node) {
    for (size_t place = 0; chain_at(disk, place); place++)
        if (streq_ptr(chain_at(disk, place)->node, node))
            return true;
    return false;
}

/* The image that stands below the last one. 1: it is in the definition now, 0: there is none that
 * may be. */
static int learn_one(const Domain *domain, DiskDef *disk, json_object *nodes) {
    const StorageSource *last = chain_at(disk, chain_length(disk) - 1);
    BlockNode above, below;
    BackingStore *to;
    unsigned n;

    if (!block_node_find(nodes, last->node, &above))
        return 0;
    if (!above.backing)
        return append(disk) ? 0 : -ENOMEM;
    n = block_node_by_file(nodes, above.backing, &below);
    if (n != 1 || chain_length(disk) >= CHAIN_MAX || has_node(disk, below.name) ||
        !named_files_may_be_below(domain->services->storage, last->path, above.backing))
        return 0;
    to = append(disk);
    if (!to)
        return -ENOMEM;
    to->source = (StorageSource){.type = DISK_FILE,
                                 .format = streq(below.driver, "raw") ? DISK_FORMAT_RAW
                                                                      : DISK_FORMAT_QCOW2,
                                 .path = strdup(below.file),
                                 .node = strdup(below.name)};
    return to->source.path && to->source.node ? 1 : -ENOMEM;
}

static bool is_local(const StorageSource *source) {
    return source && source->path && source->node &&
           (source->type == DISK_FILE || source->type == DISK_BLOCK);
}

int chain_complete(const Domain *domain, DomainDef *copy, DiskDef *disk, json_object *nodes) {
    int r = device_name_nodes(disk);

    while (r >= 0 && !chain_is_closed(disk) && is_local(chain_at(disk, chain_length(disk) - 1))) {
        r = learn_one(domain, disk, nodes);
        if (r == 0)
            break;
    }
    if (r >= 0 && chain_is_closed(disk) && !append(disk)) /* below a raw image */
        r = -ENOMEM;
    qemu_number_sources(copy);
    return MIN_OF(r, 0);
}

/* ---- changes ---- */

static BackingStore *take_top(DiskDef *disk) {
    BackingStore *old = calloc(1, sizeof(BackingStore));

    if (!old)
        return NULL;
    old->source = disk->source;
    old->index = disk->source.index;
    old->source.index = 0;
    old->metadata_cache = disk->metadata_cache;
    old->next = disk->backing;
    disk->backing = old;
    disk->source = (StorageSource){0};
    return old;
}

static int copy_labels(StorageSource *to, const StorageSource *from) {
    for (size_t i = 0; i < from->n_seclabels; i++) {
        DeviceSeclabel *label = array_append(&to->seclabels, &to->n_seclabels,
                                             sizeof(DeviceSeclabel));

        if (!label || element_copy(&device_seclabel_element, &from->seclabels[i], label) < 0)
            return -ENOMEM;
    }
    return 0;
}

int chain_push(DiskDef *disk, StorageSource *source, unsigned index) {
    BackingStore *old = take_top(disk);

    if (!old) {
        BackingStore *dropped = calloc(1, sizeof(BackingStore));

        if (dropped)
            dropped->source = *source;
        chain_free(dropped);
        return -ENOMEM;
    }
    disk->source = *source;
    *source = (StorageSource){0};
    disk->source.index = index;
    return copy_labels(&disk->source, &old->source);
}

void chain_free(BackingStore *list) {
    if (list)
        element_done(&backing_store_element, list);
    free(list);
}

/* Where the pointer to the image of that place is, from 1 on. */
static BackingStore **slot_of(DiskDef *disk, size_t place) {
    BackingStore **at = &disk->backing;

    while (--place > 0 && *at && storage_is_there(&(*at)->source))
        at = &(*at)->next;
    return at;
}

int chain_drop(DiskDef *disk, size_t from, size_t to, BackingStore **ret) {
    const size_t n = chain_length(disk);
    const bool all = to >= n;
    BackingStore *end = all ? calloc(1, sizeof(BackingStore)) : NULL;
    BackingStore **first, **last, *rest;

    *ret = NULL;
    assert(from < n && from < to && (from > 0 || !all));
    if (all && !end)
        return -ENOMEM;
    if (from == 0 && !take_top(disk)) /* the source comes down by one */
        return -ENOMEM;
    first = from == 0 ? &disk->backing : slot_of(disk, from);
    last = slot_of(disk, (all ? n : to) + (from == 0));
    rest = *last;
    *ret = *first;
    *last = NULL;
    *first = all ? end : rest;
    if (all)
        chain_free(rest);
    if (from == 0) {
        rest = disk->backing;
        disk->source = rest->source;
        disk->source.index = rest->index;
        disk->metadata_cache = rest->metadata_cache;
        disk->backing = rest->next;
        free(rest);
    }
    return 0;
}

/* ---- the persistent definition ---- */

static void strip(StorageSource *source) {
    source->index = 0;
    free(TAKE_PTR(source->node));
}

static int copy_below(DiskDef *config, const DiskDef *live) {
    BackingStore *copy = live->backing ? calloc(1, sizeof(BackingStore)) : NULL;

    if (live->backing && (!copy || element_copy(&backing_store_element, live->backing, copy) < 0)) {
        free(copy);
        return -ENOMEM;
    }
    for (BackingStore *at = copy; at; at = at->next) {
        strip(&at->source);
        at->index = 0;
    }
    chain_free(config->backing);
    config->backing = copy;
    return 0;
}

int chain_copy_to_config(DiskDef *config, const DiskDef *live, bool whole) {
    const BackingStore top = {.source = live->source};
    BackingStore copy, old = {.source = config->source};

    if (copy_below(config, live) < 0)
        return -ENOMEM;
    if (!whole)
        return 0;
    if (element_copy(&backing_store_element, &top, &copy) < 0)
        return -ENOMEM;
    strip(&copy.source);
    config->source = copy.source;
    element_done(&backing_store_element, &old);
    return 0;
}
