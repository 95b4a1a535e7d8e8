/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One thread of the host, by its id: on which CPUs it may run, and by which scheduling policy.
 *
 * Plain system calls: short, but they may block, so on a fiber they belong on a worker. A thread
 * that is gone is -ESRCH, whatever was asked of it, so that a caller whose vCPU was just unplugged
 * can tell. */
#pragma once

#include <sys/types.h>

#include "util/bitmap.h"
#include "util/error.h"
#include "util/macro.h"

typedef enum ThreadPolicy {
    THREAD_POLICY_OTHER, /* the kernel's default, fair among all */
    THREAD_POLICY_BATCH, /* fair, but never preempts: for what computes */
    THREAD_POLICY_IDLE,  /* only what nobody else wants */
    THREAD_POLICY_FIFO,  /* real time, until it yields */
    THREAD_POLICY_RR,    /* real time, in turns with its equals */
    THREAD_POLICY_MAX,
    THREAD_POLICY_INVALID = -EINVAL,
} ThreadPolicy;

/* "other", "batch", "idle", "fifo", "rr"; THREAD_POLICY_INVALID for anything else. */
const char *thread_policy_to_string(ThreadPolicy policy);
ThreadPolicy thread_policy_from_string(const char *text);
/* Does the policy take a priority? Then it is 1 to 99. */
bool thread_policy_is_realtime(ThreadPolicy policy);

/* Pins the thread. The kernel drops CPUs that are offline or outside the thread's cpuset without a
 * word and fails only when none is left: who needs all of them compares with thread_get_affinity.
 */
int thread_set_affinity(pid_t tid, const Bitmap *cpus, Error **reterr);
int thread_get_affinity(pid_t tid, Bitmap **ret, Error **reterr);

/* `priority` is for FIFO and RR, and ignored for the others. */
int thread_set_scheduler(pid_t tid, ThreadPolicy policy, int priority, Error **reterr);
/* A policy that is none of ours (SCHED_DEADLINE) is -EOPNOTSUPP. */
int thread_get_scheduler(pid_t tid, ThreadPolicy *ret_policy, int *ret_priority, Error **reterr);

/* Where a thread without a pin may run: the host's online CPUs without the isolated ones, unless
 * all are isolated. From sysfs and not from the daemon's own mask: a daemon that was started on two
 * CPUs must not squeeze every guest onto them. `sysfs` is "/sys" when NULL. */
int thread_default_cpus(const char *sysfs, Bitmap **ret, Error **reterr);
/* All that are online, isolated ones too. */
int thread_online_cpus(const char *sysfs, Bitmap **ret, Error **reterr);
