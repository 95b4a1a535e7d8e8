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
#include "util/words.h"

/* Pins the thread. The kernel drops CPUs that are offline or outside the thread's cpuset without a
 * word and fails only when none is left: who needs all of them compares with thread_get_affinity.
 */
int thread_set_affinity(pid_t tid, const Bitmap *cpus, Error **reterr);
int thread_get_affinity(pid_t tid, Bitmap **ret, Error **reterr);

/* `priority` is for FIFO and RR, and ignored for the others. */
int thread_set_scheduler(pid_t tid, ThreadPolicy policy, int priority, Error **reterr);
/* A policy that is none of ours (SCHED_DEADLINE) is -EOPNOTSUPP. */
int thread_get_scheduler(pid_t tid, ThreadPolicy *ret_policy, int *ret_priority, Error **reterr);

/* Runs the calling thread before what has the nice value 0, as guests have, and is in its cgroup or
 * in none; between cgroups their weights count. Where the kernel has slices of a thread's own
 * (Linux 6.12), it gets the shortest: when it wakes, it comes before who has a longer one. Threads
 * and processes that it makes from now on begin at 0 with the policy "other" and the usual slice
 * (SCHED_RESET_ON_FORK). A thread whose nice value or policy somebody has chosen keeps them. False
 * when it is as it was: that, or not permitted. */
bool thread_go_first(void);

/* Where a thread without a pin may run: the host's online CPUs without the isolated ones, unless
 * all are isolated. From sysfs and not from the daemon's own mask: a daemon that was started on two
 * CPUs must not squeeze every guest onto them. `sysfs` is "/sys" when NULL. */
int thread_default_cpus(const char *sysfs, Bitmap **ret, Error **reterr);
/* All that are online, isolated ones too. */
int thread_online_cpus(const char *sysfs, Bitmap **ret, Error **reterr);
/* Are they all online? ERROR_CONFIG_UNSUPPORTED saying which are. */
int thread_check_cpus(const char *sysfs, const Bitmap *cpus, Error **reterr);
