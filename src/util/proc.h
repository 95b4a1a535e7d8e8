/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel says of a process or a thread: proc(5). */
#pragma once

#include <sys/types.h>

#include "util/macro.h"

typedef struct ProcStat {
    char state; /* 'R', 'S', ...; 'Z' and 'X' have ended */
    pid_t parent;
    uint64_t utime_ns, stime_ns; /* CPU time, in steps of a clock tick */
    uint64_t start;              /* clock ticks since boot: with the pid, an identity */
    int cpu;                     /* the host CPU it last ran on */
} ProcStat;

/* Of the process `pid`, or of its thread `tid` unless that is 0. -ESRCH when there is none, also
 * when it ended meanwhile, else -errno. */
int proc_stat(pid_t pid, pid_t tid, ProcStat *ret);
/* How long the thread ran and how long it waited in the run queue of a CPU while it could have
 * run, both ns. -ESRCH as above, else -errno: a kernel may have no such file. */
int proc_sched_time(pid_t pid, pid_t tid, uint64_t *ret_run_ns, uint64_t *ret_delay_ns);
/* CPU time of the process and of all its threads, those that have ended too, to the nanosecond; no
 * file is opened. -ESRCH. */
int proc_cpu_time(pid_t pid, uint64_t *ret_ns);
/* A zombie's parent has not asked for its status yet: it runs no more. */
bool proc_stat_has_ended(const ProcStat *stat);

/* From now on this thread is the process's owner, as far as files and the looks at a process are
 * concerned (PTRACE_MODE_READ_FSCREDS of ptrace(2)): root without CAP_SYS_PTRACE may look at its
 * own alone. proc_look_as_self ends it. -errno: there is no such process. */
int proc_look_as_owner(const char *pid);
void proc_look_as_self(void);
