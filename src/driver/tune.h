/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changing what a domain's threads may use, live and in the persistent definition. Flags are
 * AFFECT_*; all of it takes the domain's job and may suspend, the getters do not.
 *
 * A live change is made in a copy of the live definition, tuned, and only then kept; if the kernel
 * refuses, the old one is tuned again. The config half is made ready before the live half begins
 * and written after it. */
#pragma once

#include "driver/driver.h"

/* libvirt's scheduler parameters, in its order. */
typedef enum SchedKey {
    SCHED_CPU_SHARES,
    SCHED_VCPU_PERIOD,
    SCHED_VCPU_QUOTA,
    SCHED_EMULATOR_PERIOD,
    SCHED_EMULATOR_QUOTA,
    SCHED_GLOBAL_PERIOD,
    SCHED_GLOBAL_QUOTA,
    SCHED_IOTHREAD_PERIOD,
    SCHED_IOTHREAD_QUOTA,
    SCHED_KEY_MAX_
} SchedKey;

/* `given` says which are meant. Quotas are signed, the others never negative. */
typedef struct SchedValues {
    bool given[SCHED_KEY_MAX_];
    int64_t value[SCHED_KEY_MAX_];
} SchedValues;

const char *sched_key_name(SchedKey key);
bool sched_key_is_quota(SchedKey key);

/* What is in force (all are given): of a running domain without tuning 100000 and -1, and the
 * shares the kernel has; of a definition 0 for what it does not say. */
int driver_get_sched(Domain *domain, unsigned flags, SchedValues *ret, Error **reterr);
int driver_set_sched(Domain *domain, const SchedValues *values, unsigned flags, Error **reterr);

int driver_pin_vcpu(Domain *domain, unsigned vcpu, const Bitmap *cpus, unsigned flags,
                    Error **reterr);
int driver_pin_emulator(Domain *domain, const Bitmap *cpus, unsigned flags, Error **reterr);
int driver_pin_iothread(Domain *domain, unsigned id, const Bitmap *cpus, unsigned flags,
                        Error **reterr);

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
