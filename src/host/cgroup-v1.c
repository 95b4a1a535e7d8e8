/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cgroup v1 (kernel: admin-guide/cgroup-v1/cpusets.rst, scheduler/sched-bwc.rst). A new cpuset
 * group has no CPUs and no memory nodes and takes no thread until it has both; a child's quota is
 * checked against every group above it. */
#include <inttypes.h>
#include <stdio.h>

#include "host/cgroup-internal.h"

static int inherit(const CgroupPlace *parent, const char *child, const char *file, Error **reterr) {
    CLEANUP_FREE char *mine = NULL, *theirs = NULL;
    int r = cgroup_read(parent, child, file, &mine, reterr);

    if (r < 0 || *mine)
        return r;
    r = cgroup_read(parent, NULL, file, &theirs, reterr);
    return r < 0 ? r : cgroup_write(parent, child, file, theirs, reterr);
}

static int prepare(const CgroupPlace *parent, const char *child, bool leaf, Error **reterr) {
    int r;

    if (!(parent->hierarchy->controllers & CGROUP_BIT(CGROUP_CPUSET)))
        return 0;
    r = inherit(parent, child, "cpuset.cpus", reterr);
    return r < 0 ? r : inherit(parent, child, "cpuset.mems", reterr);
}

static int hand_down(CgroupPlace *place, bool write, char **missing) {
    place->below = place->controllers;
    return 0;
}

/* admin-guide/cgroup-v1/cgroups.rst, cgroup.clone_children. Each write to a cpuset has the kernel
 * compare all siblings: thousands of groups that ask for nothing are made without one. */
static bool clone(const CgroupPlace *place, bool write) {
    CLEANUP_FREE char *text = NULL;

    if (!(place->hierarchy->controllers & CGROUP_BIT(CGROUP_CPUSET)))
        return true; /* nothing to give */
    if (write)
        return cgroup_write_quiet(place, NULL, "cgroup.clone_children", "1") >= 0;
    return cgroup_read_quiet(place, NULL, "cgroup.clone_children", &text) >= 0 && streq(text, "1");
}

/* Thousands of groups without a set of their own cost more than all else that is done for a thread:
 * the kernel compares all siblings for each, and stops every fork to move a thread. */
static bool is_lazy(const CgroupPlace *place) {
    return place->hierarchy->controllers == CGROUP_BIT(CGROUP_CPUSET);
}

static int set_shares(const CgroupPlace *place, const char *child, uint64_t shares,
                      Error **reterr) {
    return cgroup_write_u64(place, child, "cpu.shares", shares, reterr);
}

/* Is quota/period more than the group may have? Without a limit it may have everything. */
static bool is_tighter(const CgroupPlace *group, uint64_t period, int64_t quota) {
    int64_t its_quota = -1, its_period = 0;

    if (cgroup_read_i64(group, NULL, "cpu.cfs_quota_us", &its_quota, NULL) < 0 || its_quota < 0 ||
        cgroup_read_i64(group, NULL, "cpu.cfs_period_us", &its_period, NULL) < 0 || its_period <= 0)
        return false;
    return (double)quota / period > (double)its_quota / its_period;
}

/* EINVAL does not say which group is in the way: finds it, the highest one. */
static int bandwidth_error(const CgroupPlace *place, const char *child, const char *file,
                           const char *text, uint64_t period, int64_t quota, int errnum,
                           Error **reterr) {
    char hint[512] = "";

    if (errnum != -EINVAL)
        return cgroup_write_error(place, child, file, text, errnum, "", reterr);
    for (size_t at = 0, next = 1; next > 0 && !*hint && quota > 0 && period > 0; at = next) {
        CLEANUP_CGROUP_PLACE CgroupPlace group = {.fd = -1};

        next = cgroup_path_next(place->path, at);
        if (!child && next == 0)
            break; /* the group itself */
        if (cgroup_place_open(place->hierarchy, place->path, at, &group) == 0 &&
            is_tighter(&group, period, quota))
            snprintf(hint, sizeof(hint), "its ancestor '%s' has a smaller quota",
                     cgroup_place_name(&group));
    }
    if (!*hint)
        snprintf(hint, sizeof(hint), "a group below it may use more than that");
    return cgroup_write_error(place, child, file, text, errnum, hint, reterr);
}

