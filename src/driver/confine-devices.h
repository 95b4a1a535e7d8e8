/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which device nodes a domain's QEMU may open, by the host's cgroups: those of its plan and
 * terminals, and no others even if it came to a /dev that has them. The list is libvirt's default
 * (null, zero, full, random, urandom, ptmx, terminals, kvm), without userfaultfd, which only a
 * post-copy needs, and with tty. All on a fiber, with the job. */
#pragma once

#include "domain/domain.h"
#include "driver/confinement.h"

/* Of a process before its exec. Where the host does not let it be done: a warning, no error. */
int confine_devices_begin(Domain *domain, const ConfinePlan *plan, Error **reterr);
/* Those of the plan, too, for a device that comes. */
int confine_devices_add(Domain *domain, const ConfinePlan *plan, Error **reterr);
/* Those of the live definition and no others, when a device has gone or has not come. Logs what
 * cannot be. */
void confine_devices_settle(Domain *domain);
