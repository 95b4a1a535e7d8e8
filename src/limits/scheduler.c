/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The scheduling policy of a thread. */
#include "host/thread.h"
#include "limits/kind.h"

typedef struct SchedulerPart {
    bool set; /* to this, or to the default */
    ThreadPolicy policy;
    int priority;
    bool has_kept;
    ThreadPolicy had_policy;
    int had_priority;
} SchedulerPart;

static const SchedDef *sched_of(const DomainDef *def, const LimitThread *thread) {
    static const SchedDef none;
    const IothreadDef *iothread;

    switch (thread->role) {
    case LIMIT_ROLE_VCPU:
        return &def->vcpus[thread->id].sched;
    case LIMIT_ROLE_EMULATOR:
        return &def->cputune.emulator_sched;
    case LIMIT_ROLE_IOTHREAD:
        iothread = domain_def_iothread(def, thread->id);
        return iothread ? &iothread->sched : &none;
    case LIMIT_ROLE_DOMAIN:
        break;
    }
    return &none;
}

/* A new thread inherits the policy of the one that made it: that of the emulator. */
static int plan(const LimitPlanner *planner, const LimitThread *thread, void *arg) {
    const DomainDef *def = planner->subject->def;
    const SchedDef *sched = sched_of(def, thread);
    SchedulerPart *part = arg;

    if (thread->role == LIMIT_ROLE_DOMAIN)
        return 0;
    part->set = sched->given || def->cputune.emulator_sched.given;
    part->policy = sched->given ? sched->policy : THREAD_POLICY_OTHER;
    part->priority = sched->given ? sched->priority : 0;
    return 0;
}

static int apply(const LimitTarget *target, void *arg, Error **reterr) {
    SchedulerPart *part = arg;

    if (!part->set || !target->tid)
        return 0;
    if (target->keep && !part->has_kept)
        part->has_kept = thread_get_scheduler(target->tid, &part->had_policy, &part->had_priority,
                                              NULL) >= 0;
    return thread_set_scheduler(target->tid, part->policy, part->priority, reterr);
}

static bool differs(const LimitTarget *target, const void *arg, LimitMending *mending) {
    const SchedulerPart *part = arg;
    ThreadPolicy policy = THREAD_POLICY_OTHER;
    int priority = 0;

    if (!part->set || !target->tid ||
        thread_get_scheduler(target->tid, &policy, &priority, NULL) < 0 ||
        (policy == part->policy &&
         !(thread_policy_is_realtime(policy) && priority != part->priority)))
        return false;
    limit_differs(mending, "scheduler", thread_policy_to_string(policy),
                  thread_policy_to_string(part->policy));
    return true;
}

static int restore(const LimitTarget *target, void *arg, Error **reterr) {
    SchedulerPart *part = arg;

    return part->has_kept && target->tid
               ? thread_set_scheduler(target->tid, part->had_policy, part->had_priority, reterr)
               : 0;
}

const LimitKind limit_scheduler = {.name = "scheduler",
                                   .size = sizeof(SchedulerPart),
                                   .plan = plan,
                                   .apply = apply,
                                   .differs = differs,
                                   .restore = restore};
