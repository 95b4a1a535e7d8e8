/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts of the change of a device that others need, who change what a disk has below it. Job held,
 * on a fiber. */
#pragma once

#include "domain/domain.h"
#include "driver/start-parts.h"
#include "qemu/devices.h"

/* One device of a definition. */
typedef struct DevicePlace {
    const DeviceKind *kind; /* NULL: none */
    size_t index;
} DevicePlace;

/* Makes what the device names QEMU's: nodes in its /dev, its cgroup, files in its hands, and what
 * its label lets it open. */
int device_host_admit(Domain *domain, const DomainDef *def, const DevicePlace *place,
                      StartParts *parts, Error **reterr);
/* The same of the images that block jobs of the run write to, and snapshots (driver/job-files.h).
 */
int device_host_admit_jobs(Domain *domain, Error **reterr);
/* Takes back what none of them needs any more, and settles. */
void device_host_settle_jobs(Domain *domain);
/* Has QEMU open what the live definition names and no more, by its cgroup and its label, when a
 * device has gone or has not come. Logs what cannot be. */
void device_host_settle(Domain *domain);
/* Whether an error of device_command may be of one that QEMU does all the same. */
bool device_is_unanswered(const Domain *domain, const Error *error);
/* Till when QEMU may answer a command that changes a device or an image. */
uint64_t device_command_deadline(const Domain *domain);
/* A command of QEMU's whose answer is not needed. */
int device_command(Domain *domain, const char *command, json_object *arguments_consume,
                   Error **reterr);
/* device_command; and after an error of one that QEMU may carry out all the same the monitor is
 * closed: what came of it the reconnection finds. */
int device_tell(Domain *domain, const char *command, json_object *arguments_consume,
                Error **reterr);
/* Takes back the first n, the last one first, but not the device itself. False: not all; logged. */
bool device_steps_undo(Domain *domain, const DeviceSteps *steps, size_t n);
