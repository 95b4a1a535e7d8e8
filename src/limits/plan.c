/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a live definition to what each thread shall have. Reads the definition and the vCPU map,
 * asks nobody. */
#include <stdio.h>

#include "qemu/iothread.h"
#include "limits/limits-internal.h"
#include "util/file.h"
#include "host/scope.h"

static void thread_plan_done(ThreadPlan *thread) {
    bitmap_free(thread->cpus);
    bitmap_free(thread->mems);
    bitmap_free(thread->affinity);
    for (size_t i = 0; i < thread->n_resctrls; i++) {
        for (size_t k = 0; k < thread->resctrls[i].n_monitors; k++)
            free(thread->resctrls[i].monitors[k]);
        free(thread->resctrls[i].monitors);
        free(thread->resctrls[i].group);
    }
    free(thread->resctrls);
}

void limits_plan_done(LimitsPlan *plan) {
    for (size_t i = 0; i < plan->n_threads; i++)
        thread_plan_done(&plan->threads[i]);
    free(plan->threads);
    free(plan->others);
    *plan = (LimitsPlan){0};
}

bool limits_needs_cgroup(const DomainDef *def) {
    const CpuTuneDef *tune = &def->cputune;

    return tune->shares || tune->vcpu.period || tune->vcpu.quota || tune->global.period ||
           tune->global.quota || tune->emulator.period || tune->emulator.quota ||
           tune->iothread.period || tune->iothread.quota || def->partition;
}

int limits_resctrl_name(const Domain *domain, const ResctrlDef *resctrl, char **ret) {
    CLEANUP_FREE char *machine = NULL, *list = NULL;

    *ret = NULL;
    if (resctrl->n_caches == 0 && resctrl->n_bandwidths == 0)
        return 0;
    machine = scope_machine_name((unsigned)domain->run->id, domain_name(domain));
    list = bitmap_format(resctrl->vcpus);
    if (machine && list)
        *ret = strf("%s-vcpus_%s", machine, list);
    return *ret ? 0 : -ENOMEM;
}

int limits_monitor_name(const Domain *domain, const ResctrlDef *resctrl, const MonitorDef *monitor,
                        char **ret) {
    bool has_group = resctrl->n_caches > 0 || resctrl->n_bandwidths > 0;
    CLEANUP_FREE char *machine = NULL, *list = NULL;

    *ret = NULL;
    if (has_group && bitmap_equal(monitor->vcpus, resctrl->vcpus))
        return 0;
    machine = scope_machine_name((unsigned)domain->run->id, domain_name(domain));
    list = bitmap_format(monitor->vcpus);
    if (machine && list) /* in the default group its name must be unique on the host */
        *ret = has_group ? strf("vcpus_%s", list) : strf("%s-vcpus_%s", machine, list);
    return *ret ? 0 : -ENOMEM;
}

/* ---- one thread ---- */

typedef struct Planner {
    const Domain *domain;
    const Bitmap *online, *fallback; /* host CPUs; those of a thread that is not pinned */
    LimitsPlan *plan;
    bool failed;
} Planner;

static Bitmap *copy_of(Planner *planner, const Bitmap *map) {
    Bitmap *copy = map ? bitmap_copy(map) : NULL;

    planner->failed |= map && !copy;
    return copy;
}

/* A pin, else the domain's own set, else everything. What is offline cannot be asked for now; it is
 * added when it comes. A set of which nothing is online is left whole: the kernel says so. */
static void plan_cpus(Planner *planner, const Bitmap *pin, ThreadPlan *thread) {
    const DomainDef *def = planner->domain->run->live;
    const Bitmap *wanted = pin ? pin : def->cpuset;

    thread->affinity = copy_of(planner, wanted ? wanted : planner->fallback);
    if (wanted && thread->affinity && bitmap_overlaps(thread->affinity, planner->online))
        bitmap_intersect(thread->affinity, planner->online);
    if (wanted)
        thread->cpus = copy_of(planner, thread->affinity);
}

static void plan_memory(Planner *planner, ThreadPlan *thread) {
    const NumaTuneDef *tune = &planner->domain->run->live->numatune;

    if (tune->nodes && (tune->mode == NUMA_STRICT || tune->mode == NUMA_RESTRICTIVE))
        thread->mems = copy_of(planner, tune->nodes);
}

/* A new thread inherits the policy of the one that made it: that of the emulator. */
static void plan_sched(Planner *planner, const SchedDef *sched, ThreadPlan *thread) {
    thread->sched = sched->given ? *sched : (SchedDef){.policy = THREAD_POLICY_OTHER};
    thread->set_sched = sched->given || planner->domain->run->live->cputune.emulator_sched.given;
}

static ThreadPlan *add_thread(Planner *planner, const char *format, unsigned id, pid_t tid) {
    LimitsPlan *plan = planner->plan;
    ThreadPlan *thread = &plan->threads[plan->n_threads++];

    snprintf(thread->child, sizeof(thread->child), format, id);
    thread->tid = tid;
    plan_memory(planner, thread);
    return thread;
}

