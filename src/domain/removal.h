/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Removals of vCPUs that the guest was asked for: the wait for their evidence (qemu/unplug.h), and
 * what is taken away when one has gone.
 *
 * News are counted in run->removals. Who waits takes the count before it asks QEMU, and sleeps only
 * while it has not moved: what comes between question and sleep is looked at in the next round. */
#pragma once

#include "domain/operation.h"
#include "domain/vcpu-plan.h"

/* One entity by id: the map is rebuilt underneath while it waits. */
typedef struct Removal {
    unsigned id;
    unsigned n_vcpus;
} Removal;

/* Those of a plan, in its order. Caller frees; NULL: out of memory. */
Removal *removals_of(const Domain *domain, const HotplugPlan *plan);

/* How many of them are there. */
size_t removals_left(const Domain *domain, const Removal *removals, size_t n);

/* Evidence from an event of QEMU's: counted, and waiters are woken. False: it was none. */
bool removal_event(Domain *domain, const char *name, json_object *data);
/* The answer to a device_del says that it may be gone. */
void removal_hint(Domain *domain, unsigned id);
/* Wakes waiters without evidence: the domain has stopped, or its monitor closed. */
void removal_wake(Domain *domain);
/* Whether something is to be settled: signs that no look has answered, what has gone, refusals. */
bool removal_has_news(const Domain *domain);
/* Whether the guest was asked for any vCPU that is still there. */
bool removal_is_pending(const Domain *domain);
/* How long one is waited for: `asked` if it is not 0, else the domain's, the configuration file's,
 * the machine's own. */
uint64_t removal_timeout(const Domain *domain, uint64_t asked);

/* Looks at QEMU if a sign asks for it, or `always`; what has gone loses its cgroups, and audit
 * records and events tell of it. Also what nobody here asked for. `operation` (may be NULL) is for
 * its steps. Job held. */
int removals_settle(Domain *domain, bool always, const Operation *operation, Error **reterr);
/* Removes the cgroups of vCPUs whose threads had not ended when they were settled; waits for those
 * threads, a few seconds at most. Job held. */
void removals_drop_late(Domain *domain);
/* The first refusal among `removals`, or among all when it is NULL, as an ERROR_OPERATION_FAILED
 * with the guest's reason; or 0. Refused entities stay, nothing is asked of them any more. Job
 * held. */
int removals_take_refusals(Domain *domain, const Removal *removals, size_t n, Error **reterr);
/* The guest was asked for `n` devices, and `error` keeps QEMU from being asked what came of it:
 * OPERATION_PENDING while QEMU lives, else OPERATION_FAILED, each with its error. On a fiber. */
OperationState removals_unknown(const Domain *domain, size_t n, const Error *error, Error **reterr);
/* How long a wait may last. */
typedef struct RemovalLimits {
    uint64_t timeout; /* of silence: each removal and each sign of progress starts it again */
    uint64_t latest;  /* the end of all, a deadline */
} RemovalLimits;

/* Of a removal of `n` devices from now on; `asked` as in removal_timeout, and then kept to. */
RemovalLimits removal_limits(const Domain *domain, uint64_t asked, size_t n);
/* Waits until all are gone: OPERATION_DONE. A refusal ends the wait with OPERATION_REFUSED,
 * ERROR_OPERATION_FAILED and the guest's reason; the deadline with OPERATION_PENDING and
 * ERROR_OPERATION_TIMEOUT: the guest has been asked and may still do it; what keeps it from looking
 * as removals_unknown says.
 * `operation` (may be NULL) is told how many are done. Job held. */
OperationState removals_wait(Domain *domain, const Removal *removals, size_t n,
                             const RemovalLimits *limits, Operation *operation, Error **reterr);
