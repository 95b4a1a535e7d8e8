/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Affinity and scheduler of a thread, with sentences that say what the kernel's errno leaves out.
 */
#include "host/thread.h"

#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "util/file.h"

#define MASK_BYTES (BITMAP_MAX_BITS / 8)
#define PROC_LIMIT 65536u
#define NICE_FIRST (-10)
#define RESET_ON_FORK 1u    /* SCHED_FLAG_RESET_ON_FORK */
#define SLICE_FIRST 100000u /* nanoseconds; the least that the kernel takes */

static const int policy_numbers[THREAD_POLICY_MAX] = {
    [THREAD_POLICY_OTHER] = SCHED_OTHER, [THREAD_POLICY_BATCH] = SCHED_BATCH,
    [THREAD_POLICY_IDLE] = SCHED_IDLE,   [THREAD_POLICY_FIFO] = SCHED_FIFO,
    [THREAD_POLICY_RR] = SCHED_RR,
};

static int gone(pid_t tid, Error **reterr) {
    error_report(reterr, FROM_NONE, ERROR_OPERATION_INVALID, "thread %d no longer exists", tid);
    return -ESRCH;
}

/* sched_setaffinity(2): EINVAL is an empty intersection with what the system and the cpuset allow.
 */
static int affinity_error(pid_t tid, const char *cpus, int errnum, Error **reterr) {
    if (errnum == ESRCH)
        return gone(tid, reterr);
    if (errnum == EINVAL) {
        error_report(
            reterr, FROM_NONE, ERROR_CONFIG_UNSUPPORTED,
            "cannot pin thread %d to CPUs '%s': none of them is online and in the thread's cpuset",
            tid, cpus);
        return -EINVAL;
    }
    if (errnum == EPERM)
        return error_report(
            reterr, FROM_NONE, ERROR_OPERATION_DENIED,
            "cannot pin thread %d to CPUs '%s': it belongs to another user and the daemon "
            "lacks CAP_SYS_NICE",
            tid, cpus);
    return error_system(reterr, FROM_NONE, errnum, "cannot pin thread %d to CPUs '%s'", tid, cpus);
}

int thread_set_affinity(pid_t tid, const Bitmap *cpus, Error **reterr) {
    unsigned long mask[MASK_BYTES / sizeof(unsigned long)] = {0};
    CLEANUP_FREE char *text = NULL;
    int errnum;

    assert(tid > 0 && cpus);
    for (int cpu = bitmap_next(cpus, 0); cpu >= 0; cpu = bitmap_next(cpus, cpu + 1))
        CPU_SET_S(cpu, sizeof(mask), (cpu_set_t *)mask);
    if (sched_setaffinity(tid, sizeof(mask), (cpu_set_t *)mask) == 0)
        return 0;
    errnum = errno;
    text = bitmap_format(cpus);
    return text ? affinity_error(tid, text, errnum, reterr) : error_no_memory(reterr);
}

int thread_get_affinity(pid_t tid, Bitmap **ret, Error **reterr) {
    unsigned long mask[MASK_BYTES / sizeof(unsigned long)] = {0};
    CLEANUP_BITMAP Bitmap *cpus = bitmap_new();

    assert(tid > 0);
    if (!cpus)
        return error_no_memory(reterr);
    if (sched_getaffinity(tid, sizeof(mask), (cpu_set_t *)mask) < 0)
        return errno == ESRCH ? gone(tid, reterr)
                              : error_system(reterr, FROM_NONE, errno,
                                             "cannot read the CPUs of thread %d", tid);
    for (unsigned cpu = 0; cpu < BITMAP_MAX_BITS; cpu++)
        if (CPU_ISSET_S(cpu, sizeof(mask), (cpu_set_t *)mask) && bitmap_set(cpus, cpu) < 0)
            return error_no_memory(reterr);
    *ret = TAKE_PTR(cpus);
    return 0;
}

