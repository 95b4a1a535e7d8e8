/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The evidence a removal waits for.
 *
 * Evidence (DESIGN.md): DEVICE_DELETED for the alias is proof. DEVICE_DELETED for a child path, or
 * ACPI_DEVICE_OST with status 0 for the slot, is a hint that one re-query decides: QEMU under TCG
 * never sends the first. OST 1 and 0x80-0x83 and DEVICE_UNPLUG_GUEST_ERROR are refusals; 0x84 ("in
 * progress") is progress. Status values: ACPI 6.4, 6.3.5 _OST, table 6.73.
 *
 * Guests eject one CPU after the other. A default deadline is therefore one of silence: each
 * removal and each sign of progress moves it, up to one timeout per device. One given with the call
 * is kept to. */
#include "domain/removal.h"

#include <stdio.h>

#include "domain/audit.h"
#include "driver/driver.h"
#include "limits/limits.h"
#include "util/log.h"

#define DEFAULT_UNPLUG_USEC (5 * USEC_PER_SEC)
#define PSERIES_UNPLUG_USEC (10 * USEC_PER_SEC)
#define RECHECK_MAX_USEC (60 * USEC_PER_SEC)
#define GATHER_MIN_USEC (2 * USEC_PER_MSEC)
#define GATHER_MAX_USEC (100 * USEC_PER_MSEC)

/* ---- evidence ---- */

static const char *ost_reason(int64_t status) {
    switch (status) {
    case 1:
        return "the guest reported a non-specific failure";
    case 0x80:
        return "the guest does not support the ejection";
    case 0x81:
        return "the CPU is in use by the guest";
    case 0x82:
        return "the CPU is busy in the guest";
    case 0x83:
        return "another device of the guest depends on the CPU";
    default:
        return NULL;
    }
}

static void entity_reject(VcpuEntity *entity, const char *reason) {
    if (entity->unplug != UNPLUG_REQUESTED && entity->unplug != UNPLUG_HINTED)
        return;
    free(entity->reason);
    entity->reason = strdup(reason);
    entity->unplug = UNPLUG_REJECTED;
}

static const char *json_string(json_object *object, const char *key) {
    json_object *value = NULL;

    if (!object || !json_object_object_get_ex(object, key, &value) ||
        !json_object_is_type(value, json_type_string))
        return NULL;
    return json_object_get_string(value);
}

static int64_t json_int(json_object *object, const char *key) {
    json_object *value = NULL;

    if (!object || !json_object_object_get_ex(object, key, &value))
        return -1;
    return json_object_get_int64(value);
}

static VcpuEntity *entity_of_slot(Domain *domain, const char *slot) {
    char *end = NULL;
    unsigned long n = slot ? strtoul(slot, &end, 10) : 0;

    if (!slot || *slot == '\0' || *end != '\0' || n >= domain->run->vcpus.n_entities)
        return NULL;
    return &domain->run->vcpus.entities[n];
}

static void on_ost(Domain *domain, json_object *data) {
    json_object *info = NULL;
    const char *type, *device;
    int64_t source, status;
    VcpuEntity *entity;

    if (!json_object_object_get_ex(data, "info", &info))
        return;
    type = json_string(info, "slot-type");
    device = json_string(info, "device");
    source = json_int(info, "source");
    status = json_int(info, "status");
    if (!type || !streq(type, "CPU") || (source != 3 && source != 0x103))
        return;
    entity = device ? vcpu_map_by_alias(&domain->run->vcpus, device)
                    : entity_of_slot(domain, json_string(info, "slot"));
    if (!entity || entity->unplug == UNPLUG_NONE)
        return;
    if (status == 0 && entity->unplug == UNPLUG_REQUESTED)
        entity->unplug = UNPLUG_HINTED;
    else if (status == 0x84)
        entity->in_progress = true;
    else if (ost_reason(status))
        entity_reject(entity, ost_reason(status));
}

static void on_deleted(Domain *domain, json_object *data) {
    const char *device = json_string(data, "device"), *path = json_string(data, "path");
    VcpuEntity *entity = vcpu_map_by_alias(&domain->run->vcpus, device);

    if (entity) {
        entity->unplug = UNPLUG_DELETED;
        return;
    }
    entity = vcpu_map_by_path(&domain->run->vcpus, path);
    if (entity && entity->alias && entity->unplug == UNPLUG_REQUESTED)
        entity->unplug = UNPLUG_HINTED;
}

static void start_late_removal(Domain *domain);

/* True when a removal that nobody waits for any more has new evidence. */
static bool has_news(const Domain *domain) {
    for (size_t i = 0; i < domain->run->vcpus.n_entities; i++) {
        UnplugState state = domain->run->vcpus.entities[i].unplug;

        if (state != UNPLUG_NONE && state != UNPLUG_REQUESTED)
            return true;
    }
    return false;
}

void removal_event(Domain *domain, const char *name, json_object *data) {
    if (!domain->run || !data)
        return;
    if (streq(name, "ACPI_DEVICE_OST")) {
        on_ost(domain, data);
    } else if (streq(name, "DEVICE_DELETED")) {
        on_deleted(domain, data);
    } else if (streq(name, "DEVICE_UNPLUG_GUEST_ERROR")) {
        VcpuEntity *entity = vcpu_map_by_alias(&domain->run->vcpus, json_string(data, "device"));

        if (!entity) /* "device" is optional in it */
            entity = vcpu_map_by_path(&domain->run->vcpus, json_string(data, "path"));
        if (entity)
            entity_reject(entity, "the guest reported an unplug error");
    } else {
        return;
    }
    fiber_cond_broadcast(&domain->run->removals.evidence);
    if (has_news(domain)) /* whoever waits under the job takes it first */
        start_late_removal(domain);
}

/* ---- removals in flight ---- */

Removal *removals_of(const Domain *domain, const HotplugPlan *plan) {
    Removal *removals = calloc(plan->n_entities + 1, sizeof(Removal));

    for (size_t i = 0; removals && i < plan->n_entities; i++) {
        const VcpuEntity *entity = &domain->run->vcpus.entities[plan->entities[i]];

        removals[i] = (Removal){.id = entity->first_id, .n_vcpus = entity->n_vcpus};
    }
    return removals;
}

static void emit_removed(Domain *domain, unsigned id, unsigned n_vcpus) {
    const DriverEvents *events = domain->driver ? domain->driver->events : NULL;
    char alias[32];

    snprintf(alias, sizeof(alias), "vcpu%u", id);
    if (events && events->device_removed)
        events->device_removed(domain, alias, domain->driver->userdata);
    for (unsigned vcpu = id; events && events->vcpu_removed && vcpu < id + n_vcpus; vcpu++)
        events->vcpu_removed(domain, vcpu, domain->driver->userdata);
    log_info("domain '%s': vCPU %u%s removed", domain_name(domain), id,
             n_vcpus > 1 ? " (and siblings)" : "");
}

static void emit_failed(Domain *domain, unsigned id) {
    const DriverEvents *events = domain->driver ? domain->driver->events : NULL;
    char alias[32];

    snprintf(alias, sizeof(alias), "vcpu%u", id);
    if (events && events->device_removal_failed)
        events->device_removal_failed(domain, alias, domain->driver->userdata);
}

typedef struct UnplugTimeout {
    uint64_t usec;
    bool is_total; /* else: of silence */
} UnplugTimeout;

/* The call's, the domain's, the configuration file's, the machine's own. */
static UnplugTimeout unplug_timeout(const Domain *domain, uint64_t asked) {
    if (asked)
        return (UnplugTimeout){.usec = asked, .is_total = true};
    if (domain->run->live->unplug_timeout_usec)
        return (UnplugTimeout){.usec = domain->run->live->unplug_timeout_usec};
    if (domain->driver->unplug_timeout_usec)
        return (UnplugTimeout){.usec = domain->driver->unplug_timeout_usec};
    return (UnplugTimeout){.usec = hotplug_is_pseries(domain->run->live) ? PSERIES_UNPLUG_USEC
                                                                         : DEFAULT_UNPLUG_USEC};
}

/* Settles what has evidence; one re-query for all hints of a round. *ret_left: still open. */
static int settle_removals(Domain *domain, Removal *removals, size_t n, const Operation *operation,
                           size_t *ret_left, Error **reterr) {
    CLEANUP_BITMAP Bitmap *gone = bitmap_new();
    AuditRecords records = {0};
    unsigned online = domain_def_online_vcpus(domain->run->live);
    bool query = false;
    size_t left = 0;

    if (!gone)
        return error_no_memory(reterr);
    for (size_t i = 0; i < n; i++) {
        VcpuEntity *entity = vcpu_map_by_id(&domain->run->vcpus, removals[i].id);

        if (!removals[i].done && entity &&
            (entity->unplug == UNPLUG_HINTED || entity->unplug == UNPLUG_DELETED))
            query = true;
    }
    if (query) {
        int r = domain_refresh_vcpus(domain, reterr);

        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < n; i++) {
        VcpuEntity *entity = vcpu_map_by_id(&domain->run->vcpus, removals[i].id);

        if (removals[i].done || !entity)
            continue;
        if (!entity->qom_path) {
            removals[i].done = true;
            entity->unplug = UNPLUG_NONE;
            domain->run->vcpu_was_removed = true;
            for (unsigned id = removals[i].id; id < removals[i].id + removals[i].n_vcpus; id++)
                bitmap_set(gone, id);
        } else {
            if (entity->unplug == UNPLUG_HINTED && query)
                entity->unplug = UNPLUG_REQUESTED; /* the hint did not hold */
            left++;
        }
    }
    *ret_left = left;
    if (bitmap_is_empty(gone))
        return 0;
    limits_drop_vcpus(domain, gone);
    operation_step(operation, STEP_TUNED);
    for (size_t i = 0; i < n; i++)
        if (removals[i].done && bitmap_test(gone, removals[i].id)) {
            audit_records_add_vcpus(&records, domain, online, online - removals[i].n_vcpus, true);
            online -= removals[i].n_vcpus;
            emit_removed(domain, removals[i].id, removals[i].n_vcpus);
        }
    audit_records_send(&records, domain);
    return 0;
}

/* The first refusal among the open removals, or 0. Refused entities are reset. */
static int first_rejection(Domain *domain, const Removal *removals, size_t n, Error **reterr) {
    unsigned online = domain_def_online_vcpus(domain->run->live);
    AuditRecords records = {0};
    int r = 0;

    for (size_t i = 0; i < n; i++) {
        VcpuEntity *entity = vcpu_map_by_id(&domain->run->vcpus, removals[i].id);

        if (removals[i].done || !entity || entity->unplug != UNPLUG_REJECTED)
            continue;
        if (r == 0)
            r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                             "vcpu unplug of vCPU %u was rejected by the guest of domain '%s': %s",
                             removals[i].id, domain_name(domain),
                             entity->reason ? entity->reason : "no reason given");
        emit_failed(domain, removals[i].id);
        entity->unplug = UNPLUG_NONE;
        audit_records_add_vcpus(&records, domain, online, online - removals[i].n_vcpus, false);
    }
    audit_records_send(&records, domain);
    return r;
}

