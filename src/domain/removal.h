/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Removals of vCPUs that the guest was asked for: their evidence, the wait for it, and its coming
 * too late. */
#pragma once

#include "domain/vcpu-plan.h"
#include "domain/operation.h"

/* One in flight, by id: the map is rebuilt underneath while it waits. */
typedef struct Removal {
    unsigned id;
    unsigned n_vcpus;
    bool done;
} Removal;

/* Those of a plan, in its order. Caller frees; NULL: out of memory. */
Removal *removals_of(const Domain *domain, const HotplugPlan *plan);
/* Waits until all are gone: 0. A refusal ends the wait with ERROR_OPERATION_FAILED and the guest's
 * reason, the deadline with -ETIMEDOUT and ERROR_OPERATION_TIMEOUT: the guest has been asked and
 * may still do it. Events for clients are sent as each goes. `operation` (may be NULL) has the
 * call's own deadline and is told how many are done. Job held. */
int removals_wait(Domain *domain, Removal *removals, size_t n, Operation *operation,
                  Error **reterr);

/* Evidence from an event of QEMU's. */
void removal_event(Domain *domain, const char *name, json_object *data);
/* Looks again at the removals that nobody waits for, first after the domain's own deadline, then
 * less and less often: an event can be lost, or be one this QEMU does not send. Call it when such
 * removals may have come or gone; with none it stops looking. */
void removal_watch_pending(Domain *domain);
