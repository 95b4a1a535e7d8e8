/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How much memory a domain has, its limits, its weight among readers of disks, and what is counted
 * of it. Flags are AFFECT_*; all of it takes the domain's job, on a fiber. */
#pragma once

#include "domain/domain.h"

#define MEMORY_UNLIMITED MEMTUNE_UNLIMITED /* KiB */

/* With MEMORY_MAXIMUM what it starts with, else what the balloon leaves to the guest. KiB. */
int driver_set_memory(Domain *domain, uint64_t kib, unsigned flags, Error **reterr);
/* Seconds; 0: the balloon stops. */
int driver_set_memory_period(Domain *domain, unsigned seconds, unsigned flags, Error **reterr);

/* KiB; `given` says which are meant. */
typedef enum MemoryLimit {
    MEMORY_LIMIT_HARD,
    MEMORY_LIMIT_SOFT,
    MEMORY_LIMIT_SWAP,
    MEMORY_LIMIT_MAX_
} MemoryLimit;

typedef struct MemoryLimits {
    bool given[MEMORY_LIMIT_MAX_];
    uint64_t value[MEMORY_LIMIT_MAX_];
} MemoryLimits;

/* Of the definition only: no group of a machine has a memory controller. */
int driver_set_memory_limits(Domain *domain, const MemoryLimits *limits, unsigned flags,
                             Error **reterr);
int driver_get_memory_limits(Domain *domain, unsigned flags, MemoryLimits *ret, Error **reterr);

/* What a list "PATH,NUMBER,PATH,NUMBER" is about. */
typedef enum BlkioField {
    BLKIO_DEVICE_WEIGHT,
    BLKIO_READ_IOPS,
    BLKIO_WRITE_IOPS,
    BLKIO_READ_BYTES,
    BLKIO_WRITE_BYTES,
    BLKIO_FIELD_MAX_
} BlkioField;

typedef struct BlkioChange {
    bool has_weight;
    unsigned weight;
    const char *lists[BLKIO_FIELD_MAX_]; /* NULL: not given */
} BlkioChange;

int driver_set_blkio(Domain *domain, const BlkioChange *change, unsigned flags, Error **reterr);
/* The same list of a definition. Caller frees; NULL: out of memory. */
char *blkio_list(const DomainDef *def, BlkioField field);
/* The definition whose weights are asked for; a running one's are nobody's to say. */
int driver_blkio_def(Domain *domain, unsigned flags, const DomainDef **ret, Error **reterr);
