/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A snapshot of a domain, as its XML says it: of its disks, and maybe of its guest's memory. */
#pragma once

#include "conf/domain-parse.h"
#include "conf/storage.h"

#define SNAPSHOT_XML_MAX ((size_t)4 << 20)
/* Of one that is kept: with two definitions of the domain. */
#define SNAPSHOT_KEPT_XML_MAX (3 * SNAPSHOT_XML_MAX)

/* How a disk takes part, or the memory: nothing said, not at all, inside of its own image, in a new
 * image above it. */
typedef enum SnapshotPlace {
    SNAPSHOT_UNSAID,
    SNAPSHOT_NO,
    SNAPSHOT_INTERNAL,
    SNAPSHOT_EXTERNAL,
    SNAPSHOT_MANUAL, /* read as SNAPSHOT_NO */
} SnapshotPlace;

/* What the domain did at that moment: libvirt's virDomainSnapshotState. */
typedef enum SnapshotState {
    SNAPSHOT_STATE_NONE,
    SNAPSHOT_RUNNING = 1,
    SNAPSHOT_PAUSED = 3,
    SNAPSHOT_SHUTOFF = 5,
    SNAPSHOT_PMSUSPENDED = 7,
    SNAPSHOT_DISKS = 8, /* it ran, and its memory is no part of the snapshot */
} SnapshotState;

typedef struct SnapshotDisk {
    char *name; /* a disk's target or source */
    SnapshotPlace place;
    StorageSource source; /* of the new image */
} SnapshotDisk;

typedef struct SnapshotDef {
    char *name; /* NULL: not given */
    char *description;
    SnapshotState state;
    char *parent;    /* NULL: it has none */
    int64_t created; /* seconds since 1970 */
    bool has_created;
    SnapshotPlace memory;
    char *memory_file;
    SnapshotDisk *disks;
    size_t n_disks;
    DomainDef *domain;   /* as it was; NULL: nobody knows */
    DomainDef *inactive; /* of one that ran: as it would have started next; or NULL */
} SnapshotDef;

/* ERROR_XML and its kin. What it says of the domain is passed over. The caller frees. */
int snapshot_parse(const char *xml, size_t len, SnapshotDef **ret, Error **reterr);
/* The same with the definitions of the domain; of its first SNAPSHOT_KEPT_XML_MAX bytes. */
int snapshot_parse_whole(const char *xml, size_t len, const DomainParseParams *params,
                         SnapshotDef **ret, Error **reterr);
/* The same of a tree's <domainsnapshot>, which is changed. */
int snapshot_parse_node(xmlNodePtr node, const DomainParseParams *params, SnapshotDef **ret,
                        Error **reterr);
/* The text, newline-terminated; `secrets`: with passwords. -ENOMEM. Caller frees. */
int snapshot_format(const SnapshotDef *def, unsigned indent, bool secrets, char **ret);

/* Whether the definitions in it, if any, have that uuid (16 bytes). */
bool snapshot_is_of(const SnapshotDef *def, const uint8_t *uuid);
/* Whether any part of it is outside of the domain's own images. */
bool snapshot_is_external(const SnapshotDef *def);
/* Whether its guest's memory is in it. */
static inline bool snapshot_has_memory(const SnapshotDef *def) {
    return def->state == SNAPSHOT_RUNNING || def->state == SNAPSHOT_PAUSED;
}

/* Frees what it owns. */
void snapshot_disk_done(SnapshotDisk *disk);
SnapshotDef *snapshot_def_free(SnapshotDef *def);
DEFINE_CLEANUP(SnapshotDef *, snapshot_def_free)
#define CLEANUP_SNAPSHOT_DEF CLEANUP(snapshot_def_freep)
