/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cgroup v2 (kernel: admin-guide/cgroup-v2.rst). A controller is in a group when every group above
 * it hands it down in cgroup.subtree_control. The children of a tree are threaded: the tree's own
 * group is the domain that the process belongs to, and its threads may be anywhere below. */
#include <inttypes.h>
#include <stdio.h>

#include "host/cgroup-internal.h"
#include "util/file.h"

/* Writing "threaded" to a group that is threaded already is accepted. */
static int prepare(const CgroupPlace *parent, const char *child, bool leaf, Error **reterr) {
    int r;

    if (!leaf)
        return 0;
    r = cgroup_write_quiet(parent, child, "cgroup.type", "threaded");
    if (r == -EOPNOTSUPP)
        return cgroup_write_error(
            parent, child, "cgroup.type", "threaded", r,
            "the group above it has other groups with processes in them, or hands "
            "down controllers that know no threads",
            reterr);
    return r < 0 ? cgroup_write_error(parent, child, "cgroup.type", "threaded", r, "", reterr) : 0;
}

static const char *hint_for(int errnum) {
    switch (errnum) {
    case -EBUSY:
        return "the group has processes of its own; use a partition without any";
    case -EOPNOTSUPP:
        return "the group is threaded or below a threaded one; use another partition";
    case -EACCES:
    case -EPERM:
        return "the group is not delegated to the daemon's user";
    default:
        return "";
    }
}

/* Why the children of `place` lack the controller, for missing[]. */
static char *explain(const CgroupPlace *place, const char *name, bool is_here, int errnum) {
    CLEANUP_ERROR Error *error = NULL;
    char text[16];

    if (errnum == 0)
        return strf(is_here
                        ? "cgroup '%s' of '%s' does not hand controller '%s' down "
                          "(cgroup.subtree_control)"
                        : "cgroup '%s' of '%s' is not given controller '%s' (cgroup.controllers)",
                    cgroup_place_name(place), place->hierarchy->mount_point, name);
    snprintf(text, sizeof(text), "+%s", name);
    cgroup_write_error(place, NULL, "cgroup.subtree_control", text, errnum, hint_for(errnum),
                       &error);
    return strdup(error_message(error));
}

/* One controller at a time: one that cannot be must not hinder the other. */
static int hand_one_down(CgroupPlace *place, CgroupController controller, const char *has,
                         const char *given, bool write, char **missing) {
    const char *name = cgroup_controller_name(controller);
    bool is_here = cgroup_has_word(has, name);
    char text[16];
    int r = 0;

    if (cgroup_has_word(given, name))
        return 0;
    if (is_here && write) {
        snprintf(text, sizeof(text), "+%s", name);
        r = cgroup_write_quiet(place, NULL, "cgroup.subtree_control", text);
        if (r == 0)
            return 0;
    }
    place->below &= ~CGROUP_BIT(controller);
    if (!is_here)
        place->controllers &= ~CGROUP_BIT(controller);
    free(missing[controller]);
    missing[controller] = explain(place, name, is_here, r);
    return missing[controller] ? 0 : -ENOMEM;
}

static int hand_down(CgroupPlace *place, bool write, char **missing) {
    static const CgroupController ours[] = {CGROUP_CPU, CGROUP_CPUSET};
    CLEANUP_FREE char *has = NULL, *given = NULL;
    int r = cgroup_read_quiet(place, NULL, "cgroup.controllers", &has);

    if (r >= 0)
        r = cgroup_read_quiet(place, NULL, "cgroup.subtree_control", &given);
    if (r < 0)
        return r;
    place->below = place->controllers;
    for (size_t i = 0; i < ARRAY_SIZE(ours) && r >= 0; i++)
        if (place->controllers & CGROUP_BIT(ours[i]))
            r = hand_one_down(place, ours[i], has, given, write, missing);
    return r;
}

static int set_shares(const CgroupPlace *place, const char *child, uint64_t shares,
                      Error **reterr) {
    return cgroup_write_u64(place, child, "cpu.weight", cgroup_shares_to_weight(shares), reterr);
}

/* "max 100000" or "50000 100000". */
static int read_max(const CgroupPlace *place, const char *child, int64_t *ret_quota,
                    uint64_t *ret_period, Error **reterr) {
    CLEANUP_FREE char *text = NULL;
    int r = cgroup_read(place, child, "cpu.max", &text, reterr);
    const char *space;

    if (r < 0)
        return r;
    space = strchr(text, ' ');
    *ret_quota = strncmp(text, "max", 3) == 0 ? -1 : strtoll(text, NULL, 10);
    *ret_period = space ? strtoull(space + 1, NULL, 10) : 0;
    return 0;
}

/* The file takes "QUOTA" alone and keeps the period; there is no way to write the period alone. */
static int set_bandwidth(const CgroupPlace *place, const char *child, uint64_t period,
                         int64_t quota, Error **reterr) {
    char amount[24] = "max", text[64];
    uint64_t old_period = 0;
    int r;

    if (quota == 0) {
        r = read_max(place, child, &quota, &old_period, reterr);
        if (r < 0)
            return r;
    }
    if (quota > 0)
        snprintf(amount, sizeof(amount), "%" PRId64, quota);
    if (period)
        snprintf(text, sizeof(text), "%s %" PRIu64, amount, period);
    else
        snprintf(text, sizeof(text), "%s", amount);
    return cgroup_write(place, child, "cpu.max", text, reterr);
}

static int get_cpu(const CgroupPlace *place, const char *child, CgroupState *state,
                   Error **reterr) {
    int64_t weight = 0, quota = 0;
    uint64_t period = 0;
    int r = cgroup_read_i64(place, child, "cpu.weight", &weight, reterr);

    if (r >= 0)
        r = read_max(place, child, &quota, &period, reterr);
    if (r < 0)
        return r;
    state->weight = weight;
    state->shares = cgroup_weight_to_shares(weight);
    state->period = period;
    state->quota = quota;
    return 0;
}

static int get_usage(const CgroupPlace *place, const char *child, unsigned controllers,
                     CgroupUsage *usage, Error **reterr) {
    CLEANUP_FREE char *text = NULL;
    int r;

    if (!(controllers & CGROUP_BIT(CGROUP_CPUACCT)))
        return 0;
    r = cgroup_read_stat(place, child, "cpu", &text, reterr);
    if (r < 0)
        return r;
    *usage = (CgroupUsage){
        .usage_ns = cgroup_stat_value(text, "usage_usec") * 1000,
        .user_ns = cgroup_stat_value(text, "user_usec") * 1000,
        .system_ns = cgroup_stat_value(text, "system_usec") * 1000,
        .n_periods = cgroup_stat_value(text, "nr_periods"),
        .n_throttled = cgroup_stat_value(text, "nr_throttled"),
        .throttled_ns = cgroup_stat_value(text, "throttled_usec") * 1000,
    };
    return 0;
}

const CgroupOps cgroup_v2_ops = {
    .version = 2,
    .threads = "cgroup.threads",
    .cpus = "cpuset.cpus",
    .mems = "cpuset.mems",
    .effective_cpus = "cpuset.cpus.effective",
    .effective_mems = "cpuset.mems.effective",
    .prepare = prepare,
    .hand_down = hand_down,
    .set_shares = set_shares,
    .set_bandwidth = set_bandwidth,
    .get_cpu = get_cpu,
    .get_usage = get_usage,
};
