/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Carries plans out: per thread its cgroup, and each kind of limit in the order of the table. */
#include "limits/apply.h"

#include <dirent.h>
#include <stdio.h>

#include "util/file.h"

#define EMULATOR_PASSES 3 /* QEMU makes and ends threads of its own at any time */

static int compare_pid(const void *a, const void *b) {
    pid_t x = *(const pid_t *)a, y = *(const pid_t *)b;

    return (x > y) - (x < y);
}

void limits_plan_sort(LimitsPlan *plan) {
    if (plan->n_others > 0)
        qsort(plan->others, plan->n_others, sizeof(pid_t), compare_pid);
}

static bool is_other(const LimitsPlan *plan, pid_t tid) {
    return plan->n_others > 0 &&
           bsearch(&tid, plan->others, plan->n_others, sizeof(pid_t), compare_pid) != NULL;
}

LimitTarget limits_target(const Limits *limits, const ThreadPlan *thread) {
    bool is_domain = thread->who.role == LIMIT_ROLE_DOMAIN;

    return (LimitTarget){.tree = limits->tree,
                         .child = is_domain ? NULL : thread->child,
                         .resctrl = limits->resctrl,
                         .scope = is_domain && limits->in_scope ? limits->machine : NULL,
                         .keep = !thread->made};
}

/* ---- the kinds ---- */

static int apply_kinds(const LimitTarget *target, const LimitsPlan *plan, ThreadPlan *thread,
                       Error **reterr) {
    bool all = !plan->only || thread->made;
    int r = 0;

    for (size_t i = 0; limit_kinds[i] && r >= 0; i++)
        if (all || plan->only == limit_kinds[i])
            r = limit_kinds[i]->apply(target, limit_part(thread, i), reterr);
    return r;
}

/* The last first. */
static int restore_kinds(const LimitTarget *target, const LimitsPlan *plan, ThreadPlan *thread,
                         Error **reterr) {
    size_t n = 0;
    int result = 0;

    while (limit_kinds[n])
        n++;
    while (n-- > 0) {
        int r = limit_kinds[n]->restore
                    ? limit_kinds[n]->restore(target, limit_part(thread, n), reterr)
                    : 0;

        result = result < 0 ? result : r;
    }
    return result;
}

/* ---- the emulator's threads ---- */

typedef int (*ThreadFunc)(const LimitTarget *target, const LimitsPlan *plan, ThreadPlan *thread,
                          Error **reterr);

static int attach(const LimitTarget *target, const LimitsPlan *plan, ThreadPlan *thread,
                  Error **reterr) {
    return cgroup_tree_attach(target->tree, target->child, target->tid, reterr);
}

/* A thread of the emulator that ends meanwhile is none. */
static int each_emulator_thread(const LimitTarget *group, const LimitsPlan *plan,
                                ThreadPlan *thread, ThreadFunc func, Error **reterr) {
    CLEANUP_FREE char *path = strf("/proc/%d/task", (int)plan->pid);
    struct dirent *entry;
    DIR *dir = path ? opendir(path) : NULL;
    int r = 0;

    if (!dir)
        return error_system(reterr, FROM_QEMU, path ? errno : ENOMEM,
                            "cannot list QEMU's threads in '%s'", path ? path : "/proc");
    while (r >= 0 && (entry = readdir(dir))) {
        CLEANUP_ERROR Error *error = NULL;
        LimitTarget target = *group;

        target.tid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (target.tid <= 0 || is_other(plan, target.tid))
            continue;
        r = func(&target, plan, thread, &error);
        if (r == -ESRCH)
            r = 0;
        else if (r < 0)
            error_propagate(reterr, TAKE_PTR(error));
    }
    closedir(dir);
    return r;
}

static int attach_all(const LimitTarget *group, const LimitsPlan *plan, ThreadPlan *thread,
                      Error **reterr) {
    int r = 0;

    if (thread->tid) {
        LimitTarget target = *group;

        target.tid = thread->tid;
        return attach(&target, plan, thread, reterr);
    }
    for (int pass = 0; pass < EMULATOR_PASSES && r >= 0; pass++)
        r = each_emulator_thread(group, plan, thread, attach, reterr);
    return r;
}