static bool may_set_any_priority(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

    return syscall(SYS_capget, &header, data) == 0 &&
           data[CAP_TO_INDEX(CAP_SYS_NICE)].effective & CAP_TO_MASK(CAP_SYS_NICE);
}

/* The group that the cpu controller counts the thread in: "3:cpu,cpuacct:/x" of cgroup v1, or
 * "0::/x". */
static char *cpu_group_of(pid_t tid) {
    CLEANUP_FREE char *path = strf("/proc/%d/cgroup", tid), *text = NULL, *unified = NULL;
    char *rest, *line;

    if (!path || file_read(path, PROC_LIMIT, &text, NULL) < 0)
        return NULL;
    for (rest = text; (line = strsep(&rest, "\n"));) {
        char *names = strchr(line, ':'), *group = names ? strchr(++names, ':') : NULL;

        if (!group)
            continue;
        *group++ = '\0';
        if (*names == '\0' && !unified)
            unified = strdup(group);
        for (char *name; (name = strsep(&names, ","));)
            if (streq(name, "cpu"))
                return strdup(group);
    }
    return TAKE_PTR(unified);
}

/* A daemon that may set priorities and still gets EPERM has met CONFIG_RT_GROUP_SCHED: the kernel's
 * scheduler/sched-rt-group.rst gives a group no real-time budget until someone writes one. */
static int scheduler_denied(pid_t tid, ThreadPolicy policy, Error **reterr) {
    CLEANUP_FREE char *group = NULL;

    if (!may_set_any_priority() || !thread_policy_is_realtime(policy))
        return error_report(
            reterr, FROM_NONE, ERROR_OPERATION_DENIED,
            "cannot give thread %d the scheduler '%s': the daemon lacks CAP_SYS_NICE, or a "
            "limit (%s) that allows it",
            tid, thread_policy_to_string(policy),
            thread_policy_is_realtime(policy) ? "RLIMIT_RTPRIO" : "RLIMIT_NICE");
    group = cpu_group_of(tid);
    return error_report(
        reterr, FROM_NONE, ERROR_OPERATION_DENIED,
        "cannot give thread %d the scheduler '%s': its cgroup '%s' has no real-time budget, "
        "which this kernel asks for (CONFIG_RT_GROUP_SCHED); write cpu.rt_runtime_us of the "
        "group and of every group above it, or use another scheduler",
        tid, thread_policy_to_string(policy), group ? group : "?");
}

int thread_set_scheduler(pid_t tid, ThreadPolicy policy, int priority, Error **reterr) {
    struct sched_param param = {0};
    int low, high;

    assert(tid > 0 && policy >= 0 && policy < THREAD_POLICY_MAX);
    if (thread_policy_is_realtime(policy)) {
        low = sched_get_priority_min(policy_numbers[policy]);
        high = sched_get_priority_max(policy_numbers[policy]);
        if (priority < low || priority > high)
            return error_report(reterr, FROM_NONE, ERROR_INVALID_ARG,
                                "priority %d of scheduler '%s' is out of range %d to %d", priority,
                                thread_policy_to_string(policy), low, high);
        param.sched_priority = priority;
    }
    if (sched_setscheduler(tid, policy_numbers[policy], &param) == 0)
        return 0;
    if (errno == ESRCH)
        return gone(tid, reterr);
    if (errno == EPERM)
        return scheduler_denied(tid, policy, reterr);
    return error_system(reterr, FROM_NONE, errno, "cannot give thread %d the scheduler '%s'", tid,
                        thread_policy_to_string(policy));
}

