/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is not as planned. A partition that a definition names is its operator's: it bounds what the
 * domain has, and nothing is ever written to it. */
#include "limits/mend.h"

#include "host/thread.h"
#include "limits/apply.h"
#include "limits/report.h"
#include "util/file.h"

typedef struct Mender {
    const Limits *limits;
    LimitsPlan *plan;
    LimitMending lines;
    Bitmap *bound;     /* the CPUs that the domain's own group has; NULL: unknown */
    Bitmap *inherited; /* v1: the CPUs of a group that asks for none of its own */
} Mender;

static void mender_done(Mender *mender) {
    limit_mending_done(&mender->lines);
    bitmap_free(mender->bound);
    bitmap_free(mender->inherited);
}

/* ---- the domain's own group ---- */

/* What v1 takes away with a host CPU comes back into the groups that are ours. */
static int give_back(Mender *mender, const Bitmap *came, Error **reterr) {
    const Limits *limits = mender->limits;

    return came && !bitmap_is_empty(came) && (limits->own_partition || limits->in_scope)
               ? cgroup_tree_give_back(limits->tree, came, reterr)
               : 0;
}

/* What the machine had, of the host CPUs that are there and that its partition has. */
static Bitmap *wanted_cpus(Mender *mender, const Bitmap *came) {
    CLEANUP_BITMAP Bitmap *wanted = bitmap_copy(mender->limits->had), *online = NULL;
    CLEANUP(cgroup_state_done) CgroupState partition = {0};
    LimitTarget bound = {0};
    Bitmap *bounded;

    if (!wanted || (came && bitmap_union(wanted, came) < 0) ||
        thread_online_cpus(NULL, &online, NULL) < 0)
        return NULL;
    bitmap_intersect(wanted, online);
    if (cgroup_tree_get_partition(mender->limits->tree, &partition, NULL) < 0)
        return TAKE_PTR(wanted);
    bound.bound = partition.effective_cpus;
    mender->lines.bound_name = mender->limits->partition;
    bounded = limit_bounded(&mender->lines, &bound, wanted);
    mender->lines.bound_name = mender->limits->group;
    return bounded;
}

static int mend_whole(Mender *mender, const Bitmap *came, Error **reterr) {
    const Limits *limits = mender->limits;
    CLEANUP(cgroup_state_done) CgroupState state = {0};
    CLEANUP_BITMAP Bitmap *wanted = NULL;
    int r = 0;

    mender->lines.label = "domain";
    if (!limits->tree || cgroup_tree_get(limits->tree, NULL, &state, NULL) < 0)
        return 0;
    mender->bound = TAKE_PTR(state.effective_cpus);
    if (!limits->had || cgroup_tree_version(limits->tree, CGROUP_CPUSET) != 1)
        return 0;
    r = give_back(mender, came, reterr);
    wanted = r >= 0 ? wanted_cpus(mender, came) : NULL;
    mender->inherited = TAKE_PTR(state.cpus);
    if (!wanted || bitmap_is_subset(wanted, mender->inherited))
        return r;
    if (bitmap_union(wanted, mender->inherited) < 0)
        return error_no_memory(reterr);
    limit_set_differs(&mender->lines, "cpuset.cpus", mender->inherited, wanted);
    r = cgroup_tree_set(limits->tree, NULL, &(CgroupValues){.cpus = wanted}, reterr);
    if (r < 0)
        return r;
    bitmap_free(mender->inherited);
    bitmap_free(mender->bound);
    mender->bound = bitmap_copy(wanted);
    mender->inherited = TAKE_PTR(wanted);
    return mender->bound ? 0 : error_no_memory(reterr);
}

/* ---- a thread ---- */

