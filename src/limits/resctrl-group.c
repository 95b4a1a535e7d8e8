/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's resctrl groups. */
#include "limits/resctrl-group.h"

#include "limits/resctrl.h"
#include "util/log.h"
#include "util/worker.h"

typedef struct GroupWork {
    const Resctrl *resctrl;
    char *group;
    ResctrlRequest request;
    char **monitors;
    size_t n_monitors;
    Error *error;
} GroupWork;

static void group_work_done(GroupWork *work) {
    for (size_t i = 0; i < work->n_monitors; i++)
        free(work->monitors[i]);
    free(work->monitors);
    free(work->group);
    error_free(work->error);
}

/* The request's arrays stay the definition's: that part of it never changes while the domain runs.
 */
static int group_work_new(const Limits *limits, const ResctrlDef *def, GroupWork *ret) {
    *ret = (GroupWork){.resctrl = limits->resctrl,
                       .request = {.caches = def->caches,
                                   .n_caches = def->n_caches,
                                   .bandwidths = def->bandwidths,
                                   .n_bandwidths = def->n_bandwidths}};
    ret->monitors = calloc(def->n_monitors + 1, sizeof(char *));
    if (!ret->monitors || limit_resctrl_name(limits->machine, def, &ret->group) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < def->n_monitors; i++) {
        char **to = &ret->monitors[ret->n_monitors];

        if (limit_monitor_name(limits->machine, def, &def->monitors[i], to) < 0)
            return -ENOMEM;
        ret->n_monitors += *to != NULL;
    }
    return 0;
}

static int run_remove(void *arg) {
    GroupWork *work = arg;
    int r = 0;

    for (size_t i = 0; i < work->n_monitors && !work->group && r >= 0; i++)
        r = resctrl_monitor_remove(work->resctrl, NULL, work->monitors[i], &work->error);
    return work->group && r >= 0 ? resctrl_group_remove(work->resctrl, work->group, &work->error)
                                 : r;
}

/* One of the cache and one of the memory share a monitor group. */
static bool is_again(const GroupWork *work, size_t i) {
    for (size_t k = 0; k < i; k++)
        if (streq(work->monitors[i], work->monitors[k]))
            return true;
    return false;
}

/* One of that name is left from a machine that ended while no daemon looked: domain ids begin anew
 * with the host. */
static int run_make(void *arg) {
    GroupWork *work = arg;
    int r = run_remove(work);

    if (r >= 0 && work->group)
        r = resctrl_group_create(work->resctrl, work->group, &work->request, &work->error);
    if (r < 0)
        return r;
    for (size_t i = 0; i < work->n_monitors && r >= 0; i++)
        if (!is_again(work, i))
            r = resctrl_monitor_create(work->resctrl, work->group, work->monitors[i], &work->error);
    if (r < 0) {
        Error *error = TAKE_PTR(work->error);

        run_remove(work);
        error_free(work->error);
        work->error = error;
    }
    return r;
}

static int group_error(const LimitsSubject *subject, const ResctrlDef *def, GroupWork *work,
                       Error **reterr) {
    CLEANUP_FREE char *list = bitmap_format(def->vcpus);
    int r = error_propagate(reterr, TAKE_PTR(work->error));

    if (reterr && *reterr)
        error_prefix(reterr, "the resctrl group of vCPUs '%s' of domain '%s'", list ? list : "?",
                     subject->name);
    return r;
}

int limits_groups_make(Limits *limits, const LimitsSubject *subject, const Bitmap *vcpus,
                       Error **reterr) {
    assert(limits->resctrl && limits->n_made == subject->def->cputune.n_resctrls);
    for (size_t i = 0; i < limits->n_made; i++) {
        const ResctrlDef *def = &subject->def->cputune.resctrls[i];
        CLEANUP(group_work_done) GroupWork work = {0};
        int r;

        if (limits->made[i] || !bitmap_overlaps(def->vcpus, vcpus))
            continue;
        if (group_work_new(limits, def, &work) < 0)
            return error_no_memory(reterr);
        r = worker_run(run_make, &work);
        if (r < 0)
            return group_error(subject, def, &work, reterr);
        limits->made[i] = true;
    }
    return 0;
}

static bool is_used(const DomainDef *def, const ResctrlDef *resctrl) {
    for (int id = bitmap_next(resctrl->vcpus, 0); id >= 0 && (unsigned)id < def->n_vcpus_max;
         id = bitmap_next(resctrl->vcpus, (unsigned)id + 1))
        if (def->vcpus[id].online)
            return true;
    return false;
}

void limits_groups_remove(Limits *limits, const LimitsSubject *subject, bool all) {
    assert(limits->n_made == subject->def->cputune.n_resctrls);
    for (size_t i = 0; limits->resctrl && i < limits->n_made; i++) {
        const ResctrlDef *def = &subject->def->cputune.resctrls[i];
        CLEANUP(group_work_done) GroupWork work = {0};

        if (!limits->made[i] || (!all && is_used(subject->def, def)) ||
            group_work_new(limits, def, &work) < 0)
            continue;
        if (worker_run(run_remove, &work) < 0)
            log_warning("domain '%s': %s", subject->name, error_message(work.error));
        else
            limits->made[i] = false;
    }
}
