/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whether disks are in the hands of a block job, or of a snapshot of which QEMU has not said
 * whether it has happened: what else would touch them is refused. */
#pragma once

#include "domain/domain.h"

/* ERROR_OPERATION_INVALID while it is not known which images the disks have. The other two look at
 * that first. */
int block_check_snapshot(const Domain *domain, Error **reterr);
/* ERROR_BLOCK_COPY_ACTIVE when the disk of that target has one. */
int block_job_check_disk(const Domain *domain, const char *target, Error **reterr);
/* ERROR_OPERATION_UNSUPPORTED when the disk's images are this run's: it is transient. */
int block_check_transient(const DiskDef *disk, Error **reterr);
/* ERROR_OPERATION_INVALID when a guest that goes on elsewhere, or later, would miss what it wrote:
 * a disk of the run is transient. */
int block_check_moves(const Domain *domain, Error **reterr);
/* ERROR_OPERATION_INVALID when any disk has one. */
int block_job_check_none(const Domain *domain, Error **reterr);
