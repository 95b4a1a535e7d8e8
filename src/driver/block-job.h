/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Block jobs: what an image has goes into one below it (commit), or what is below goes into it
 * (pull), while the guest runs. A job is in the status file before QEMU is asked for it, and so is
 * what is asked of it later; what became of it QEMU says, also to a daemon that comes later, and
 * both definitions are written before QEMU forgets the job. */
#pragma once

#include "domain/domain.h"

typedef struct BlockJobRequest {
    BlockJobKind kind;      /* BLOCK_JOB_PULL, or BLOCK_JOB_COMMIT for both kinds */
    const char *disk;       /* its target or source */
    const char *top, *base; /* images of its chain; NULL: not given */
    uint64_t speed;         /* bytes a second; 0: no limit */
    unsigned flags;         /* BLOCK_COMMIT_*; of a pull none */
} BlockJobRequest;

/* Begins one, and returns when QEMU has begun. Takes the job, as the next two; on a fiber. */
int driver_begin_block_job(Domain *domain, const BlockJobRequest *request, Error **reterr);
/* flags: BLOCK_ABORT_*. Without ASYNC it returns when the job has ended and the definitions say so,
 * or after minutes ERROR_OPERATION_TIMEOUT, and the end comes later. */
int driver_end_block_job(Domain *domain, const char *disk, unsigned flags, Error **reterr);
/* Bytes a second; 0: no limit. */
int driver_set_block_job_speed(Domain *domain, const char *disk, uint64_t speed, Error **reterr);

typedef struct BlockJobInfo {
    BlockJobKind kind; /* BLOCK_JOB_NONE: there is none */
    uint64_t speed, done, total;
} BlockJobInfo;

/* done equals total only of one that is ready or has ended. On a fiber; holds no job. */
int driver_block_job_info(Domain *domain, const char *disk, BlockJobInfo *ret, Error **reterr);
