/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Carries plans out on a worker: per thread its cgroup, affinity, scheduler and resctrl group, in
 * that order, since a real-time thread cannot enter a cgroup without a budget but may get its
 * policy there, and a cpuset that is narrowed overrides the affinity. And finds what is not as
 * planned. */
#include <dirent.h>
#include <stdio.h>

#include "limits/limits-internal.h"
#include "util/file.h"
#include "host/scope.h"
#include "host/thread.h"

#define TASKS_FILE_MAX (1u << 20)
#define EMULATOR_PASSES 3 /* QEMU makes and ends threads of its own at any time */

static int compare_pid(const void *a, const void *b) {
    pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

    return (x > y) - (x < y);
}

static bool is_other(const LimitsPlan *plan, pid_t tid) {
    return bsearch(&tid, plan->others, plan->n_others, sizeof(pid_t), compare_pid) != NULL;
}

static CgroupValues values_of(const Limits *limits, const ThreadPlan *thread) {
    bool cpuset = cgroup_tree_require(limits->tree, CGROUP_CPUSET, NULL) >= 0;

    return (CgroupValues){.cpus = cpuset ? thread->cpus
                                         : NULL, /* else the affinity alone has to do */
                          .mems = cpuset ? thread->mems : NULL,
                          .period = thread->bandwidth.period,
                          .quota = thread->bandwidth.quota};
}

static int apply_resctrls(const Limits *limits, const ThreadPlan *thread, pid_t tid,
                          Error **reterr) {
    int r = 0;

    for (size_t i = 0; i < thread->n_resctrls && r >= 0; i++) {
        const ResctrlPlan *plan = &thread->resctrls[i];

        if (plan->group)
            r = resctrl_add_thread(limits->resctrl, plan->group, NULL, tid, reterr);
        for (size_t k = 0; k < plan->n_monitors && r >= 0; k++)
            r = resctrl_add_thread(limits->resctrl, plan->group, plan->monitors[k], tid, reterr);
    }
    return r;
}

static int apply_one(const Limits *limits, const ThreadPlan *thread, Error **reterr) {
    int r = 0;

    if (limits->tree) {
        CgroupValues values = values_of(limits, thread);

        r = cgroup_tree_place(limits->tree, thread->child, thread->tid, &values, reterr);
    }
    if (r >= 0)
        r = thread_set_affinity(thread->tid, thread->affinity, reterr);
    if (r >= 0 && thread->set_sched)
        r = thread_set_scheduler(thread->tid, thread->sched.policy, thread->sched.priority, reterr);
    return r < 0 ? r : apply_resctrls(limits, thread, thread->tid, reterr);
}

/* A thread of the emulator that ends meanwhile is none. */
static int unless_gone(int r, Error *error, Error **reterr) {
    if (r >= 0)
        return 0;
    if (r == -ESRCH) {
        error_free(error);
        return 0;
    }
    error_propagate(reterr, error);
    return r;
}

static int attach_emulator_thread(const Limits *limits, const ThreadPlan *thread, pid_t tid,
                                  Error **reterr) {
    Error *error = NULL;
    int r = cgroup_tree_attach(limits->tree, thread->child, tid, &error);

    return unless_gone(r, error, reterr);
}

static int set_emulator_thread(const Limits *limits, const ThreadPlan *thread, pid_t tid,
                               Error **reterr) {
    Error *error = NULL;
    int r = thread_set_affinity(tid, thread->affinity, &error);

    if (r >= 0 && thread->set_sched)
        r = thread_set_scheduler(tid, thread->sched.policy, thread->sched.priority, &error);
    return unless_gone(r, error, reterr);
}

static int each_emulator_thread(const Limits *limits, const LimitsPlan *plan,
                                const ThreadPlan *thread,
                                int (*func)(const Limits *limits, const ThreadPlan *thread,
                                            pid_t tid, Error **reterr),
                                Error **reterr) {
    CLEANUP_FREE char *path = strf("/proc/%d/task", (int)plan->pid);
    struct dirent *entry;
    DIR *dir = path ? opendir(path) : NULL;
    int r = 0;

    if (!dir)
        return error_system(reterr, FROM_QEMU, path ? errno : ENOMEM,
                            "cannot list QEMU's threads in '%s'", path ? path : "/proc");
    while (r >= 0 && (entry = readdir(dir))) {
        pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

        if (tid > 0 && !is_other(plan, tid))
            r = func(limits, thread, tid, reterr);
    }
    closedir(dir);
    return r;
}