/* Whether the guest said "in progress" of one since the last time this was asked. */
static bool made_progress(Domain *domain, const Removal *removals, size_t n) {
    bool progress = false;

    for (size_t i = 0; i < n; i++) {
        VcpuEntity *entity = vcpu_map_by_id(&domain->run->vcpus, removals[i].id);

        if (!removals[i].done && entity && entity->in_progress) {
            progress = true;
            entity->in_progress = false;
        }
    }
    return progress;
}

static void hint_all(Domain *domain, const Removal *removals, size_t n) {
    for (size_t i = 0; i < n; i++) {
        VcpuEntity *entity = vcpu_map_by_id(&domain->run->vcpus, removals[i].id);

        if (!removals[i].done && entity && entity->unplug == UNPLUG_REQUESTED)
            entity->unplug = UNPLUG_HINTED;
    }
}

/* Each look at QEMU costs O(n), so one must serve many of n events: before it, evidence is let
 * gather for some times what the last look took, unless all of it is here. */
static void gather(Domain *domain, const Removal *removals, size_t n, uint64_t last_look_usec) {
    for (size_t i = 0; i < n; i++) {
        const VcpuEntity *entity = vcpu_map_by_id(&domain->run->vcpus, removals[i].id);

        if (!removals[i].done && entity && entity->unplug == UNPLUG_REQUESTED) {
            fiber_sleep(MIN_OF(MAX_OF(4 * last_look_usec, GATHER_MIN_USEC), GATHER_MAX_USEC));
            return;
        }
    }
}

