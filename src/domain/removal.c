/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guests eject one CPU after the other. A default deadline is therefore one of silence: each
 * removal and each sign of progress moves it, up to one timeout per device. One given with the call
 * is kept to. */
#include "domain/removal.h"

#include <stdio.h>
#include <unistd.h>

#include "domain/audit.h"
#include "domain/events.h"
#include "domain/services.h"
#include "limits/limits.h"
#include "qemu/unplug.h"
#include "util/log.h"

#define DEFAULT_UNPLUG_USEC (5 * USEC_PER_SEC)
#define PSERIES_UNPLUG_USEC (10 * USEC_PER_SEC)
#define GATHER_MIN_USEC (2 * USEC_PER_MSEC)
#define GATHER_MAX_USEC (100 * USEC_PER_MSEC)
#define THREAD_END_USEC (50 * USEC_PER_MSEC)

/* ---- news ---- */

bool removal_event(Domain *domain, const char *name, json_object *data) {
    DomainRun *run = domain->run;

    if (!run || !data || !unplug_event(&run->vcpus, name, data, run->removals.news + 1))
        return false;
    run->removals.news++;
    fiber_cond_broadcast(&run->removals.cond);
    return true;
}

void removal_hint(Domain *domain, unsigned id) {
    VcpuEntity *entity = vcpu_map_by_id(&domain->run->vcpus, id);

    if (!entity)
        return;
    unplug_hint(entity, ++domain->run->removals.news);
    fiber_cond_broadcast(&domain->run->removals.cond);
}

void removal_wake(Domain *domain) {
    assert(domain->run);
    domain->run->removals.news++;
    fiber_cond_broadcast(&domain->run->removals.cond);
}

bool removal_has_news(const Domain *domain) {
    if (domain->run && domain->run->removals.to_drop)
        return true;
    for (size_t i = 0; domain->run && i < domain->run->vcpus.n_entities; i++) {
        const VcpuEntity *entity = &domain->run->vcpus.entities[i];

        if (entity->hint || entity->unplug == UNPLUG_GONE || entity->unplug == UNPLUG_REFUSED)
            return true;
    }
    return false;
}

bool removal_is_pending(const Domain *domain) {
    for (size_t i = 0; domain->run && i < domain->run->vcpus.n_entities; i++)
        if (domain->run->vcpus.entities[i].unplug == UNPLUG_REQUESTED)
            return true;
    return false;
}

/* ---- removals in flight ---- */

Removal *removals_of(const Domain *domain, const HotplugPlan *plan) {
    Removal *removals = calloc(plan->n_entities + 1, sizeof(Removal));

    assert(domain->run);
    for (size_t i = 0; removals && i < plan->n_entities; i++) {
        const VcpuEntity *entity = &domain->run->vcpus.entities[plan->entities[i]];

        removals[i] = (Removal){.id = entity->first_id, .n_vcpus = entity->n_vcpus};
    }
    return removals;
}

static void emit_removed(Domain *domain, unsigned id, unsigned n_vcpus) {
    char alias[32];

    snprintf(alias, sizeof(alias), "vcpu%u", id);
    events_device_removed(domain, alias);
    for (unsigned vcpu = id; vcpu < id + n_vcpus; vcpu++)
        events_vcpu_removed(domain, vcpu);
}

static void emit_failed(Domain *domain, unsigned id) {
    char alias[32];

    snprintf(alias, sizeof(alias), "vcpu%u", id);
    events_device_removal_failed(domain, alias);
}

uint64_t removal_timeout(const Domain *domain, uint64_t asked) {
    assert(domain->run);
    if (asked)
        return asked;
    if (domain->run->live->unplug_timeout_usec)
        return domain->run->live->unplug_timeout_usec;
    if (domain->services && domain->services->settings.unplug_timeout_usec)
        return domain->services->settings.unplug_timeout_usec;
    return hotplug_is_pseries(domain->run->live) ? PSERIES_UNPLUG_USEC : DEFAULT_UNPLUG_USEC;
}

/* Whether the thread of a vCPU that has gone still ends: a cgroup cannot be removed before. */
static bool is_ending(const Domain *domain, const VcpuEntity *entity) {
    char path[64];

    if (entity->unplug != UNPLUG_GONE || entity->left_tid <= 0)
        return false;
    snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)domain->run->pid.pid,
             (int)entity->left_tid);
    return access(path, F_OK) == 0;
}

/* Most threads are gone before QEMU says so, or a moment later. */
static void wait_for_threads(const Domain *domain) {
    uint64_t deadline = deadline_in(THREAD_END_USEC);
    size_t i = 0;

    while (i < domain->run->vcpus.n_entities && now_usec() < deadline)
        if (is_ending(domain, &domain->run->vcpus.entities[i]))
            fiber_sleep(USEC_PER_MSEC);
        else
            i++;
}

