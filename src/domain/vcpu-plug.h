/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Live vCPU change: plan, preflight, act, confirm, settle (DESIGN.md "A vCPU's way"). All entities
 * of one change go out pipelined; the state is refreshed once. */
#pragma once

#include "domain/vcpu-plan.h"
#include "domain/operation.h"

/* Sends it, waits for what must be waited for, refreshes, saves the status. Job held. Returns what
 * came of the live half, with an error unless it is DONE. A plug that fails half way takes away
 * again what it added: UNDONE; FAILED when some could not be taken away, the error says what. A
 * removal that has no answer by the deadline is PENDING, with ERROR_OPERATION_TIMEOUT: the guest
 * has been asked and may still do it (removal.h). With operation->request.async it does not wait at
 * all: PENDING without an error. Errors as BEHAVIOUR.md 4, 5, 8. */
OperationState hotplug_run(Domain *domain, const HotplugPlan *plan, Operation *operation,
                           Error **reterr);
/* The next device of a pending removal that goes one by one, whose last has gone: asks the guest
 * for it. ACTING: it is asked; PENDING: it cannot be asked now; REFUSED. The latter two with an
 * error. Job held. */
OperationState hotplug_ask_next(Domain *domain, Operation *operation, Error **reterr);
/* After a live change: the XML lists single vCPUs from now on; the status file. What cannot be
 * written is logged. `operation` may be NULL. Job held. */
void hotplug_save(Domain *domain, const Operation *operation);

/* Plugs the vCPUs that live->vcpus marks online and that QEMU was not started with; before cont. */
int hotplug_boot(Domain *domain, Error **reterr);
