/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots of the disks of a running domain: a new image above each, all in one moment. What was
 * written until then is in the old ones. What a disk has below it is in both definitions then.
 *
 * The new images are in the status file before QEMU is asked for them: a daemon that finds them
 * there asks QEMU whether it has happened, and finishes it or takes it back. */
#pragma once

#include "domain/domain.h"

/* flags: SNAPSHOT_*; what is not done here is refused by name. *ret_name is the snapshot's; the
 * caller frees it. Takes the job, on a fiber. After an error all is as before, but when it says
 * what remains. */
int driver_snapshot_disks(Domain *domain, const char *xml, unsigned flags, char **ret_name,
                          Error **reterr);
