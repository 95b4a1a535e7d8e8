/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files of a machine become its QEMU's while it runs, where that has a user of its own
 * (host/file-owner.h). What is given is noted with what was made for the run. */
#pragma once

#include "domain/made.h"
#include "driver/start-parts.h"
#include "host/file-owner.h"

/* Gives what the domain's run opens by its path: images, kernel, the firmware's variables, files of
 * character devices; and the sockets of the programs that serve it. parts->confine says to whom.
 * `own_files` false: only what the daemon has made itself. On a fiber. */
int prepare_owners(Domain *domain, const StartParts *parts, bool own_files, Error **reterr);
/* Makes the plan's user the one that a running QEMU is, by the kernel's word: another daemon may
 * have started it. On a fiber. */
int prepare_owner_running(Domain *domain, ConfinePlan *plan, Error **reterr);
/* Gives the sockets of the helpers alone. The same. */
int prepare_owner_helpers(Domain *domain, const StartParts *parts, Error **reterr);
/* What a device names that comes to a running QEMU (disks, memory, character devices), and the
 * socket of its helper. After an error nothing is given. On a fiber, with the job. */
int prepare_owner_attach(Domain *domain, const DeviceKind *kind, const void *device,
                         const StartParts *parts, Error **reterr);
/* What is under way with the disks (driver/job-files.h), of which the run has a note already. What
 * was given stays after an error: prepare_owner_settle_jobs. The same. */
int prepare_owner_jobs(Domain *domain, const StartParts *parts, Error **reterr);
/* Takes back what nothing under way needs any more; the image that a disk has by now stays given.
 * The same. */
void prepare_owner_settle_jobs(Domain *domain);
/* The files of one that has gone, but not those that were given for another device of `def`. It may
 * be one of def's own, or of none. On a fiber, with the job. */
void prepare_owner_detach(Domain *domain, const DomainDef *def, const DeviceKind *kind,
                          const void *device);
/* Takes one back; -errno. On a fiber. */
int prepare_owner_undo(const Made *made);