static bool is_elsewhere(Mender *mender, const ThreadPlan *thread, pid_t tid) {
    const Limits *limits = mender->limits;
    const char *top = streq(limits->partition, "/") ? "" : limits->partition;

    for (CgroupController c = 0; c < CGROUP_CONTROLLER_MAX; c++) {
        bool own = cgroup_tree_has_own(limits->tree, c, thread->child);
        CLEANUP_FREE char *is = NULL, *wanted = strf("%s/%s%s%s", top, limits->group,
                                                     own ? "/" : "", own ? thread->child : "");

        if (!wanted || cgroup_tree_require(limits->tree, c, NULL) < 0 ||
            cgroup_host_group_of(limits->host->cgroups, c, tid, &is, NULL) < 0 || streq(is, wanted))
            continue;
        limit_differs(&mender->lines, "cgroup", is, wanted);
        return true;
    }
    return false;
}

static bool kinds_differ(Mender *mender, const LimitTarget *target, const ThreadPlan *thread) {
    bool found = false;

    for (size_t i = 0; limit_kinds[i]; i++)
        found |= limit_kinds[i]->differs(target, limit_part(thread, i), &mender->lines);
    return found;
}

/* Of the emulator's threads the main one stands for all: they inherit from each other. */
static bool thread_differs(Mender *mender, LimitTarget target, const ThreadPlan *thread) {
    bool is_domain = thread->who.role == LIMIT_ROLE_DOMAIN, found = false;
    pid_t tid = thread->tid ? thread->tid : mender->plan->pid;

    limit_mending_next(&mender->lines, is_domain ? "domain" : thread->child);
    if (target.tree && !limit_state(&mender->lines, &target)) {
        limit_differs(&mender->lines, "cgroup", "missing", mender->lines.label);
        return true;
    }
    found = kinds_differ(mender, &target, thread);
    if (is_domain)
        return found;
    if (target.tree)
        found |= is_elsewhere(mender, thread, tid);
    target.tid = tid;
    return kinds_differ(mender, &target, thread) || found;
}

static LimitTarget target_of(const Mender *mender, const ThreadPlan *thread) {
    LimitTarget target = limits_target(mender->limits, thread);

    target.bound = mender->bound;
    target.inherited = mender->inherited;
    return target;
}

/* v2 takes a thread into a group only when its whole process is in the tree. */
static int fetch_process(Mender *mender, Error **reterr) {
    const Limits *limits = mender->limits;
    CLEANUP_FREE char *is = NULL, *tree = NULL;

    if (!limits->tree || cgroup_tree_version(limits->tree, CGROUP_CPUACCT) != 2)
        return 0;
    tree = strf("%s/%s", streq(limits->partition, "/") ? "" : limits->partition, limits->group);
    if (!tree)
        return error_no_memory(reterr);
    if (cgroup_host_group_of(limits->host->cgroups, CGROUP_CPUACCT, mender->plan->pid, &is, NULL) <
            0 ||
        strncmp(is, tree, strlen(tree)) == 0)
        return 0;
    return cgroup_tree_adopt(limits->tree, mender->plan->pid, reterr);
}

int limits_mend(const Limits *limits, LimitsPlan *plan, const Bitmap *came, FILE *out,
                Error **reterr) {
    CLEANUP(mender_done)
    Mender mender = {
        .limits = limits, .plan = plan, .lines = {.out = out, .bound_name = limits->group}};
    int result = fetch_process(&mender, reterr), r;

    r = mend_whole(&mender, came, result < 0 ? NULL : reterr);
    result = result < 0 ? result : r;
    limits_plan_sort(plan);
    for (size_t i = 0; i < plan->n_threads; i++) {
        LimitTarget target = target_of(&mender, &plan->threads[i]);

        if (!thread_differs(&mender, target, &plan->threads[i]))
            continue;
        target.keep = false;
        r = limits_apply_thread(limits, plan, &plan->threads[i], &target,
                                result < 0 ? NULL : reterr);
        result = result < 0 ? result : r;
    }
    return result < 0 ? result : mender.lines.n;
}

bool limits_differ(const Limits *limits, LimitsPlan *plan) {
    CLEANUP(mender_done) Mender mender = {.limits = limits, .plan = plan};

    for (size_t i = 0; i < plan->n_threads; i++)
        if (!plan->threads[i].made &&
            thread_differs(&mender, target_of(&mender, &plan->threads[i]), &plan->threads[i]))
            return true;
    return false;
}