/* The cpuset before the affinity: it bounds what a thread may be pinned to. */
static int apply_emulator(const Limits *limits, const LimitsPlan *plan, const ThreadPlan *thread,
                          Error **reterr) {
    int r = 0;

    if (limits->tree) {
        CgroupValues values = values_of(limits, thread);

        r = cgroup_tree_add(limits->tree, thread->child, reterr);
        for (int pass = 0; pass < EMULATOR_PASSES && r >= 0; pass++)
            r = each_emulator_thread(limits, plan, thread, attach_emulator_thread, reterr);
        if (r >= 0)
            r = cgroup_tree_set(limits->tree, thread->child, &values, reterr);
    }
    return r < 0 ? r : each_emulator_thread(limits, plan, thread, set_emulator_thread, reterr);
}

static int apply_thread(const Limits *limits, const LimitsPlan *plan, const ThreadPlan *thread,
                        const char *name, Error **reterr) {
    int r = thread->tid ? apply_one(limits, thread, reterr)
                        : apply_emulator(limits, plan, thread, reterr);

    if (r < 0 && reterr && *reterr)
        error_prefix(reterr, "%s of domain '%s'", thread->child, name);
    return r;
}

/* In a scope it is the scope that competes with other machines. */
static int apply_scope_share(const Limits *limits, uint64_t shares, Error **reterr) {
    bool is_v1 = cgroup_host_version(limits->host->cgroups, CGROUP_CPU) == 1;

    return scope_set_share(NULL, limits->machine, is_v1 ? "CPUShares" : "CPUWeight",
                           is_v1 ? shares : cgroup_shares_to_weight(shares), SCOPE_USEC, reterr);
}

static int apply_group(const Limits *limits, const LimitsPlan *plan, Error **reterr) {
    CgroupValues values = {
        .shares = plan->shares, .period = plan->global.period, .quota = plan->global.quota};
    int r = limits->tree ? cgroup_tree_set(limits->tree, NULL, &values, reterr) : 0;

    if (r < 0 || !limits->in_scope || !plan->shares)
        return r;
    return apply_scope_share(limits, plan->shares, reterr);
}

int limits_apply(const Limits *limits, const LimitsPlan *plan, const char *name, Error **reterr) {
    CLEANUP_ERROR Error *later = NULL;
    int r = 0;

    if (!limits->tree && plan->needs_cpu)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "domain '%s': cgroup CPU is required for scheduler tuning: %s", name,
                            limits->no_tree);
    qsort(plan->others, plan->n_others, sizeof(pid_t), compare_pid);
    /* v1 holds each child to its parent's share: growing goes from the top, shrinking from below.
     * Whichever it is, one of the two succeeds before the children and one after. */
    if (plan->group && apply_group(limits, plan, &later) >= 0)
        error_free(TAKE_PTR(later));
    for (size_t i = 0; i < plan->n_threads && r >= 0; i++)
        r = apply_thread(limits, plan, &plan->threads[i], name, reterr);
    if (r >= 0 && later) {
        r = apply_group(limits, plan, reterr);
        if (r < 0 && reterr && *reterr)
            error_prefix(reterr, "domain '%s'", name);
    }
    return r;
}

/* ---- what is not as planned ---- */

typedef struct Mending {
    const Limits *limits;
    const char *name;
    FILE *out;
    int n;
    Bitmap *inherited; /* v1: the CPUs of a thread's group that has none of its own in the plan */
} Mending;

static void differs(Mending *mending, const char *child, const char *what, const char *is,
                    const char *wanted) {
    fprintf(mending->out, "%s: %s was '%s', is '%s' again\n", child, what, is, wanted);
    mending->n++;
}

static bool differs_in_set(Mending *mending, const char *child, const char *what, const Bitmap *is,
                           const Bitmap *wanted) {
    CLEANUP_FREE char *is_text = NULL, *wanted_text = NULL;

    if (!wanted || (is && bitmap_equal(is, wanted)))
        return false;
    is_text = is ? bitmap_format(is) : strdup("");
    wanted_text = bitmap_format(wanted);
    differs(mending, child, what, is_text ? is_text : "?", wanted_text ? wanted_text : "?");
    return true;
}

