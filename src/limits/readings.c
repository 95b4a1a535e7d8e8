/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counters of cgroups and resctrl. The tree is looked up on the loop: a mending may replace it
 * while a worker reads. */
#include "limits/readings.h"

#include <stdio.h>

#include "limits/plan.h"
#include "limits/resctrl.h"
#include "util/worker.h"

typedef struct Reading {
    Limits *limits;
    CgroupTree *tree;
    const char *child;
    CgroupUsage usage;
    CgroupState state;
    unsigned *ids;
    size_t n_ids, n;
    uint64_t *times;
    char *group, *monitor;
    const char *feature;
    ResctrlReading *readings;
    Error *error;
} Reading;

static int read_it(Limits *limits, Reading *reading, WorkerFunc func, Error **reterr) {
    int r;

    reading->limits = limits_ref(limits);
    reading->tree = limits->tree;
    r = worker_run(func, reading);
    limits_unref(limits);
    return r < 0 ? error_propagate(reterr, TAKE_PTR(reading->error)) : 0;
}

static int run_usage(void *arg) {
    Reading *reading = arg;

    return cgroup_tree_usage(reading->tree, reading->child, &reading->usage, &reading->error);
}

int limits_usage(Limits *limits, const char *name, const char *child, CgroupUsage *ret,
                 Error **reterr) {
    Reading reading = {.child = child};
    int r = limits_require(limits, name, CGROUP_CPUACCT, reterr);

    if (r >= 0)
        r = read_it(limits, &reading, run_usage, reterr);
    if (r >= 0)
        *ret = reading.usage;
    return r;
}

LimitsHeld limits_hold(Limits *limits) {
    return (LimitsHeld){limits ? limits_ref(limits) : NULL, limits ? limits->tree : NULL};
}

int limits_read_held(const LimitsHeld *held, CgroupUsage *ret) {
    return held->tree ? cgroup_tree_usage(held->tree, NULL, ret, NULL) : -ENOENT;
}

int limits_read_throttled(const LimitsHeld *held, const char *child, uint64_t *ret) {
    return held->tree ? cgroup_tree_throttled(held->tree, child, ret) : -ENOENT;
}

void limits_let_go(LimitsHeld *held) {
    assert(held->limits || !held->tree);
    if (held->limits)
        limits_unref(held->limits);
    *held = (LimitsHeld){0};
}

static int run_percpu(void *arg) {
    Reading *reading = arg;

    return cgroup_tree_usage_percpu(reading->tree, NULL, &reading->times, &reading->n,
                                    &reading->error);
}

int limits_usage_percpu(Limits *limits, const char *name, uint64_t **ret, size_t *ret_n,
                        Error **reterr) {
    Reading reading = {0};
    int r = limits_require(limits, name, CGROUP_CPUACCT, reterr);

    if (r >= 0)
        r = read_it(limits, &reading, run_percpu, reterr);
    if (r < 0)
        return r;
    *ret = reading.times;
    *ret_n = reading.n;
    return 0;
}

static int run_vcpu_times(void *arg) {
    Reading *reading = arg;

    for (size_t i = 0; i < reading->n_ids; i++) {
        CLEANUP_FREE uint64_t *one = NULL;
        char child[CHILD_NAME_SIZE];
        size_t n = 0;
        int r;

        snprintf(child, sizeof(child), "vcpu%u", reading->ids[i]);
        r = cgroup_tree_usage_percpu(reading->tree, child, &one, &n, &reading->error);
        if (r < 0)
            return r;
        if (!reading->times)
            reading->times = calloc(n + 1, sizeof(uint64_t));
        if (!reading->times)
            return error_no_memory(&reading->error);
        if (i == 0)
            reading->n = n;
        for (size_t cpu = 0; cpu < n && cpu < reading->n; cpu++)
            reading->times[cpu] += one[cpu];
    }
    return 0;
}

int limits_vcpu_times(Limits *limits, const LimitsSubject *subject, uint64_t **ret, size_t *ret_n,
                      Error **reterr) {
    unsigned max = subject->def->n_vcpus_max;
    CLEANUP_FREE unsigned *ids = calloc(max + 1, sizeof(unsigned));
    Reading reading = {.ids = ids};
    int r = limits_require(limits, subject->name, CGROUP_CPUACCT, reterr);

    if (r >= 0 && !ids)
        r = error_no_memory(reterr);
    for (unsigned id = 0; r >= 0 && id < max; id++)
        if (vcpu_map_tid(subject->vcpus, id))
            ids[reading.n_ids++] = id;
    if (r >= 0)
        r = read_it(limits, &reading, run_vcpu_times, reterr);
    if (r < 0) {
        free(reading.times);
        return r;
    }
    *ret = reading.times;
    *ret_n = reading.n;
    return 0;
}

static int run_state(void *arg) {
    Reading *reading = arg;

    return cgroup_tree_get(reading->tree, NULL, &reading->state, &reading->error);
}

int limits_shares(Limits *limits, uint64_t *ret, Error **reterr) {
    Reading reading = {0};
    int r;

    *ret = 0;
    if (!limits || !limits->tree)
        return 0;
    r = read_it(limits, &reading, run_state, reterr);
    if (r >= 0)
        *ret = reading.state.shares;
    cgroup_state_done(&reading.state);
    return r;
}

static int run_monitor(void *arg) {
    Reading *reading = arg;

    return resctrl_monitor_read(reading->limits->resctrl, reading->group, reading->monitor,
                                reading->feature, &reading->readings, &reading->n, &reading->error);
}

int limits_monitor(Limits *limits, const LimitsSubject *subject, size_t resctrl, size_t monitor,
                   const char *feature, ResctrlReading **ret, size_t *ret_n, Error **reterr) {
    const ResctrlDef *def = &subject->def->cputune.resctrls[resctrl];
    Reading reading = {.feature = feature};
    int r = 0;

    assert(resctrl < subject->def->cputune.n_resctrls && monitor < def->n_monitors);
    if (!limits || !limits->resctrl)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain '%s' has no resctrl monitors", subject->name);
    if (limit_resctrl_name(limits->machine, def, &reading.group) < 0 ||
        limit_monitor_name(limits->machine, def, &def->monitors[monitor], &reading.monitor) < 0)
        r = error_no_memory(reterr);
    if (r >= 0)
        r = read_it(limits, &reading, run_monitor, reterr);
    free(reading.group);
    free(reading.monitor);
    if (r < 0)
        return r;
    *ret = reading.readings;
    *ret_n = reading.n;
    return 0;
}