int thread_get_scheduler(pid_t tid, ThreadPolicy *ret_policy, int *ret_priority, Error **reterr) {
    struct sched_param param = {0};
    int number;

    assert(tid > 0);
    number = sched_getscheduler(tid);
    if (number < 0 || sched_getparam(tid, &param) < 0)
        return errno == ESRCH ? gone(tid, reterr)
                              : error_system(reterr, FROM_NONE, errno,
                                             "cannot read the scheduler of thread %d", tid);
    number &= ~SCHED_RESET_ON_FORK;
    for (ThreadPolicy policy = 0; policy < THREAD_POLICY_MAX; policy++)
        if (policy_numbers[policy] == number) {
            *ret_policy = policy;
            *ret_priority = param.sched_priority;
            return 0;
        }
    return error_report(
        reterr, FROM_NONE, ERROR_OPERATION_UNSUPPORTED,
        "thread %d has the scheduling policy %d, which is none of other, batch, idle, fifo "
        "and rr",
        tid, number);
}

/* sched_setattr(2) of Linux 3.14. glibc declares it since 2.41; with an older one the kernel's own
 * header cannot be had beside sched.h. */
typedef struct SchedAttr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
} SchedAttr;

bool thread_go_first(void) {
    const SchedAttr first = {.size = sizeof(first),
                             .policy = SCHED_OTHER,
                             .flags = RESET_ON_FORK,
                             .nice = NICE_FIRST,
                             .runtime = SLICE_FIRST};

    if (sched_getscheduler(0) != SCHED_OTHER || getpriority(PRIO_PROCESS, 0) != 0)
        return false;
    return syscall(SYS_sched_setattr, 0, &first, 0) == 0;
}

static int read_cpus(const char *sysfs, const char *name, Bitmap **ret, Error **reterr) {
    CLEANUP_FREE char *path = strf("%s/devices/system/cpu/%s", sysfs, name), *text = NULL;
    int r;

    if (!path)
        return error_no_memory(reterr);
    r = file_read(path, PROC_LIMIT, &text, NULL);
    if (r < 0)
        return error_system(reterr, FROM_NONE, r, "cannot read '%s'", path);
    r = bitmap_parse(text, BITMAP_MAX_BITS, ret);
    if (r == -ENOMEM)
        return error_no_memory(reterr);
    if (r < 0)
        return error_report(reterr, FROM_NONE, ERROR_INTERNAL, "'%s' is not a list of CPUs: '%s'",
                            path, text);
    return 0;
}

int thread_online_cpus(const char *sysfs, Bitmap **ret, Error **reterr) {
    return read_cpus(sysfs ? sysfs : "/sys", "online", ret, reterr);
}

int thread_default_cpus(const char *sysfs, Bitmap **ret, Error **reterr) {
    CLEANUP_BITMAP Bitmap *online = NULL, *isolated = NULL, *left = NULL;
    int r;

    sysfs = sysfs ? sysfs : "/sys";
    r = read_cpus(sysfs, "online", &online, reterr);
    if (r < 0)
        return r;
    r = read_cpus(sysfs, "isolated", &isolated, NULL);
    if (r == -ENOMEM)
        return error_no_memory(reterr);
    if (r < 0) { /* an old kernel has no such file: nothing is isolated then */
        *ret = TAKE_PTR(online);
        return 0;
    }
    left = bitmap_copy(online);
    if (!left)
        return error_no_memory(reterr);
    for (int cpu = bitmap_next(isolated, 0); cpu >= 0; cpu = bitmap_next(isolated, cpu + 1))
        bitmap_clear(left, cpu);
    *ret = bitmap_is_empty(left) ? TAKE_PTR(online) : TAKE_PTR(left);
    return 0;
}

int thread_check_cpus(const char *sysfs, const Bitmap *cpus, Error **reterr) {
    CLEANUP_BITMAP Bitmap *online = NULL;
    CLEANUP_FREE char *is = NULL, *wanted = NULL;
    int r = thread_online_cpus(sysfs, &online, reterr);

    if (r < 0 || bitmap_is_subset(cpus, online))
        return r;
    is = bitmap_format(online);
    wanted = bitmap_format(cpus);
    return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                        "cannot use CPUs '%s': the host has only '%s' online",
                        wanted ? wanted : "?", is ? is : "?");
}