static int write_period(const CgroupPlace *place, const char *child, uint64_t period, int64_t quota,
                        Error **reterr) {
    char text[24];
    int r;

    if (!period)
        return 0;
    snprintf(text, sizeof(text), "%" PRIu64, period);
    r = cgroup_write_quiet(place, child, "cpu.cfs_period_us", text);
    return r < 0
               ? bandwidth_error(place, child, "cpu.cfs_period_us", text, period, quota, r, reterr)
               : 0;
}

static int write_quota(const CgroupPlace *place, const char *child, uint64_t period, int64_t quota,
                       Error **reterr) {
    char text[24];
    int r;

    if (!quota)
        return 0;
    snprintf(text, sizeof(text), "%" PRId64, quota < 0 ? INT64_C(-1) : quota);
    r = cgroup_write_quiet(place, child, "cpu.cfs_quota_us", text);
    return r < 0 ? bandwidth_error(place, child, "cpu.cfs_quota_us", text, period, quota, r, reterr)
                 : 0;
}

/* Two files, and each write is checked against the ancestors alone. A period that grows goes first,
 * one that shrinks goes last: so the share in between is never more than the larger one of before
 * and after. */
static int set_bandwidth(const CgroupPlace *place, const char *child, uint64_t period,
                         int64_t quota, Error **reterr) {
    int64_t old_period = 0, old_quota = 0;
    int r = cgroup_read_i64(place, child, "cpu.cfs_period_us", &old_period, reterr);

    if (r >= 0)
        r = cgroup_read_i64(place, child, "cpu.cfs_quota_us", &old_quota, reterr);
    if (r < 0)
        return r;
    if (period >= (uint64_t)old_period) {
        r = write_period(place, child, period, old_quota, reterr);
        return r < 0 ? r : write_quota(place, child, period, quota, reterr);
    }
    r = write_quota(place, child, old_period, quota, reterr);
    return r < 0 ? r : write_period(place, child, period, quota ? quota : old_quota, reterr);
}

static int get_cpu(const CgroupPlace *place, const char *child, CgroupState *state,
                   Error **reterr) {
    int64_t shares = 0, period = 0, quota = 0;
    int r = cgroup_read_i64(place, child, "cpu.shares", &shares, reterr);

    if (r >= 0)
        r = cgroup_read_i64(place, child, "cpu.cfs_period_us", &period, reterr);
    if (r >= 0)
        r = cgroup_read_i64(place, child, "cpu.cfs_quota_us", &quota, reterr);
    if (r < 0)
        return r;
    state->shares = shares;
    state->period = period;
    state->quota = quota < 0 ? -1 : quota;
    return 0;
}

/* cpuacct.usage_user and _sys came with Linux 4.8; before it the two stay 0. */
static int get_time(const CgroupPlace *place, const char *child, CgroupUsage *usage,
                    Error **reterr) {
    int64_t total = 0, user = 0, system = 0;
    int r = cgroup_read_i64(place, child, "cpuacct.usage", &total, reterr);

    if (r < 0)
        return r;
    cgroup_read_i64(place, child, "cpuacct.usage_user", &user, NULL);
    cgroup_read_i64(place, child, "cpuacct.usage_sys", &system, NULL);
    usage->usage_ns = total;
    usage->user_ns = user;
    usage->system_ns = system;
    return 0;
}

static int get_usage(const CgroupPlace *place, const char *child, unsigned controllers,
                     CgroupUsage *usage, Error **reterr) {
    CLEANUP_FREE char *text = NULL;
    int r = 0;

    if (controllers & CGROUP_BIT(CGROUP_CPUACCT))
        r = get_time(place, child, usage, reterr);
    if (r < 0 || !(controllers & CGROUP_BIT(CGROUP_CPU)))
        return r;
    r = cgroup_read_stat(place, child, "cpu", &text, reterr);
    if (r < 0)
        return r;
    usage->n_periods = cgroup_stat_value(text, "nr_periods");
    usage->n_throttled = cgroup_stat_value(text, "nr_throttled");
    usage->throttled_ns = cgroup_stat_value(text, "throttled_time");
    return 0;
}

const CgroupOps cgroup_v1_ops = {
    .version = 1,
    .threads = "tasks",
    .cpus = "cpuset.cpus",
    .mems = "cpuset.mems",
    .effective_cpus = "cpuset.effective_cpus",
    .effective_mems = "cpuset.effective_mems",
    .prepare = prepare,
    .hand_down = hand_down,
    .is_lazy = is_lazy,
    .clone = clone,
    .set_shares = set_shares,
    .set_bandwidth = set_bandwidth,
    .get_cpu = get_cpu,
    .get_usage = get_usage,
};
