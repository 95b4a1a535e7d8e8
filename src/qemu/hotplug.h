/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Live vCPU change: plan, preflight, act, confirm, settle (DESIGN.md "A vCPU's way"). All entities of
 * one change go out pipelined; the state is refreshed once. */
#pragma once

#include "qemu/domain.h"

/* Entities of one change, as indexes into domain->vcpus.entities. */
typedef struct HotplugPlan {
    bool plug; /* else unplug */
    size_t *entities;
    size_t n_entities;
} HotplugPlan;

void hotplug_plan_done(HotplugPlan *plan);

/* Which entities bring the online count to `target`: lowest ids first up, highest unpluggable first
 * down. Pure; ERROR_CONFIG_UNSUPPORTED for granularity and for targets out of reach. */
int hotplug_plan_count(const VcpuMap *map, unsigned target, HotplugPlan *ret, Error **reterr);

/* Sends it, waits for what must be waited for, refreshes, saves the status. Job held. On a failure
 * half way what this change plugged is unplugged again where QEMU still lets it (paused at boot), and
 * the error says how many vCPUs are online. Errors as BEHAVIOUR.md 4, 5, 8. */
int hotplug_run(Domain *domain, const HotplugPlan *plan, uint64_t timeout_usec, Error **reterr);

/* Plugs the vCPUs that live->vcpus marks online and that QEMU was not started with; before cont. */
int hotplug_boot(Domain *domain, Error **reterr);
