/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of a snapshot that is being made. Job held, on a fiber. */
#pragma once

#include <json-c/json.h>

#include "conf/snapshot.h"
#include "domain/domain.h"
#include "qemu/devices/device.h"

/* New images above those of the disks, on their way. */
typedef struct Taking {
    Domain *domain;
    const SnapshotDef *def; /* aligned; the caller's */
    DomainDef *next;        /* the definition as it will be: the live one, if it runs */
    Overlay *overlays;
    size_t n;        /* of the overlays */
    size_t n_made;   /* files that are there */
    size_t n_placed; /* given to QEMU's user */
    size_t n_added;  /* nodes that QEMU has, two for each */
    bool is_written; /* the persistent definition has the overlays */
    unsigned flags;
    DeviceSteps steps;
} Taking;

void taking_done(Taking *taking); /* what it owns */

/* Which disks of an aligned one get new images, and where those are (snapshot-choose.c). */
int snapshot_choose(Taking *taking, Error **reterr);

/* New images above those of a domain that runs (snapshot-disks.c). After an error all is as before,
 * but when *ret_unknown: snapshot_settle_soon has to follow. flags: SNAPSHOT_REUSE_EXT, QUIESCE. */
int snapshot_take_disks(Domain *domain, const SnapshotDef *def, unsigned flags, bool *ret_unknown,
                        Error **reterr);
/* The same of one that does not run (snapshot-off.c). After an error all is as before. */
int snapshot_take_disks_off(Domain *domain, const SnapshotDef *def, unsigned flags, Error **reterr);