/* Puts the ids of an entity that has gone where they belong: its groups go now, or later. */
static int sort_gone(Domain *domain, const VcpuEntity *entity, Bitmap *gone) {
    Removals *removals = &domain->run->removals;
    Bitmap *to = gone;
    int r = 0;

    if (is_ending(domain, entity)) {
        if (!removals->to_drop)
            removals->to_drop = bitmap_new();
        to = removals->to_drop;
    }
    for (unsigned id = entity->first_id; id < entity->first_id + entity->n_vcpus && r >= 0; id++)
        r = to ? bitmap_set(to, id) : -ENOMEM;
    return r;
}

/* What has gone: its ids into `gone`, a record and an event for each. Nothing suspends. */
static int take_gone(Domain *domain, Bitmap *gone, AuditRecords *records) {
    VcpuMap *map = &domain->run->vcpus;
    unsigned online = vcpu_map_online(map);
    int r = 0;

    for (size_t i = 0; i < map->n_entities; i++)
        if (map->entities[i].unplug == UNPLUG_GONE)
            online += map->entities[i].n_vcpus;
    for (size_t i = map->n_entities; i-- > 0 && r >= 0;) {
        VcpuEntity *entity = &map->entities[i];

        if (entity->unplug != UNPLUG_GONE)
            continue;
        r = sort_gone(domain, entity, gone);
        unplug_forget(entity);
        domain->run->vcpu_was_removed = true;
        audit_records_add_vcpus(records, domain, online, online - entity->n_vcpus, true);
        online -= entity->n_vcpus;
        emit_removed(domain, entity->first_id, entity->n_vcpus);
    }
    return r;
}

int removals_settle(Domain *domain, bool always, const Operation *operation, Error **reterr) {
    CLEANUP_BITMAP Bitmap *gone = bitmap_new();
    AuditRecords records = {0};
    LimitsSubject subject;
    int r = gone ? domain_check_active(domain, reterr) : error_no_memory(reterr);

    assert(domain_job_is_mine(domain));
    if (r >= 0 && (always || unplug_needs_look(&domain->run->vcpus)))
        r = domain_refresh_vcpus(domain, reterr);
    if (r < 0 || !unplug_has_gone(&domain->run->vcpus))
        return r;
    wait_for_threads(domain);
    if (take_gone(domain, gone, &records) < 0)
        log_warning("domain '%s': out of memory, the cgroups of removed vCPUs stay",
                    domain_name(domain));
    subject = domain_subject(domain);
    if (!bitmap_is_empty(gone))
        limits_drop_vcpus(domain->run->limits, &subject, gone);
    operation_step(operation, STEP_TUNED);
    audit_records_send(&records, domain);
    return 0;
}

void removals_drop_late(Domain *domain) {
    CLEANUP_BITMAP Bitmap *vcpus = TAKE_PTR(domain->run->removals.to_drop);
    LimitsSubject subject = domain_subject(domain);

    assert(domain_job_is_mine(domain));
    for (int id = vcpus ? bitmap_next(vcpus, 0) : -1; id >= 0; id = bitmap_next(vcpus, id + 1)) {
        const VcpuEntity *entity = vcpu_map_by_id(&domain->run->vcpus, id);

        if (entity && entity->qom_path) /* plugged again */
            bitmap_clear(vcpus, id);
    }
    if (vcpus && !bitmap_is_empty(vcpus))
        limits_drop_vcpus(domain->run->limits, &subject, vcpus);
}

static bool is_among(const Removal *removals, size_t n, unsigned id) {
    for (size_t i = 0; i < n; i++)
        if (removals[i].id == id)
            return true;
    return false;
}

int removals_take_refusals(Domain *domain, const Removal *removals, size_t n, Error **reterr) {
    VcpuMap *map = &domain->run->vcpus;
    unsigned online = domain_def_online_vcpus(domain->run->live);
    AuditRecords records = {0};
    int r = 0;

    assert(domain_job_is_mine(domain));
    for (size_t i = 0; i < map->n_entities; i++) {
        VcpuEntity *entity = &map->entities[i];

        if (entity->unplug != UNPLUG_REFUSED ||
            (removals && !is_among(removals, n, entity->first_id)))
            continue;
        if (r == 0)
            r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                             "vcpu unplug of vCPU %u was rejected by the guest of domain '%s': %s",
                             entity->first_id, domain_name(domain), entity->refusal);
        emit_failed(domain, entity->first_id);
        unplug_forget(entity);
        audit_records_add_vcpus(&records, domain, online, online - entity->n_vcpus, false);
    }
    audit_records_send(&records, domain);
    return r;
}

/* ---- the wait ---- */

typedef struct Wait {
    Domain *domain;
    const Removal *removals;
    size_t n, n_left;
    uint64_t progress; /* the last news of progress that moved the deadline */
    uint64_t deadline;
    const RemovalLimits *limits;
} Wait;

