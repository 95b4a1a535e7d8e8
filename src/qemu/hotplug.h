/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Live vCPU change: plan, preflight, act, confirm, settle (DESIGN.md "A vCPU's way"). All entities of
 * one change go out pipelined; the state is refreshed once. */
#pragma once

#include "qemu/domain.h"
#include "qemu/operation.h"

/* Entities of one change, as indexes into domain->vcpus.entities. */
typedef struct HotplugPlan {
    bool plug; /* else unplug */
    size_t *entities;
    size_t n_entities;
} HotplugPlan;

void hotplug_plan_done(HotplugPlan *plan);
/* vCPUs of the plan's entities. */
unsigned hotplug_plan_vcpus(const VcpuMap *map, const HotplugPlan *plan);

/* Which entities bring the online count to `target`: lowest ids first up, highest unpluggable first
 * down. Pure; ERROR_CONFIG_UNSUPPORTED for granularity and for targets out of reach. */
int hotplug_plan_count(const VcpuMap *map, unsigned target, HotplugPlan *ret, Error **reterr);

/* Sends it, waits for what must be waited for, refreshes, saves the status. Job held. A plug that fails half
 * way takes away again what it added; the error says so, and what could not be taken away. A removal that
 * has no answer by the deadline returns -ETIMEDOUT with ERROR_OPERATION_TIMEOUT: the guest has been asked
 * and may still do it (hotplug_event). With operation->request.async it does not wait at all: -EINPROGRESS
 * without an error. Errors as BEHAVIOUR.md 4, 5, 8. */
int hotplug_run(Domain *domain, const HotplugPlan *plan, Operation *operation, Error **reterr);
/* Foreseeable failures of a plan, before anything is sent: a guest that is paused or has no ACPI cannot
 * give up a vCPU, QEMUs that would crash. */
int hotplug_preflight(const Domain *domain, const HotplugPlan *plan, Error **reterr);
/* The plan of a list of entities by first id: those of them that are not yet (no longer) plugged. */
int hotplug_plan_ids(const VcpuMap *map, bool plug, const unsigned *ids, size_t n, HotplugPlan *ret,
                     Error **reterr);

/* After a live change: the XML lists single vCPUs from now on; the status file. What cannot be written is
 * logged. `operation` may be NULL. Job held. */
void hotplug_save(Domain *domain, const Operation *operation);

/* Looks again at the removals that nobody waits for, first after the domain's own deadline, then less and less
 * often: an event can be lost, or be one this QEMU does not send. Call it when such removals may have come or gone;
 * with none it stops looking. */
void hotplug_watch_pending(Domain *domain);

/* Plugs the vCPUs that live->vcpus marks online and that QEMU was not started with; before cont. */
int hotplug_boot(Domain *domain, Error **reterr);
