/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Back to a snapshot that is inside of the images: disks, definition and, of one with the guest's
 * memory, the guest with the vCPUs and devices it had.
 *
 * What runs is ended first. From then on the file of the snapshot says so: a daemon that dies
 * leaves disks of which some are as they were; the next one brings back the rest, and the domain
 * does not start before. */
#pragma once

#include "domain/domain.h"

/* flags: SNAPSHOT_REVERT_*. After an error of one that had begun the domain is shut off, and the
 * error says what its disks are. Takes the job, on a fiber. */
int driver_snapshot_revert(Domain *domain, const char *name, unsigned flags, Error **reterr);
