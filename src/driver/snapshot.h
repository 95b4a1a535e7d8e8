/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots of a domain, by name: of the disks of what runs or not, in new images above the old
 * ones or inside of them; inside, with the guest's memory if it runs.
 *
 * The snapshot's file is there before anything is done, and says that it is not made yet; it says
 * that it is when it is. A daemon that finds it in between looks at the images, or asks QEMU
 * (driver/snapshot-work.h). New images of what runs are in the status file, too
 * (driver/snapshot-settle.h). */
#pragma once

#include "domain/domain.h"

/* flags: SNAPSHOT_*; what is not done here is refused by name. *ret_name is the snapshot's; the
 * caller frees it. Takes the job, on a fiber. After an error all is as before, but when it says
 * what remains. */
int driver_snapshot_create(Domain *domain, const char *xml, unsigned flags, char **ret_name,
                           Error **reterr);
/* flags: SNAPSHOT_DELETE_*. Takes the job, on a fiber. What failed half way is gone on with when it
 * is deleted again, or by the next daemon. */
int driver_snapshot_delete(Domain *domain, const char *name, unsigned flags, Error **reterr);

/* ERROR_NO_DOMAIN_SNAPSHOT. Borrowed: gone after any wait. */
const Snapshot *driver_snapshot_find(const Domain *domain, const char *name, Error **reterr);
/* Whether it is what a client lists by these flags, SNAPSHOT_LIST_*; of the children of `from`, or
 * of all when that is NULL. */
bool snapshot_is_listed(const Snapshot *snapshot, const Snapshot *from, unsigned flags);
/* Its XML; `secrets`: with passwords. The caller frees. */
int driver_snapshot_xml(const Snapshot *snapshot, bool secrets, char **ret, Error **reterr);
