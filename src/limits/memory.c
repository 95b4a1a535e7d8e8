/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The memory nodes of a thread's cgroup. */
#include "limits/kind.h"

typedef struct MemoryPart {
    Bitmap *nodes; /* NULL: its parent's */
    bool wide;     /* all that the domain's own group has */
    Bitmap *had;   /* kept */
} MemoryPart;

/* All that the guest's memory may come from, while threads that take it cannot be told apart. */
static int add_cells(const NumaTuneDef *tune, Bitmap *nodes) {
    for (size_t i = 0; i < tune->n_memnodes; i++)
        if (tune->memnodes[i].nodes && bitmap_union(nodes, tune->memnodes[i].nodes) < 0)
            return -ENOMEM;
    return 0;
}

static int plan(const LimitPlanner *planner, const LimitThread *thread, void *arg) {
    const NumaTuneDef *tune = &planner->subject->def->numatune;
    MemoryPart *part = arg;

    if (thread->role == LIMIT_ROLE_DOMAIN || !tune->nodes ||
        (tune->mode != NUMA_STRICT && tune->mode != NUMA_RESTRICTIVE))
        return 0;
    part->nodes = bitmap_copy(tune->nodes);
    if (!part->nodes)
        return -ENOMEM;
    part->wide = planner->wide_memory;
    return planner->newborn ? add_cells(tune, part->nodes) : 0;
}

static void done(void *arg) {
    MemoryPart *part = arg;

    bitmap_free(part->nodes);
    bitmap_free(part->had);
}

static int widen(const LimitTarget *target, MemoryPart *part, Error **reterr) {
    CLEANUP(cgroup_state_done) CgroupState state = {0};
    int r = cgroup_tree_get(target->tree, NULL, &state, reterr);

    if (r < 0 || !state.effective_mems)
        return r;
    bitmap_free(part->nodes);
    part->nodes = TAKE_PTR(state.effective_mems);
    return 0;
}

static int apply(const LimitTarget *target, void *arg, Error **reterr) {
    CLEANUP(cgroup_state_done) CgroupState state = {0};
    MemoryPart *part = arg;
    int r = 0;

    if (!part->nodes || target->tid || !target->tree ||
        cgroup_tree_require(target->tree, CGROUP_CPUSET, NULL) < 0)
        return 0;
    if (part->wide)
        r = widen(target, part, reterr);
    if (r >= 0 && target->keep) {
        r = cgroup_tree_get(target->tree, target->child, &state, reterr);
        bitmap_free(part->had);
        part->had = TAKE_PTR(state.mems);
    }
    return r < 0 ? r
                 : cgroup_tree_set(target->tree, target->child,
                                   &(CgroupValues){.mems = part->nodes}, reterr);
}

static bool differs(const LimitTarget *target, const void *arg, LimitMending *mending) {
    const MemoryPart *part = arg;
    const CgroupState *state = target->tid ? NULL : limit_state(mending, target);

    return state && state->mems &&
           limit_set_differs(mending, "cpuset.mems", state->mems, part->nodes);
}

static int restore(const LimitTarget *target, void *arg, Error **reterr) {
    MemoryPart *part = arg;

    return part->had && !target->tid ? cgroup_tree_set(target->tree, target->child,
                                                       &(CgroupValues){.mems = part->had}, reterr)
                                     : 0;
}

const LimitKind limit_memory = {.name = "memory",
                                .size = sizeof(MemoryPart),
                                .plan = plan,
                                .done = done,
                                .apply = apply,
                                .differs = differs,
                                .restore = restore};
