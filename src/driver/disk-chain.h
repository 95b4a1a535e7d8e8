/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The images of a disk, the topmost first: place 0 is the disk's own source, place 1 the first
 * <backingStore>, and so on. Changes of them in a definition; QEMU is only asked what is there. */
#pragma once

#include <json-c/json.h>

#include "domain/domain.h"

/* A disk has no more images than that, as with libvirt. The XML of many more, each inside of the
 * one above it, could not be read again (ELEMENT_DEPTH_MAX), and neither could QEMU's answers about
 * them (QMP_DEPTH_MAX), which have ten levels beside those of the images. */
#define CHAIN_MAX ((size_t)200)

/* NULL beyond the end. Borrowed. */
StorageSource *chain_at(const DiskDef *disk, size_t place);
/* The number it is known by while the domain runs ("vda[3]"); 0: none, or beyond the end. */
unsigned chain_index(const DiskDef *disk, size_t place);
/* How many images there are, the disk's own source counted. */
size_t chain_length(const DiskDef *disk);
/* The place of the image with that number; -ENOENT. */
int chain_place(const DiskDef *disk, unsigned index);
/* Whether nothing is below the last of them, for all that the definition says. */
bool chain_is_closed(const DiskDef *disk);
/* The place of the image that a client means: "vda[3]", or the path as it is written. -ENOENT. */
int chain_find(const DiskDef *disk, const char *name);
/* The disk of a definition with that target; NULL: it has none. Borrowed. */
DiskDef *chain_disk(const DomainDef *def, const char *target);

/* The overlay of a transient disk with that image ("IMAGE.TRANSIENT-DOMAIN"), as libvirt calls it.
 * Caller frees; NULL: out of memory. */
char *chain_overlay_path(const char *image, const char *domain);
/* Whether the disk's source is that overlay above its image. */
bool chain_has_overlay(const DiskDef *disk, const char *domain);

/* Brings the disk of a copy of the live definition to where its chain can change: all nodes have
 * their names, images that QEMU opened by itself are there, as far as they are in a place where a
 * header may name one (driver/named-files.h), and all have numbers. `nodes` is a reply of
 * query-named-block-nodes. -ENOMEM. */
int chain_complete(const Domain *domain, DomainDef *copy, DiskDef *disk, json_object *nodes);
/* Makes `source` (whose texts it takes in every case) the topmost image. -ENOMEM. */
int chain_push(DiskDef *disk, StorageSource *source, unsigned index);
/* Takes the images of places [from, to) out; `to` beyond the end: all that are there, and the chain
 * ends then. *ret gets them: a list without an end that says so; the caller frees it with
 * chain_free. -ENOMEM. */
int chain_drop(DiskDef *disk, size_t from, size_t to, BackingStore **ret);
void chain_free(BackingStore *list);
static inline void chain_freep(BackingStore **list) {
    chain_free(*list);
}
#define CLEANUP_CHAIN CLEANUP(chain_freep)
/* The persistent definition's disk gets the images of the live one, without numbers and nodes, from
 * place 0 (`whole`) or 1 on. -ENOMEM. */
int chain_copy_to_config(DiskDef *config, const DiskDef *live, bool whole);
