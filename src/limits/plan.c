/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a live definition to what each thread shall have. Reads the definition and the vCPU map,
 * asks nobody. */
#include "limits/plan.h"

#include <stdio.h>

#include "host/thread.h"
#include "limits/param-list.h"

#define ALIGNMENT 16u

static size_t aligned(size_t size) {
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Of all parts of one thread. */
static size_t parts_size(void) {
    size_t size = 0;

    for (size_t i = 0; limit_kinds[i]; i++)
        size += aligned(limit_kinds[i]->size);
    return size;
}

void *limit_part(const ThreadPlan *thread, size_t i) {
    char *part = thread->parts;

    assert(thread->parts);
    for (size_t k = 0; k < i; k++)
        part += aligned(limit_kinds[k]->size);
    return part;
}

static void thread_plan_done(ThreadPlan *thread) {
    for (size_t i = 0; thread->parts && limit_kinds[i]; i++)
        if (limit_kinds[i]->done)
            limit_kinds[i]->done(limit_part(thread, i));
}

void limits_plan_done(LimitsPlan *plan) {
    for (size_t i = 0; i < plan->n_threads; i++)
        thread_plan_done(&plan->threads[i]);
    free(plan->threads);
    free(plan->parts);
    free(plan->others);
    free(plan->name);
    *plan = (LimitsPlan){0};
}

bool limits_needs_cgroup(const DomainDef *def) {
    const LimitParam *param;

    for (size_t i = 0; (param = limit_param(i)); i++)
        if (limit_param_get(param, def))
            return true;
    return def->partition != NULL;
}

/* ---- one thread ---- */

static int add_thread(const LimitPlanner *planner, LimitsPlan *plan, LimitThread who,
                      const char *format, pid_t tid) {
    ThreadPlan *thread = &plan->threads[plan->n_threads];

    *thread = (ThreadPlan){
        .who = who, .tid = tid, .parts = plan->parts + plan->n_threads * parts_size()};
    plan->n_threads++;
    snprintf(thread->child, sizeof(thread->child), format, who.id);
    for (size_t i = 0; limit_kinds[i]; i++)
        if (limit_kinds[i]->plan(planner, &who, limit_part(thread, i)) < 0)
            return -ENOMEM;
    return 0;
}

static int add_vcpu(const LimitPlanner *planner, LimitsPlan *plan, unsigned id) {
    const LimitsSubject *subject = planner->subject;
    pid_t tid = vcpu_map_tid(subject->vcpus, id);

    return tid && subject->def->vcpus[id].online
               ? add_thread(planner, plan, (LimitThread){LIMIT_ROLE_VCPU, id}, "vcpu%u", tid)
               : 0;
}

static int add_vcpus(const LimitPlanner *planner, LimitsPlan *plan, const LimitsScope *scope) {
    unsigned max = planner->subject->def->n_vcpus_max;
    int r = 0;

    for (unsigned id = 0; id < max && scope->all_vcpus && r >= 0; id++)
        r = add_vcpu(planner, plan, id);
    if (scope->all_vcpus || !scope->vcpus)
        return r;
    for (int id = bitmap_next(scope->vcpus, 0); id >= 0 && (unsigned)id < max && r >= 0;
         id = bitmap_next(scope->vcpus, (unsigned)id + 1))
        r = add_vcpu(planner, plan, (unsigned)id);
    return r;
}

static int add_iothreads(const LimitPlanner *planner, LimitsPlan *plan, const LimitsScope *scope) {
    const LimitsSubject *subject = planner->subject;
    int r = 0;

    for (size_t i = 0; i < subject->def->n_iothreads && r >= 0; i++) {
        unsigned id = subject->def->iothreads[i].id;
        const Iothread *iothread = iothread_list_find(subject->iothreads, id);

        if (iothread && iothread->tid && (scope->all_iothreads || scope->iothread == id))
            r = add_thread(planner, plan, (LimitThread){LIMIT_ROLE_IOTHREAD, id}, "iothread%u",
                           iothread->tid);
    }
    return r;
}

/* ---- all ---- */

static int plan_others(const LimitsSubject *subject, LimitsPlan *plan) {
    const VcpuMap *vcpus = subject->vcpus;

    plan->others = calloc((size_t)vcpus->n_vcpus + subject->iothreads->n + 1, sizeof(pid_t));
    if (!plan->others)
        return -ENOMEM;
    for (unsigned id = 0; id < vcpus->n_vcpus; id++)
        if (vcpu_map_tid(vcpus, id))
            plan->others[plan->n_others++] = vcpu_map_tid(vcpus, id);
    for (size_t i = 0; i < subject->iothreads->n; i++)
        if (subject->iothreads->list[i].tid)
            plan->others[plan->n_others++] = subject->iothreads->list[i].tid;
    return 0;
}

static int plan_all(const LimitPlanner *planner, const LimitsScope *scope, LimitsPlan *plan) {
    const LimitThread group = {LIMIT_ROLE_DOMAIN, 0}, emulator = {LIMIT_ROLE_EMULATOR, 0};
    int r = scope->group ? add_thread(planner, plan, group, "", 0) : 0;

    if (r >= 0 && scope->emulator)
        r = plan_others(planner->subject, plan);
    if (r >= 0 && scope->emulator)
        r = add_thread(planner, plan, emulator, "emulator", 0);
    if (r >= 0)
        r = add_vcpus(planner, plan, scope);
    return r < 0 ? r : add_iothreads(planner, plan, scope);
}

static size_t count_threads(const DomainDef *def, const LimitsScope *scope) {
    size_t vcpus = scope->all_vcpus ? def->n_vcpus_max
                   : scope->vcpus   ? bitmap_count(scope->vcpus)
                                    : 0;

    return vcpus + (scope->all_iothreads ? def->n_iothreads : 1) + 2;
}

static const LimitKind *find_kind(const char *name) {
    for (size_t i = 0; name && limit_kinds[i]; i++)
        if (streq(limit_kinds[i]->name, name))
            return limit_kinds[i];
    return NULL;
}

int limits_plan(const Limits *limits, const LimitsSubject *subject, const LimitsScope *scope,
                bool newborn, LimitsPlan *ret, Error **reterr) {
    CLEANUP(limits_plan_done)
    LimitsPlan plan = {
        .name = strdup(subject->name), .pid = subject->pid, .only = find_kind(scope->kind)};
    CLEANUP_BITMAP Bitmap *online = NULL, *fallback = NULL;
    LimitPlanner planner = {.subject = subject,
                            .machine = limits->machine,
                            .newborn = newborn,
                            .wide_memory = scope->wide_memory};
    size_t n = count_threads(subject->def, scope);
    int r = thread_default_cpus(NULL, &fallback, reterr);

    assert(limits->machine && subject->def && subject->vcpus && subject->iothreads);
    assert(!scope->kind || plan.only);
    if (r >= 0)
        r = thread_online_cpus(NULL, &online, reterr);
    if (r < 0)
        return r;
    planner.online = online;
    planner.fallback = fallback;
    plan.threads = calloc(n, sizeof(ThreadPlan));
    plan.parts = calloc(n, parts_size());
    if (!plan.name || !plan.threads || !plan.parts)
        return error_no_memory(reterr);
    plan.needs_cpu = limits_needs_cgroup(subject->def);
    if (plan_all(&planner, scope, &plan) < 0)
        return error_no_memory(reterr);
    *ret = plan;
    plan = (LimitsPlan){0};
    return 0;
}