/* *ret_left: how many are still there. */
static int wait_all(Domain *domain, Removal *removals, size_t n, Operation *operation,
                    size_t *ret_left, Error **reterr) {
    UnplugTimeout timeout = unplug_timeout(domain, operation ? operation->request.timeout_usec : 0);
    uint64_t latest = deadline_in(timeout.usec * (timeout.is_total ? 1 : MAX_OF(n, (size_t)2)));
    uint64_t deadline = deadline_in(timeout.usec);
    uint64_t look_usec = 0;
    bool looked_again = false;
    size_t left = n;

    for (;;) {
        uint64_t began = now_usec();
        size_t before = left;
        int r = settle_removals(domain, removals, n, operation, &left, reterr);

        look_usec = now_usec() - began;
        *ret_left = left;
        if (operation)
            operation->n_done = n - left;
        if (r < 0 || left == 0)
            return r;
        r = first_rejection(domain, removals, n, reterr);
        if (r < 0)
            return r;
        if (made_progress(domain, removals, n) || left < before)
            deadline = MIN_OF(deadline_in(timeout.usec), latest);
        r = fiber_cond_wait(&domain->run->removals.evidence, deadline);
        if (domain_check_active(domain, NULL) < 0)
            return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                                "domain '%s' stopped during the vcpu unplug", domain_name(domain));
        if (r == -ETIMEDOUT) {
            if (!looked_again) { /* an event may have been lost */
                looked_again = true;
                hint_all(domain, removals, n);
                continue;
            }
            return error_report(reterr, FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                                "vcpu unplug request timed out. Unplug result must be manually "
                                "inspected in the domain");
        }
        gather(domain, removals, n, look_usec);
    }
}