static bool differs_in_number(Mending *mending, const char *child, const char *what, int64_t is,
                              int64_t wanted) {
    char is_text[24], wanted_text[24];

    if (!wanted || is == wanted || (is < 0 && wanted < 0))
        return false;
    snprintf(is_text, sizeof(is_text), "%lld", (long long)is);
    snprintf(wanted_text, sizeof(wanted_text), "%lld", (long long)wanted);
    differs(mending, child, what, is_text, wanted_text);
    return true;
}

/* *ret_effective (may be NULL): the CPUs the group comes to have; NULL without a cpuset. */
static bool group_differs(Mending *mending, const char *child, const char *label,
                          const CgroupValues *values, Bitmap **ret_effective) {
    CLEANUP(cgroup_state_done) CgroupState state = {0};
    bool found = false;

    if (cgroup_tree_get(mending->limits->tree, child, &state, NULL) < 0) {
        differs(mending, label, "cgroup", "missing", label);
        return true;
    }
    found |= differs_in_set(mending, label, "cpuset.cpus", state.cpus, values->cpus);
    found |= differs_in_set(mending, label, "cpuset.mems", state.mems, values->mems);
    if (values->shares && state.weight) /* v2 keeps less exact numbers */
        found |= differs_in_number(mending, label, "cpu.weight", (int64_t)state.weight,
                                   (int64_t)cgroup_shares_to_weight(values->shares));
    else
        found |= differs_in_number(mending, label, "cpu.shares", (int64_t)state.shares,
                                   (int64_t)values->shares);
    found |= differs_in_number(mending, label, "period", (int64_t)state.period,
                               (int64_t)values->period);
    found |= differs_in_number(mending, label, "quota", state.quota, values->quota);
    if (ret_effective)
        *ret_effective = TAKE_PTR(state.effective_cpus);
    return found;
}

static bool is_elsewhere(Mending *mending, const ThreadPlan *thread, pid_t tid) {
    const Limits *limits = mending->limits;
    CLEANUP_FREE char *wanted = strf("%s/%s/%s",
                                     streq(limits->partition, "/") ? "" : limits->partition,
                                     limits->group, thread->child);

    for (CgroupController c = 0; wanted && c < CGROUP_CONTROLLER_MAX; c++) {
        CLEANUP_FREE char *is = NULL;

        if (cgroup_tree_require(limits->tree, c, NULL) < 0 ||
            cgroup_host_group_of(limits->host->cgroups, c, tid, &is, NULL) < 0 || streq(is, wanted))
            continue;
        differs(mending, thread->child, "cgroup", is, wanted);
        return true;
    }
    return false;
}

/* What it may run on is bounded by what its group has, which an ancestor of the group may bound. */
static bool affinity_differs(Mending *mending, const ThreadPlan *thread, pid_t tid,
                             const Bitmap *effective) {
    CLEANUP_BITMAP Bitmap *is = NULL, *wanted = bitmap_copy(thread->affinity);

    if (!wanted || thread_get_affinity(tid, &is, NULL) < 0)
        return false;
    if (effective)
        bitmap_intersect(wanted, effective);
    return !bitmap_is_empty(wanted) &&
           differs_in_set(mending, thread->child, "affinity", is, wanted);
}

static bool is_in(const Mending *mending, const char *group, const char *monitor, pid_t tid) {
    CLEANUP_FREE char *text = NULL, *path = NULL;

    path = strf("%s%s%s%s%s/tasks", mending->limits->resctrl->root, group ? "/" : "",
                group ? group : "", monitor ? "/mon_groups/" : "", monitor ? monitor : "");
    if (!path || file_read(path, TASKS_FILE_MAX, &text, NULL) < 0)
        return false;
    for (char *at = text, *end;; at = end) {
        long id = strtol(at, &end, 10);

        if (end == at)
            return false;
        if (id == tid)
            return true;
    }
}

static bool resctrls_differ(Mending *mending, const ThreadPlan *thread, pid_t tid) {
    for (size_t i = 0; i < thread->n_resctrls; i++) {
        const ResctrlPlan *plan = &thread->resctrls[i];
        bool there = !plan->group || is_in(mending, plan->group, NULL, tid);

        for (size_t k = 0; k < plan->n_monitors && there; k++)
            there = is_in(mending, plan->group, plan->monitors[k], tid);
        if (!there) {
            differs(mending, thread->child, "resctrl group", "another",
                    plan->group ? plan->group : "the default one");
            return true;
        }
    }
    return false;
}