size_t removals_left(const Domain *domain, const Removal *removals, size_t n) {
    size_t left = 0;

    assert(domain->run);
    for (size_t i = 0; i < n; i++) {
        const VcpuEntity *entity = vcpu_map_by_id(&domain->run->vcpus, removals[i].id);

        left += entity && entity->qom_path;
    }
    return left;
}

/* Whether the guest said "in progress" of one since the last time this was asked. */
static bool made_progress(Wait *wait) {
    uint64_t last = wait->progress;

    for (size_t i = 0; i < wait->n; i++) {
        const VcpuEntity *entity = vcpu_map_by_id(&wait->domain->run->vcpus, wait->removals[i].id);

        if (entity)
            wait->progress = MAX_OF(wait->progress, entity->progress);
    }
    return wait->progress > last;
}

/* Each look at QEMU costs O(n), so one must serve many of n events: before it, evidence is let
 * gather for some times what the last look took, unless all of it is here. */
static void gather(const Wait *wait, uint64_t last_look_usec) {
    for (size_t i = 0; i < wait->n; i++) {
        const VcpuEntity *entity = vcpu_map_by_id(&wait->domain->run->vcpus, wait->removals[i].id);

        if (entity && entity->unplug == UNPLUG_REQUESTED && !entity->hint) {
            fiber_sleep(MIN_OF(MAX_OF(4 * last_look_usec, GATHER_MIN_USEC), GATHER_MAX_USEC));
            return;
        }
    }
}

/* Nobody can look, and the guest was asked: whoever looks next, after a reconnection, finds out. */
OperationState removals_unknown(const Domain *domain, size_t n, const Error *error,
                                Error **reterr) {
    if (!domain_outlives_monitor(domain)) {
        error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                     "domain '%s' stopped during the vcpu unplug", domain_name(domain));
        return OPERATION_FAILED;
    }
    error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                 "the guest of domain '%s' was asked to release %zu vCPU devices, and the change "
                 "is completed when it does: %s",
                 domain_name(domain), n, error_message(error));
    return OPERATION_PENDING;
}

/* One look, with `last` also without a sign of anything: how it ends, or ACTING and wait->n_left.
 */
static OperationState look(Wait *wait, bool last, Operation *operation, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    size_t before = wait->n_left;
    OperationState state;
    int r = domain_check_active(wait->domain, &error);

    if (r >= 0)
        r = removals_settle(wait->domain, last, operation, &error);
    if (r >= 0)
        r = domain_check_active(wait->domain, &error);
    if (r < 0)
        return removals_unknown(wait->domain, wait->n_left, error, reterr);
    wait->n_left = removals_left(wait->domain, wait->removals, wait->n);
    if (operation)
        operation->n_done = wait->n - wait->n_left;
    if (wait->n_left == 0)
        state = OPERATION_DONE;
    else
        state = removals_take_refusals(wait->domain, wait->removals, wait->n, reterr) < 0
                    ? OPERATION_REFUSED
                    : OPERATION_ACTING;
    if (made_progress(wait) || wait->n_left < before)
        wait->deadline = MIN_OF(deadline_in(wait->limits->timeout), wait->limits->latest);
    return state;
}

static OperationState wait_all(Wait *wait, Operation *operation, Error **reterr) {
    bool last = false;

    for (;;) {
        Removals *removals = &wait->domain->run->removals;
        uint64_t seen = removals->news, began = now_usec(), look_usec;
        OperationState state = look(wait, last, operation, reterr);
        int r = 0;

        if (state != OPERATION_ACTING)
            return state;
        if (last && now_usec() >= wait->deadline) {
            error_report(reterr, FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                         "vcpu unplug request timed out. Unplug result must be manually "
                         "inspected in the domain");
            return OPERATION_PENDING;
        }
        look_usec = now_usec() - began;
        while (removals->news == seen && r >= 0)
            r = fiber_cond_wait(&removals->cond, wait->deadline);
        last = r < 0; /* an event may have been lost */
        if (last)
            log_debug("domain '%s': no news of %zu vCPU removals by the deadline",
                      domain_name(wait->domain), wait->n_left);
        else
            gather(wait, look_usec);
    }
}

RemovalLimits removal_limits(const Domain *domain, uint64_t asked, size_t n) {
    uint64_t timeout = removal_timeout(domain, asked);

    return (RemovalLimits){.timeout = timeout,
                           .latest = deadline_in(timeout * (asked ? 1 : MAX_OF(n, (size_t)2)))};
}

OperationState removals_wait(Domain *domain, const Removal *removals, size_t n,
                             const RemovalLimits *limits, Operation *operation, Error **reterr) {
    Wait wait = {.domain = domain, .removals = removals, .n = n, .n_left = n, .limits = limits};
    OperationState state;

    assert(domain_job_is_mine(domain) && domain->run->removals.n_waiting == 0);
    wait.deadline = MIN_OF(deadline_in(limits->timeout), limits->latest);
    domain->run->removals.n_waiting++;
    state = wait_all(&wait, operation, reterr);
    domain->run->removals.n_waiting--;
    return state;
}
