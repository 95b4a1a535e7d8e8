/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pins: the CPUs of a thread's cgroup and its affinity. */
#include "host/thread.h"
#include "limits/kind.h"

typedef struct PinPart {
    Bitmap *cpus; /* for the group; NULL: its parent's */
    Bitmap *affinity;
    Bitmap *had_cpus, *had_affinity; /* kept */
} PinPart;

static const Bitmap *pin_of(const DomainDef *def, const LimitThread *thread) {
    const IothreadDef *iothread;

    switch (thread->role) {
    case LIMIT_ROLE_VCPU:
        return def->vcpus[thread->id].pin;
    case LIMIT_ROLE_EMULATOR:
        return def->cputune.emulator_pin;
    case LIMIT_ROLE_IOTHREAD:
        iothread = domain_def_iothread(def, thread->id);
        return iothread ? iothread->pin : NULL;
    case LIMIT_ROLE_DOMAIN:
        break;
    }
    return NULL;
}

/* A pin, else the domain's own set, else everything. What is offline cannot be asked for now; it is
 * added when it comes. A set of which nothing is online is left whole: the kernel says so. */
static int plan(const LimitPlanner *planner, const LimitThread *thread, void *arg) {
    const DomainDef *def = planner->subject->def;
    const Bitmap *pin = pin_of(def, thread), *wanted = pin ? pin : def->cpuset;
    PinPart *part = arg;

    if (thread->role == LIMIT_ROLE_DOMAIN)
        return 0;
    part->affinity = bitmap_copy(wanted ? wanted : planner->fallback);
    if (!part->affinity)
        return -ENOMEM;
    if (!wanted)
        return 0;
    if (bitmap_overlaps(part->affinity, planner->online))
        bitmap_intersect(part->affinity, planner->online);
    part->cpus = bitmap_copy(part->affinity);
    return part->cpus ? 0 : -ENOMEM;
}

static void done(void *arg) {
    PinPart *part = arg;

    bitmap_free(part->cpus);
    bitmap_free(part->affinity);
    bitmap_free(part->had_cpus);
    bitmap_free(part->had_affinity);
}

static bool has_cpuset(const LimitTarget *target) {
    return target->tree && cgroup_tree_require(target->tree, CGROUP_CPUSET, NULL) >= 0;
}

/* The affinity, too: a group that is narrowed narrows those of its threads. */
static int keep_cpus(const LimitTarget *target, PinPart *part, Error **reterr) {
    CLEANUP(cgroup_state_done) CgroupState state = {0};
    int r = cgroup_tree_get(target->tree, target->child, &state, reterr);

    if (r < 0)
        return r;
    if (!part->had_affinity && target->first)
        thread_get_affinity(target->first, &part->had_affinity, NULL);
    bitmap_free(part->had_cpus);
    part->had_cpus = TAKE_PTR(state.cpus);
    return 0;
}

/* Without a cpuset the affinity alone has to do. */
static int apply_group(const LimitTarget *target, PinPart *part, Error **reterr) {
    const Bitmap *cpus = part->cpus ? part->cpus : target->inherited;
    CLEANUP_BITMAP Bitmap *bounded = NULL;
    int r = 0;

    if (!cpus || !has_cpuset(target))
        return 0;
    if (target->bound && bitmap_overlaps(cpus, target->bound)) {
        bounded = bitmap_copy(cpus);
        if (!bounded)
            return error_no_memory(reterr);
        bitmap_intersect(bounded, target->bound);
        cpus = bounded;
    }
    if (target->keep)
        r = keep_cpus(target, part, reterr);
    return r < 0 ? r
                 : cgroup_tree_set(target->tree, target->child, &(CgroupValues){.cpus = cpus},
                                   reterr);
}

static int apply(const LimitTarget *target, void *arg, Error **reterr) {
    PinPart *part = arg;
    int r = 0;

    if (!part->affinity)
        return 0;
    if (!target->tid)
        return apply_group(target, part, reterr);
    if (target->keep && !part->had_affinity)
        r = thread_get_affinity(target->tid, &part->had_affinity, reterr);
    return r < 0 ? r : thread_set_affinity(target->tid, part->affinity, reterr);
}

/* What it may run on is bounded by what its group has, which an ancestor of the group may bound. */
static bool affinity_differs(const LimitTarget *target, const PinPart *part,
                             LimitMending *mending) {
    const CgroupState *state = limit_state(mending, target);
    CLEANUP_BITMAP Bitmap *is = NULL, *wanted = bitmap_copy(part->affinity);

    if (!wanted || thread_get_affinity(target->tid, &is, NULL) < 0)
        return false;
    if (state && state->effective_cpus)
        bitmap_intersect(wanted, state->effective_cpus);
    return !bitmap_is_empty(wanted) && limit_set_differs(mending, "affinity", is, wanted);
}

static bool differs(const LimitTarget *target, const void *arg, LimitMending *mending) {
    const PinPart *part = arg;
    const CgroupState *state = limit_state(mending, target);
    CLEANUP_BITMAP Bitmap *wanted = NULL;

    if (!part->affinity)
        return false;
    if (target->tid)
        return affinity_differs(target, part, mending);
    if (!state || !state->cpus)
        return false;
    if (!part->cpus)
        return limit_set_differs(mending, "cpuset.cpus", state->cpus, target->inherited);
    wanted = limit_bounded(mending, target, part->cpus);
    return wanted && !bitmap_is_empty(wanted) && !bitmap_equal(state->cpus, part->cpus) &&
           limit_set_differs(mending, "cpuset.cpus", state->cpus, wanted);
}

/* The affinity has to be wider before the group is narrower, which the kernel sees to; a group that
 * is wider again does not widen it. */
static int restore(const LimitTarget *target, void *arg, Error **reterr) {
    PinPart *part = arg;

    if (target->tid)
        return part->had_affinity ? thread_set_affinity(target->tid, part->had_affinity, reterr)
                                  : 0;
    return part->had_cpus ? cgroup_tree_set(target->tree, target->child,
                                            &(CgroupValues){.cpus = part->had_cpus}, reterr)
                          : 0;
}

const LimitKind limit_pin = {.name = "pin",
                             .size = sizeof(PinPart),
                             .plan = plan,
                             .done = done,
                             .apply = apply,
                             .differs = differs,
                             .restore = restore};