static bool thread_differs(Mending *mending, const ThreadPlan *thread, pid_t tid,
                           const Bitmap *effective) {
    ThreadPolicy policy = THREAD_POLICY_OTHER;
    int priority = 0;
    bool found = mending->limits->tree && is_elsewhere(mending, thread, tid);

    if (mending->limits->resctrl)
        found |= resctrls_differ(mending, thread, tid);
    found |= affinity_differs(mending, thread, tid, effective);
    if (thread->set_sched && thread_get_scheduler(tid, &policy, &priority, NULL) >= 0 &&
        (policy != thread->sched.policy ||
         (thread_policy_is_realtime(policy) && priority != thread->sched.priority))) {
        differs(mending, thread->child, "scheduler", thread_policy_to_string(policy),
                thread_policy_to_string(thread->sched.policy));
        found = true;
    }
    return found;
}

/* The emulator's threads: its main one stands for all, they inherit from each other. */
static bool plan_differs(Mending *mending, const LimitsPlan *plan, const ThreadPlan *thread) {
    pid_t tid = thread->tid ? thread->tid : plan->pid;
    CLEANUP_BITMAP Bitmap *effective = NULL;
    bool found = false;

    if (mending->limits->tree) {
        CgroupValues values = values_of(mending->limits, thread);

        found = group_differs(mending, thread->child, thread->child, &values, &effective);
    }
    return thread_differs(mending, thread, tid, effective) || found;
}

/* What the machine had, and what its pins were checked against, of the host CPUs that have gone and
 * come since; v2 does it by itself. */
static int give_back(Mending *mending, const LimitsPlan *plan, Error **reterr) {
    const Limits *limits = mending->limits;
    CLEANUP_BITMAP Bitmap *wanted = limits->had ? bitmap_copy(limits->had) : NULL, *online = NULL;
    CLEANUP(cgroup_state_done) CgroupState state = {0};
    int r;

    if (!limits->tree || !wanted ||
        cgroup_host_version(limits->host->cgroups, CGROUP_CPUSET) != 1 ||
        cgroup_tree_get(limits->tree, NULL, &state, NULL) < 0 ||
        thread_online_cpus(NULL, &online, NULL) < 0)
        return 0;
    for (size_t i = 0; i < plan->n_threads; i++)
        if (plan->threads[i].cpus && bitmap_union(wanted, plan->threads[i].cpus) < 0)
            return error_no_memory(reterr);
    bitmap_intersect(wanted, online);
    mending->inherited = TAKE_PTR(state.cpus);
    if (bitmap_is_subset(wanted, mending->inherited))
        return 0;
    if (bitmap_union(wanted, mending->inherited) < 0)
        return error_no_memory(reterr);
    differs_in_set(mending, "domain", "cpuset.cpus", mending->inherited, wanted);
    r = cgroup_tree_give_back(limits->tree, wanted, reterr);
    if (r >= 0) {
        bitmap_free(mending->inherited);
        mending->inherited = TAKE_PTR(wanted);
    }
    return r;
}

/* The first failure is the error; what comes after it is mended all the same. */
int limits_mend(const Limits *limits, const LimitsPlan *plan, const char *name, FILE *out,
                Error **reterr) {
    Mending mending = {.limits = limits, .name = name, .out = out};
    CgroupValues group = {
        .shares = plan->shares, .period = plan->global.period, .quota = plan->global.quota};
    int result = give_back(&mending, plan, reterr);

    qsort(plan->others, plan->n_others, sizeof(pid_t), compare_pid);
    if (plan->group && limits->tree && group_differs(&mending, NULL, "domain", &group, NULL)) {
        int r = apply_group(limits, plan, result < 0 ? NULL : reterr);

        result = result < 0 ? result : r;
    }
    for (size_t i = 0; i < plan->n_threads; i++) {
        ThreadPlan thread = plan->threads[i];

        if (!thread.cpus)
            thread.cpus = mending.inherited;
        if (plan_differs(&mending, plan, &thread)) {
            int r = apply_thread(limits, plan, &thread, name, result < 0 ? NULL : reterr);

            result = result < 0 ? result : r;
        }
    }
    bitmap_free(mending.inherited);
    return result < 0 ? result : mending.n;
}
