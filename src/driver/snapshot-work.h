/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots whose making, deletion or revert was cut short: by the daemon's end, or by a QEMU that
 * did not answer. The file of the snapshot says which it was (domain/snapshot-store.h). */
#pragma once

#include "domain/domain.h"

/* Whether there is such a one. */
bool snapshot_work_is_due(const Domain *domain);
/* Finishes it, or takes it back, as far as that can be told now; what is left is logged and stays
 * due. The new images of a domain that runs are settled before (driver/snapshot-settle.h). Job
 * held, on a fiber. */
void snapshot_work_settle(Domain *domain);
/* ERROR_OPERATION_INVALID while there is another than `but` (NULL: any). */
int snapshot_work_check(const Domain *domain, const Snapshot *but, Error **reterr);
/* ERROR_OPERATION_INVALID while the disks are partly those of a snapshot and partly those of
 * before. */
int snapshot_work_check_start(const Domain *domain, Error **reterr);
/* The disks are back at a snapshot: the persistent definition is the one of then, and the snapshot
 * the current one. After an error both may be as before, and it is still due. Job held, on a fiber.
 */
int snapshot_work_end_revert(Domain *domain, Snapshot *snapshot, Error **reterr);
