/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a domain's threads have used, as the kernel counts it. Any time, job or not; each function
 * reads on a worker and suspends: whoever calls looks up again what it goes on with. The Limits may
 * end meanwhile. */
#pragma once

#include "host/resctrl.h"
#include "limits/limits.h"

/* Usage of a child ("vcpu3") or the whole (NULL). */
int limits_usage(Limits *limits, const char *name, const char *child, CgroupUsage *ret,
                 Error **reterr);
/* The whole's of many domains in one errand of a worker: hold on the loop, read on the worker, let
 * go on the loop. limits may be NULL: nothing can be read then. */
typedef struct LimitsHeld {
    Limits *limits;
    CgroupTree *tree;
} LimitsHeld;

/* limits_read_held: -ENOENT without a cgroup, -errno. Each hold is let go once. */
LimitsHeld limits_hold(Limits *limits);
int limits_read_held(const LimitsHeld *held, CgroupUsage *ret);
/* How long a quota held a child ("vcpu3") or the whole (NULL) back, ns. -ENOENT without a cgroup,
 * -errno. */
int limits_read_throttled(const LimitsHeld *held, const char *child, uint64_t *ret);
void limits_let_go(LimitsHeld *held);
/* Nanoseconds by host CPU, of the whole or (limits_vcpu_times) of all vCPUs together. The caller
 * frees. */
int limits_usage_percpu(Limits *limits, const char *name, uint64_t **ret, size_t *ret_n,
                        Error **reterr);
int limits_vcpu_times(Limits *limits, const LimitsSubject *subject, uint64_t **ret, size_t *ret_n,
                      Error **reterr);
/* The shares as the kernel has them, in v1's unit whatever the version. 0: no such controller. */
int limits_shares(Limits *limits, uint64_t *ret, Error **reterr);
/* Readings of one resctrl monitor feature ("llc_occupancy") of a monitor, by cache or node. Caller
 * frees. */
int limits_monitor(Limits *limits, const LimitsSubject *subject, size_t resctrl, size_t monitor,
                   const char *feature, ResctrlReading **ret, size_t *ret_n, Error **reterr);