static int each_thread(const LimitTarget *group, const LimitsPlan *plan, ThreadPlan *thread,
                       ThreadFunc func, Error **reterr) {
    LimitTarget target = *group;

    if (thread->who.role == LIMIT_ROLE_DOMAIN)
        return 0;
    if (!thread->tid)
        return each_emulator_thread(group, plan, thread, func, reterr);
    target.tid = thread->tid;
    return func(&target, plan, thread, reterr);
}

/* ---- one thread ---- */

/* The thread moves before the sets are narrowed: v2 lets a group without threads have any set, and
 * checks nothing then; v1 needs the parent's set in it before a thread may enter, which add has
 * seen to. A change of one kind moves nobody whose group is there. */
static int enter_group(LimitTarget *group, const LimitsPlan *plan, ThreadPlan *thread,
                       Error **reterr) {
    int r;

    if (!group->tree || !group->child)
        return 0;
    r = cgroup_tree_add(group->tree, group->child, &thread->made, reterr);
    group->keep = !thread->made;
    return r < 0 || (plan->only && !thread->made) ? r : attach_all(group, plan, thread, reterr);
}

int limits_apply_thread(const Limits *limits, LimitsPlan *plan, ThreadPlan *thread,
                        const LimitTarget *as, Error **reterr) {
    LimitTarget group = *as;
    int r = enter_group(&group, plan, thread, reterr);

    assert(thread >= plan->threads && thread < plan->threads + plan->n_threads);
    thread->done = true;
    group.first = thread->tid ? thread->tid : plan->pid;
    if (r >= 0)
        r = apply_kinds(&group, plan, thread, reterr);
    if (r >= 0)
        r = each_thread(&group, plan, thread, apply_kinds, reterr);
    if (r < 0 && reterr && *reterr)
        error_prefix(reterr, group.child ? "%s of domain '%s'" : "%sdomain '%s'", thread->child,
                     plan->name);
    return r;
}

/* ---- all ---- */

static bool is_group(const ThreadPlan *thread) {
    return thread->who.role == LIMIT_ROLE_DOMAIN;
}

/* v1 holds each child to its parent's share: growing goes from the top, shrinking from below.
 * Whichever it is, one of the two succeeds before the children and one after. */
static int apply_all(const Limits *limits, LimitsPlan *plan, Error **reterr) {
    ThreadPlan *group = plan->n_threads > 0 && is_group(plan->threads) ? plan->threads : NULL;
    LimitTarget target;
    bool again = false;
    int r = 0;

    if (group) {
        target = limits_target(limits, group);
        again = limits_apply_thread(limits, plan, group, &target, NULL) < 0;
    }
    for (size_t i = group ? 1 : 0; i < plan->n_threads && r >= 0; i++) {
        target = limits_target(limits, &plan->threads[i]);
        r = limits_apply_thread(limits, plan, &plan->threads[i], &target, reterr);
    }
    if (r >= 0 && again) {
        target = limits_target(limits, group);
        r = limits_apply_thread(limits, plan, group, &target, reterr);
    }
    return r;
}

static int restore_thread(const Limits *limits, LimitsPlan *plan, ThreadPlan *thread,
                          Error **reterr) {
    LimitTarget group = limits_target(limits, thread);
    int r, result;

    if (!thread->done || thread->made)
        return 0;
    result = restore_kinds(&group, plan, thread, reterr);
    r = each_thread(&group, plan, thread, restore_kinds, result < 0 ? NULL : reterr);
    return result < 0 ? result : r;
}

int limits_restore(const Limits *limits, LimitsPlan *plan, Error **reterr) {
    ThreadPlan *group = plan->n_threads > 0 && is_group(plan->threads) ? plan->threads : NULL;
    bool again = group && restore_thread(limits, plan, group, NULL) < 0;
    int result = 0;

    for (size_t i = plan->n_threads; i-- > (group ? 1 : 0);) {
        int r = restore_thread(limits, plan, &plan->threads[i], result < 0 ? NULL : reterr);

        result = result < 0 ? result : r;
    }
    if (again) {
        int r = restore_thread(limits, plan, group, result < 0 ? NULL : reterr);

        result = result < 0 ? result : r;
    }
    return result;
}

int limits_apply(const Limits *limits, LimitsPlan *plan, Error **reterr) {
    int r;

    if (!limits->tree && plan->needs_cpu)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "domain '%s': cgroup CPU is required for scheduler tuning: %s",
                            plan->name, limits->no_tree);
    limits_plan_sort(plan);
    r = apply_all(limits, plan, reterr);
    if (r < 0)
        limits_restore(limits, plan, NULL);
    return r;
}
