/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changing what a domain's threads may use, live and in the persistent definition. Flags are
 * AFFECT_*; all of it takes the domain's job and may suspend, the getters do not.
 *
 * A call is done or not done (driver/change.h). */
#pragma once

#include "driver/driver.h"
#include "limits/param-list.h"

/* Scheduler parameters by their place in limit_param's list; `given` says which are meant. */
typedef struct SchedValues {
    bool given[LIMIT_PARAMS_MAX];
    int64_t value[LIMIT_PARAMS_MAX];
} SchedValues;

/* What is in force (all are given): of a running domain without tuning 100000 and -1, and the
 * shares the kernel has; of a definition 0 for what it does not say. */
int driver_get_sched(Domain *domain, unsigned flags, SchedValues *ret, Error **reterr);
int driver_set_sched(Domain *domain, const SchedValues *values, unsigned flags, Error **reterr);

/* ERROR_INVALID_ARG for no CPUs, or a vCPU or IO thread that is not there; ERROR_SYSTEM for CPUs
 * that the thread cannot have. */
int driver_pin_vcpu(Domain *domain, unsigned vcpu, const Bitmap *cpus, unsigned flags,
                    Error **reterr);
int driver_pin_emulator(Domain *domain, const Bitmap *cpus, unsigned flags, Error **reterr);
int driver_pin_iothread(Domain *domain, unsigned id, const Bitmap *cpus, unsigned flags,
                        Error **reterr);

/* Ids are from 1 to IOTHREAD_ID_MAX. ERROR_INVALID_ARG: it is there already; it is not there, or a
 * disk uses it. */
int driver_add_iothread(Domain *domain, unsigned id, unsigned flags, Error **reterr);
int driver_delete_iothread(Domain *domain, unsigned id, unsigned flags, Error **reterr);
/* Only what is given (has_poll_*, pool_* >= 0) changes. */
int driver_set_iothread(Domain *domain, const IothreadDef *values, unsigned flags, Error **reterr);

/* `nodes` NULL: keep; mode NUMA_MODE_MAX_: keep. */
int driver_set_numa(Domain *domain, NumaMode mode, const Bitmap *nodes, unsigned flags,
                    Error **reterr);

/* Compares and mends (limits_reconcile); tells listeners. Returns how many differences there were.
 */
int driver_reconcile(Domain *domain, char **ret_text, Error **reterr);

/* The definition the flags mean: live or config, CURRENT by whether it runs. Both at once is
 * refused. Borrowed. */
int driver_affected_def(Domain *domain, unsigned flags, const DomainDef **ret, Error **reterr);