static int plan_monitors(const Domain *domain, const ResctrlDef *resctrl, unsigned id,
                         ResctrlPlan *to) {
    to->monitors = calloc(resctrl->n_monitors + 1, sizeof(char *));
    if (!to->monitors)
        return -ENOMEM;
    for (size_t i = 0; i < resctrl->n_monitors; i++) {
        char *name = NULL;
        bool known = false;

        if (!bitmap_test(resctrl->monitors[i].vcpus, id))
            continue;
        if (limits_monitor_name(domain, resctrl, &resctrl->monitors[i], &name) < 0)
            return -ENOMEM;
        for (size_t k = 0; k < to->n_monitors;
             k++) /* one of the cache and one of the memory share a group */
            known |= name && streq(to->monitors[k], name);
        if (name && !known)
            to->monitors[to->n_monitors++] = name;
        else
            free(name);
    }
    return 0;
}

static int plan_resctrls(const Domain *domain, unsigned id, ThreadPlan *thread) {
    const CpuTuneDef *tune = &domain->run->live->cputune;

    for (size_t i = 0; i < tune->n_resctrls; i++) {
        if (!bitmap_test(tune->resctrls[i].vcpus, id))
            continue;
        thread->resctrls = calloc(1, sizeof(ResctrlPlan)); /* the sets are disjoint: one at most */
        if (!thread->resctrls)
            return -ENOMEM;
        thread->n_resctrls = 1;
        if (limits_resctrl_name(domain, &tune->resctrls[i], &thread->resctrls->group) < 0 ||
            plan_monitors(domain, &tune->resctrls[i], id, thread->resctrls) < 0)
            return -ENOMEM;
    }
    return 0;
}

static void plan_vcpu(Planner *planner, unsigned id, pid_t tid) {
    const DomainDef *def = planner->domain->run->live;
    ThreadPlan *thread = add_thread(planner, "vcpu%u", id, tid);

    plan_cpus(planner, def->vcpus[id].pin, thread);
    plan_sched(planner, &def->vcpus[id].sched, thread);
    thread->bandwidth = def->cputune.vcpu;
    planner->failed |= plan_resctrls(planner->domain, id, thread) < 0;
}

static void plan_iothread(Planner *planner, const IothreadDef *iothread, pid_t tid) {
    ThreadPlan *thread = add_thread(planner, "iothread%u", iothread->id, tid);

    plan_cpus(planner, iothread->pin, thread);
    plan_sched(planner, &iothread->sched, thread);
    thread->bandwidth = planner->domain->run->live->cputune.iothread;
}

static void plan_emulator(Planner *planner) {
    const CpuTuneDef *tune = &planner->domain->run->live->cputune;
    ThreadPlan *thread = add_thread(planner, "emulator", 0, 0);

    plan_cpus(planner, tune->emulator_pin, thread);
    plan_sched(planner, &tune->emulator_sched, thread);
    thread->bandwidth = tune->emulator;
}

/* ---- all ---- */

static void plan_others(Planner *planner) {
    const Domain *domain = planner->domain;
    LimitsPlan *plan = planner->plan;

    for (unsigned id = 0; id < domain->run->vcpus.n_vcpus; id++)
        if (vcpu_map_tid(&domain->run->vcpus, id))
            plan->others[plan->n_others++] = vcpu_map_tid(&domain->run->vcpus, id);
    for (size_t i = 0; i < domain->run->iothreads.n; i++)
        if (domain->run->iothreads.list[i].tid)
            plan->others[plan->n_others++] = domain->run->iothreads.list[i].tid;
}

static void plan_all(Planner *planner, const LimitsScope *scope) {
    const Domain *domain = planner->domain;
    const DomainDef *def = domain->run->live;

    if (scope->emulator)
        plan_emulator(planner);
    for (unsigned id = 0; id < def->n_vcpus_max; id++) {
        pid_t tid = vcpu_map_tid(&domain->run->vcpus, id);

        if (tid && def->vcpus[id].online &&
            (scope->all_vcpus || (scope->vcpus && bitmap_test(scope->vcpus, id))))
            plan_vcpu(planner, id, tid);
    }
    for (size_t i = 0; i < def->n_iothreads; i++) {
        const Iothread *iothread = iothread_list_find(&domain->run->iothreads,
                                                      def->iothreads[i].id);

        if (iothread && iothread->tid && (scope->all_iothreads || scope->iothread == iothread->id))
            plan_iothread(planner, &def->iothreads[i], iothread->tid);
    }
    plan_others(planner);
}

int limits_plan(const Domain *domain, const LimitsScope *scope, LimitsPlan *ret, Error **reterr) {
    CLEANUP(limits_plan_done)
    LimitsPlan plan = {.pid = domain->run->pid.pid, .group = scope->group};
    CLEANUP_BITMAP Bitmap *online = NULL, *fallback = NULL;
    Planner planner = {.domain = domain, .plan = &plan};
    const CpuTuneDef *tune = &domain->run->live->cputune;
    int r = limits_default_cpus(&fallback, reterr);

    if (r >= 0)
        r = thread_online_cpus(NULL, &online, reterr);
    if (r < 0)
        return r;
    planner.online = online;
    planner.fallback = fallback;
    plan.threads = calloc((size_t)domain->run->live->n_vcpus_max + domain->run->live->n_iothreads +
                              1,
                          sizeof(ThreadPlan));
    plan.others = calloc((size_t)domain->run->vcpus.n_vcpus + domain->run->iothreads.n + 1,
                         sizeof(pid_t));
    if (!plan.threads || !plan.others)
        return error_no_memory(reterr);
    plan.shares = tune->shares;
    plan.global = tune->global;
    plan.needs_cpu = limits_needs_cgroup(domain->run->live);
    plan_all(&planner, scope);
    if (planner.failed)
        return error_no_memory(reterr);
    *ret = plan;
    plan = (LimitsPlan){0};
    return 0;
}
