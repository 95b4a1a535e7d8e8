/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rates of disks, by all their names, and as QEMU has them. */
#pragma once

#include "conf/disk.h"
#include "domain/domain.h"

/* The numbers of a DiskIotune by libvirt's names, in libvirt's order; group_name is beside them. */
typedef enum IotuneKind {
    IOTUNE_BYTES,
    IOTUNE_IOPS,
    IOTUNE_BYTES_MAX,
    IOTUNE_IOPS_MAX,
    IOTUNE_SIZE,
    IOTUNE_LENGTH, /* each for itself */
} IotuneKind;

typedef struct IotuneParam {
    const char *name;     /* "total_bytes_sec" */
    const char *throttle; /* of a throttle group's limits: "bps-total" */
    const char *backend;  /* of block_set_io_throttle: "bps" */
    size_t offset;        /* in DiskIotune */
    IotuneKind kind;
} IotuneParam;

#define IOTUNE_PARAMS 19u
extern const IotuneParam iotune_params[IOTUNE_PARAMS];

/* Bytes or operations a second, or seconds, by the parameter's kind; 0: no limit. */
uint64_t iotune_value(const DiskIotune *tune, size_t param);
void iotune_set_value(DiskIotune *tune, size_t param, uint64_t value);

/* What a filter of the disk's own is asked for its limits with, qom-get. A disk that started with
 * limits has one, with a group of its own; the others are limited at the device. NULL: no memory.
 * The caller frees. */
struct json_object *disk_rates_filter(const DiskDef *disk);
/* Takes the limits that QEMU has into the live definition, of disks that had or may have some: what
 * QEMU was told and did not answer, it has done by now, or will never. After a reconnection, on a
 * fiber, job held. */
void disk_rates_reconcile(Domain *domain);
