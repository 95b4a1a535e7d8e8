/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The speed and the size of a domain's disks. All of it takes the domain's job, on a fiber. */
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

typedef struct IotuneChange {
    const char *disk; /* its target or its source */
    bool given[IOTUNE_PARAMS];
    uint64_t value[IOTUNE_PARAMS];
    const char *group; /* NULL: not given */
} IotuneChange;

/* What is given of a kind says what all of that kind are: the others of it become 0. */
int driver_set_iotune(Domain *domain, const IotuneChange *change, unsigned flags, Error **reterr);
/* The disk of the definition that the flags mean; borrowed. */
int driver_find_disk(Domain *domain, const char *disk, unsigned flags, const DiskDef **ret,
                     Error **reterr);
/* Of a running domain; the guest sees its disk grow. */
int driver_resize_disk(Domain *domain, const char *disk, uint64_t bytes, Error **reterr);