int removals_wait(Domain *domain, Removal *removals, size_t n, Operation *operation,
                  Error **reterr) {
    size_t left = n;
    int r = wait_all(domain, removals, n, operation, &left, reterr);

    if (r < 0 && left < n && reterr && *reterr)
        error_prefix(reterr, "%zu of %zu vCPU devices were removed", n - left, n);
    return r;
}

/* ---- those that nobody waits for ---- */

static bool has_pending(const Domain *domain) {
    for (size_t i = 0; i < domain->run->vcpus.n_entities; i++)
        if (domain->run->vcpus.entities[i].unplug != UNPLUG_NONE)
            return true;
    return false;
}

static void late_removal(void *userdata);

static void start_late_removal(Domain *domain) {
    if (domain->run->removals.late_queued)
        return;
    domain->run->removals.late_queued = fiber_start("late-removal", late_removal,
                                                    domain_ref(domain)) >= 0;
    if (!domain->run->removals.late_queued)
        domain_unref(domain);
}

static int on_recheck(sd_event_source *source, uint64_t usec, void *userdata) {
    Domain *domain = userdata;

    if (!domain->jobs &&
        domain_check_active(domain, NULL) >= 0) { /* whoever has the job will look itself */
        for (size_t i = 0; i < domain->run->vcpus.n_entities; i++)
            if (domain->run->vcpus.entities[i].unplug == UNPLUG_REQUESTED)
                domain->run->vcpus.entities[i].unplug = UNPLUG_HINTED;
        start_late_removal(domain); /* which comes back here */
    } else {
        removal_watch_pending(domain);
    }
    return 0;
}

void removal_watch_pending(Domain *domain) {
    uint64_t first;

    if (!domain->run)
        return;
    domain->run->removals.recheck = sd_event_source_disable_unref(domain->run->removals.recheck);
    if (!domain->driver || !has_pending(domain)) {
        domain->run->removals.recheck_usec = 0;
        return;
    }
    first = unplug_timeout(domain, 0).usec;
    domain->run->removals.recheck_usec = domain->run->removals.recheck_usec
                                             ? MIN_OF(domain->run->removals.recheck_usec * 2,
                                                      RECHECK_MAX_USEC)
                                             : first;
    sd_event_add_time_relative(fiber_event(), &domain->run->removals.recheck, CLOCK_MONOTONIC,
                               domain->run->removals.recheck_usec, 0, on_recheck, domain);
}

/* Evidence came for a removal nobody waits for: finish it under a job of its own. */
static void late_removal(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE Removal *removals = NULL;
    size_t n = 0, left;
    DomainJob job;
    int r = domain_job_begin(domain, &job, "late vcpu removal", &error);

    if (domain->run)
        domain->run->removals.late_queued = false;
    if (r < 0) { /* a job that takes very long */
        removal_watch_pending(domain);
        return;
    }
    if (domain_check_active(domain, NULL) >= 0)
        removals = calloc(domain->run->vcpus.n_entities + 1, sizeof(Removal));
    for (size_t i = 0; removals && i < domain->run->vcpus.n_entities; i++) {
        const VcpuEntity *entity = &domain->run->vcpus.entities[i];

        if (entity->unplug != UNPLUG_NONE)
            removals[n++] = (Removal){.id = entity->first_id, .n_vcpus = entity->n_vcpus};
    }
    if (n > 0) {
        if (settle_removals(domain, removals, n, NULL, &left, &error) < 0 ||
            first_rejection(domain, removals, n, &error) < 0)
            log_info("domain '%s': %s", domain_name(domain), error_message(error));
        if (domain->run && driver_save_status(domain, NULL) < 0)
            log_warning("domain '%s': cannot save its status, ignoring", domain_name(domain));
    }
    if (domain->run) /* also what somebody else has found done */
        driver_settle_operations(domain, error ? error_message(error) : NULL);
    removal_watch_pending(domain);
    domain_job_end(domain, &job);
}
