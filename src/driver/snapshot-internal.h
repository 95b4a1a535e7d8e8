/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of a snapshot of disks. Job held, on a fiber. */
#pragma once

#include <json-c/json.h>

#include "conf/snapshot.h"
#include "domain/domain.h"
#include "qemu/devices/device.h"

/* A snapshot on its way. */
typedef struct Taking {
    Domain *domain;
    SnapshotDef *def;
    DomainDef *next; /* the live definition as it will be */
    Overlay *overlays;
    size_t n;        /* of the overlays */
    size_t n_made;   /* files that are there */
    size_t n_placed; /* given to QEMU's user */
    size_t n_added;  /* nodes that QEMU has, two for each */
    bool is_written; /* the persistent definition has the overlays */
    unsigned flags;
    DeviceSteps steps;
} Taking;

/* Which disks take part, and where their new images are (snapshot-choose.c). */
int snapshot_choose(Taking *taking, Error **reterr);
