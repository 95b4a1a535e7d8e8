/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The speed and the size of a domain's disks. All of it takes the domain's job, on a fiber. */
#pragma once

#include "conf/disk.h"
#include "domain/domain.h"
#include "driver/disk-rates.h"

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
