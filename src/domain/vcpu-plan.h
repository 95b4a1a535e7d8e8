/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plan of a live vCPU change: which hotpluggable entities, in which order; and what can be
 * known to fail before anything is sent. */
#pragma once

#include "domain/domain.h"

/* Entities of one change, as indexes into domain->run->vcpus.entities. */
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
/* The plan of a list of entities by first id: those of them that are not yet (no longer) plugged.
 */
int hotplug_plan_ids(const VcpuMap *map, bool plug, const unsigned *ids, size_t n, HotplugPlan *ret,
                     Error **reterr);
/* Foreseeable failures of a plan, before anything is sent: a guest that is paused or has no ACPI
 * cannot give up a vCPU, machines that cannot take one away, QEMUs that would crash. */
int hotplug_preflight(const Domain *domain, const HotplugPlan *plan, Error **reterr);
/* What should be known of a change that is not refused: what cannot be done after it. NULL:
 * nothing. Caller frees. */
char *hotplug_warning(const Domain *domain, bool plug);
/* The same of vCPUs that are missing between others: QEMUs whose guests hang on that. */
char *hotplug_warn_of_hole(const Domain *domain);
bool hotplug_is_pseries(const DomainDef *def);

/* At start. `wanted`: the definition's n vCPUs, from before the first refresh overwrites them.
 * check_def: an entity is online whole or not at all, and each has an order of its own;
 * ERROR_CONFIG_UNSUPPORTED. plan_boot: those that are wanted and not there, in their order. */
int hotplug_check_def(const VcpuMap *map, const VcpuDef *wanted, unsigned n, Error **reterr);
int hotplug_plan_boot(const VcpuMap *map, const VcpuDef *wanted, unsigned n, HotplugPlan *plan,
                      Error **reterr);
