/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The images that a running QEMU writes to for what is under way with its disks, and that its
 * definition has it read, or does not name yet: of a commit the base, and the one above the top
 * image, which gets another name below it; of a snapshot the new ones. What a domain's QEMU may
 * open is what its definition names and these, from before QEMU is asked until all is over, also
 * for a daemon that comes in between. */
#pragma once

#include "domain/domain.h"
#include "driver/named-files.h"

/* Adds them by what the run has noted (domain/run-disks.h); not those that the model leaves alone.
 * Nothing of a job that has ended. Does not wait. -ENOMEM. */
int job_files_add(NamedFiles *files, const Domain *domain, const char *model);
