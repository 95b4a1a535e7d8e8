/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plugged vCPUs brought online in the guest, through its agent: Linux leaves a CPU that was added
 * offline until somebody writes to its sysfs file.
 *
 * Which CPUs are new is told by their absence before the plug, so the look at the guest begins
 * before it. All of it runs on a fiber of its own and holds no job: an agent that is stuck delays
 * nothing but the outcome's last sentence (Operation.guest). */
#pragma once

#include "domain/domain.h"
#include "domain/operation.h"

typedef struct GuestOnline GuestOnline;

/* Begins to look at the guest's CPUs. NULL: no agent is connected, the guest does not run, or out
 * of memory. */
GuestOnline *guest_online_begin(Domain *domain);
/* Waits for that look, a few tenths of a second at most. Takes NULL. On a fiber. */
void guest_online_wait(GuestOnline *online);
/* The plug is over, `n` vCPUs were added (0: it failed): they are brought online and looked at
 * again in the background; the result goes to operation->guest, where there is no agent by
 * vcpu-verdict. Consumes `online`, which may be NULL. */
void guest_online_finish(Domain *domain, GuestOnline *online, Operation *operation, unsigned n);
