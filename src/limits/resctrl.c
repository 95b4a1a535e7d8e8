/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The resctrl group and the monitors of a vCPU's thread. The groups are made before the thread is
 * there (resctrl-group.c). */
#include "limits/resctrl.h"

#include <stdio.h>

#include "limits/kind.h"
#include "util/file.h"

#define TASKS_FILE_MAX (1u << 20)

typedef struct ResctrlPart {
    bool given;
    char *group; /* NULL: the default group */
    char **monitors;
    size_t n_monitors;
} ResctrlPart;

static bool has_group(const ResctrlDef *resctrl) {
    return resctrl->n_caches > 0 || resctrl->n_bandwidths > 0;
}

int limit_resctrl_name(const char *machine, const ResctrlDef *resctrl, char **ret) {
    CLEANUP_FREE char *list = NULL;

    *ret = NULL;
    if (!has_group(resctrl))
        return 0;
    list = bitmap_format(resctrl->vcpus);
    if (list)
        *ret = strf("%s-vcpus_%s", machine, list);
    return *ret ? 0 : -ENOMEM;
}

int limit_monitor_name(const char *machine, const ResctrlDef *resctrl, const MonitorDef *monitor,
                       char **ret) {
    CLEANUP_FREE char *list = NULL;

    *ret = NULL;
    if (has_group(resctrl) && bitmap_equal(monitor->vcpus, resctrl->vcpus))
        return 0;
    list = bitmap_format(monitor->vcpus);
    if (list) /* in the default group its name must be unique on the host */
        *ret = has_group(resctrl) ? strf("vcpus_%s", list) : strf("%s-vcpus_%s", machine, list);
    return *ret ? 0 : -ENOMEM;
}

static bool has_monitor(const ResctrlPart *part, const char *name) {
    for (size_t i = 0; i < part->n_monitors; i++)
        if (streq(part->monitors[i], name))
            return true;
    return false;
}

static int plan_monitors(const LimitPlanner *planner, const ResctrlDef *resctrl, unsigned id,
                         ResctrlPart *part) {
    part->monitors = calloc(resctrl->n_monitors + 1, sizeof(char *));
    if (!part->monitors)
        return -ENOMEM;
    for (size_t i = 0; i < resctrl->n_monitors; i++) {
        CLEANUP_FREE char *name = NULL;

        if (!bitmap_test(resctrl->monitors[i].vcpus, id))
            continue;
        if (limit_monitor_name(planner->machine, resctrl, &resctrl->monitors[i], &name) < 0)
            return -ENOMEM;
        if (name && !has_monitor(part, name)) /* one of the cache and one of the memory share it */
            part->monitors[part->n_monitors++] = TAKE_PTR(name);
    }
    return 0;
}

/* The sets are disjoint: a vCPU is in one at most. */
static int plan(const LimitPlanner *planner, const LimitThread *thread, void *arg) {
    const CpuTuneDef *tune = &planner->subject->def->cputune;
    ResctrlPart *part = arg;

    if (thread->role != LIMIT_ROLE_VCPU)
        return 0;
    for (size_t i = 0; i < tune->n_resctrls; i++) {
        if (!bitmap_test(tune->resctrls[i].vcpus, thread->id))
            continue;
        part->given = true;
        if (limit_resctrl_name(planner->machine, &tune->resctrls[i], &part->group) < 0)
            return -ENOMEM;
        return plan_monitors(planner, &tune->resctrls[i], thread->id, part);
    }
    return 0;
}

static void done(void *arg) {
    ResctrlPart *part = arg;

    for (size_t i = 0; i < part->n_monitors; i++)
        free(part->monitors[i]);
    free(part->monitors);
    free(part->group);
}

static int apply(const LimitTarget *target, void *arg, Error **reterr) {
    const ResctrlPart *part = arg;
    int r = 0;

    if (!part->given || !target->tid || !target->resctrl)
        return 0;
    if (part->group)
        r = resctrl_add_thread(target->resctrl, part->group, NULL, target->tid, reterr);
    for (size_t i = 0; i < part->n_monitors && r >= 0; i++)
        r = resctrl_add_thread(target->resctrl, part->group, part->monitors[i], target->tid,
                               reterr);
    return r;
}

static bool is_in(const LimitTarget *target, const char *group, const char *monitor) {
    CLEANUP_FREE char *text = NULL, *path = NULL;

    path = strf("%s%s%s%s%s/tasks", target->resctrl->root, group ? "/" : "", group ? group : "",
                monitor ? "/mon_groups/" : "", monitor ? monitor : "");
    if (!path || file_read(path, TASKS_FILE_MAX, &text, NULL) < 0)
        return false;
    for (char *at = text, *end;; at = end) {
        long id = strtol(at, &end, 10);

        if (end == at)
            return false;
        if (id == target->tid)
            return true;
    }
}

static bool differs(const LimitTarget *target, const void *arg, LimitMending *mending) {
    const ResctrlPart *part = arg;
    bool there;

    if (!part->given || !target->tid || !target->resctrl)
        return false;
    there = !part->group || is_in(target, part->group, NULL);
    for (size_t i = 0; i < part->n_monitors && there; i++)
        there = is_in(target, part->group, part->monitors[i]);
    if (!there)
        limit_differs(mending, "resctrl group", "another",
                      part->group ? part->group : "the default one");
    return !there;
}

const LimitKind limit_resctrl = {.name = "resctrl",
                                 .size = sizeof(ResctrlPart),
                                 .plan = plan,
                                 .done = done,
                                 .apply = apply,
                                 .differs = differs};
