/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Live vCPU change, and the evidence a removal waits for.
 *
 * Evidence (DESIGN.md): DEVICE_DELETED for the alias is proof. DEVICE_DELETED for a child path, or
 * ACPI_DEVICE_OST with status 0 for the slot, is a hint that one re-query decides: QEMU under TCG
 * never sends the first. OST 1 and 0x80-0x83 and DEVICE_UNPLUG_GUEST_ERROR are refusals; 0x84 ("in
 * progress") is progress. Status values: ACPI 6.4, 6.3.5 _OST, table 6.73.
 *
 * Guests eject one CPU after the other. A default deadline is therefore one of silence: each removal and
 * each sign of progress moves it, up to one timeout per device. One given with the call is kept to. */
#include "qemu/hotplug.h"

#include <stdio.h>

#include "qemu/driver.h"
#include "util/log.h"

#define DEFAULT_UNPLUG_USEC (5 * USEC_PER_SEC)
#define PSERIES_UNPLUG_USEC (10 * USEC_PER_SEC)
#define COMMAND_USEC (30 * USEC_PER_SEC)
#define PROGRESS_STEP 32u
#define GATHER_MIN_USEC (2 * USEC_PER_MSEC)
#define GATHER_MAX_USEC (100 * USEC_PER_MSEC)
#define RECHECK_MAX_USEC (60 * USEC_PER_SEC)

void hotplug_plan_done(HotplugPlan *plan) {
    free(plan->entities);
    *plan = (HotplugPlan){0};
}

unsigned hotplug_plan_vcpus(const VcpuMap *map, const HotplugPlan *plan) {
    unsigned n = 0;

    for (size_t i = 0; i < plan->n_entities; i++)
        n += map->entities[plan->entities[i]].n_vcpus;
    return n;
}

static int plan_up(const VcpuMap *map, unsigned online, unsigned target, HotplugPlan *plan,
                   Error **reterr) {
    for (size_t i = 0; i < map->n_entities && online < target; i++) {
        const VcpuEntity *entity = &map->entities[i];

        if (entity->qom_path || !entity->type)
            continue;
        if (online + entity->n_vcpus > target)
            return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                "requested vcpu count %u is not a multiple of the hotpluggable "
                                "entity's granularity (%u vcpus at a time)",
                                target, entity->n_vcpus);
        plan->entities[plan->n_entities++] = i;
        online += entity->n_vcpus;
    }
    if (online != target)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "no appropriate hotpluggable vcpus to satisfy the request for %u vcpus",
                            target);
    return 0;
}

static int plan_down(const VcpuMap *map, unsigned online, unsigned target, HotplugPlan *plan,
                     Error **reterr) {
    for (size_t i = map->n_entities; i-- > 0 && online > target;) {
        const VcpuEntity *entity = &map->entities[i];

        if (!entity->qom_path || !entity->alias)
            continue;
        if (online - entity->n_vcpus < target)
            return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                "requested vcpu count %u is not a multiple of the hotpluggable "
                                "entity's granularity (%u vcpus at a time)",
                                target, entity->n_vcpus);
        plan->entities[plan->n_entities++] = i;
        online -= entity->n_vcpus;
    }
    if (online != target)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "no appropriate hotpluggable vcpus to unplug: %u vcpus were there at "
                            "boot and can't be unplugged, %u were asked for",
                            online, target);
    return 0;
}

int hotplug_plan_count(const VcpuMap *map, unsigned target, HotplugPlan *ret, Error **reterr) {
    CLEANUP(hotplug_plan_done) HotplugPlan plan = {0};
    unsigned online = vcpu_map_online(map);
    int r;

    plan.entities = calloc(map->n_entities + 1, sizeof(size_t));
    if (!plan.entities)
        return error_no_memory(reterr);
    plan.plug = target > online;
    r = plan.plug ? plan_up(map, online, target, &plan, reterr)
                  : plan_down(map, online, target, &plan, reterr);
    if (r < 0)
        return r;
    *ret = plan;
    plan = (HotplugPlan){0};
    return 0;
}

int hotplug_plan_ids(const VcpuMap *map, bool plug, const unsigned *ids, size_t n, HotplugPlan *ret,
                     Error **reterr) {
    CLEANUP(hotplug_plan_done) HotplugPlan plan = {.plug = plug};

    plan.entities = calloc(n + 1, sizeof(size_t));
    if (!plan.entities)
        return error_no_memory(reterr);
    for (size_t i = 0; i < n; i++)
        for (size_t at = 0; at < map->n_entities; at++)
            if (map->entities[at].first_id == ids[i] && (map->entities[at].qom_path != NULL) != plug)
                plan.entities[plan.n_entities++] = at;
    *ret = plan;
    plan = (HotplugPlan){0};
    return 0;
}

static bool is_pseries(const DomainDef *def) {
    return def->os.machine && strncmp(def->os.machine, "pseries", 7) == 0;
}

int hotplug_preflight(const Domain *domain, const HotplugPlan *plan, Error **reterr) {
    int r;

    if (plan->n_entities == 0)
        return 0;
    r = domain_check_active(domain, reterr);
    if (r < 0)
        return r;
    if (plan->plug)
        return domain_check_survives(domain, "plug a vCPU", reterr);
    if (streq(domain->live->os.arch, "s390x")) /* its QEMU refuses every device_del of a CPU */
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "vCPUs of domain '%s' cannot be removed while it runs: QEMU's s390x machines have no CPU "
                            "hot-unplug; --config takes effect at its next start",
                            domain_name(domain));
    if (domain->state == DOMAIN_PAUSED && !is_pseries(domain->live))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain '%s' is paused, its guest can't release a vCPU; resume it first",
                            domain_name(domain));
    if (!domain->live->features.acpi && streq(domain->live->os.arch, "x86_64"))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "domain '%s' runs without ACPI, its guest can't be asked to release a vCPU; "
                            "<features><acpi/></features> switches it on",
                            domain_name(domain));
    return 0;
}

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

    if (!slot || *slot == '\0' || *end != '\0' || n >= domain->vcpus.n_entities)
        return NULL;
    return &domain->vcpus.entities[n];
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
    entity = device ? vcpu_map_by_alias(&domain->vcpus, device)
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
    VcpuEntity *entity = vcpu_map_by_alias(&domain->vcpus, device);

    if (entity) {
        entity->unplug = UNPLUG_DELETED;
        return;
    }
    entity = vcpu_map_by_path(&domain->vcpus, path);
    if (entity && entity->alias && entity->unplug == UNPLUG_REQUESTED)
        entity->unplug = UNPLUG_HINTED;
}

static void late_removal(void *userdata);
static void start_late_removal(Domain *domain);

/* True when a removal that nobody waits for any more has new evidence. */
static bool has_news(const Domain *domain) {
    for (size_t i = 0; i < domain->vcpus.n_entities; i++) {
        UnplugState state = domain->vcpus.entities[i].unplug;

        if (state != UNPLUG_NONE && state != UNPLUG_REQUESTED)
            return true;
    }
    return false;
}

void hotplug_event(Domain *domain, const char *name, json_object *data) {
    if (!domain->live || !data)
        return;
    if (streq(name, "ACPI_DEVICE_OST")) {
        on_ost(domain, data);
    } else if (streq(name, "DEVICE_DELETED")) {
        on_deleted(domain, data);
    } else if (streq(name, "DEVICE_UNPLUG_GUEST_ERROR")) {
        VcpuEntity *entity = vcpu_map_by_alias(&domain->vcpus, json_string(data, "device"));

        if (entity)
            entity_reject(entity, "the guest reported an unplug error");
    } else {
        return;
    }
    fiber_cond_broadcast(&domain->evidence);
    if (has_news(domain)) /* whoever waits under the job takes it first */
        start_late_removal(domain);
}

/* ---- act ---- */

/* A removal in flight, by id: the map is rebuilt underneath while it waits. */
typedef struct Removal {
    unsigned id;
    unsigned n_vcpus;
    bool done;
} Removal;

static Removal *removals_of(const Domain *domain, const HotplugPlan *plan) {
    Removal *removals = calloc(plan->n_entities + 1, sizeof(Removal));

    for (size_t i = 0; removals && i < plan->n_entities; i++) {
        const VcpuEntity *entity = &domain->vcpus.entities[plan->entities[i]];

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

static void emit_added(Domain *domain, const Removal *ids, size_t n) {
    const DriverEvents *events = domain->driver ? domain->driver->events : NULL;

    for (size_t i = 0; events && events->device_added && i < n; i++) {
        char alias[32];

        snprintf(alias, sizeof(alias), "vcpu%u", ids[i].id);
        events->device_added(domain, alias, domain->driver->userdata);
    }
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
    if (domain->live->unplug_timeout_usec)
        return (UnplugTimeout){.usec = domain->live->unplug_timeout_usec};
    if (domain->driver->unplug_timeout_usec)
        return (UnplugTimeout){.usec = domain->driver->unplug_timeout_usec};
    return (UnplugTimeout){.usec = is_pseries(domain->live) ? PSERIES_UNPLUG_USEC : DEFAULT_UNPLUG_USEC};
}

typedef MonitorReply *ReplyPtr;

static void free_replies(ReplyPtr *replies, size_t n) {
    for (size_t i = 0; replies && i < n; i++)
        monitor_reply_free(replies[i]);
    free(replies);
}

/* Sends one command per entity, pipelined. What could not be sent stays NULL. */
static int send_all(Domain *domain, const HotplugPlan *plan, ReplyPtr *replies, Error **reterr) {
    for (size_t i = 0; i < plan->n_entities; i++) {
        VcpuEntity *entity = &domain->vcpus.entities[plan->entities[i]];
        json_object *arguments;
        int r;

        if (plan->plug) {
            arguments = vcpu_entity_device_add(entity);
        } else {
            arguments = json_object_new_object();
            if (arguments)
                json_object_object_add(arguments, "id", json_object_new_string(entity->alias));
            entity->unplug = UNPLUG_REQUESTED; /* armed before the command leaves */
            entity->in_progress = false;
        }
        if (!arguments)
            return error_no_memory(reterr);
        r = monitor_send(domain->monitor, plan->plug ? "device_add" : "device_del", arguments,
                         &replies[i]);
        if (r < 0)
            return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                                "domain '%s': cannot send to QEMU: %s", domain_name(domain),
                                strerror(-r));
    }
    return 0;
}

/* Waits for all replies; the first failure is the error. Leaves in `added` the ids that QEMU did add. */
static int collect(Domain *domain, ReplyPtr *replies, size_t n, const Removal *ids, Removal *added,
                   size_t *ret_n_added, Operation *operation, Error **reterr) {
    uint64_t deadline = deadline_in(COMMAND_USEC);
    CLEANUP_ERROR Error *first = NULL;
    size_t n_added = 0;

    /* QEMU answers in order: the fiber wakes for some of the replies, not for each. */
    for (size_t i = PROGRESS_STEP - 1; operation && i < n && replies[i]; i += PROGRESS_STEP)
        if (monitor_wait(replies[i], deadline) >= 0)
            operation->n_done = i + 1;
    if (n > 0 && replies[n - 1])
        monitor_wait(replies[n - 1], deadline);
    for (size_t i = 0; i < n; i++) {
        int r = replies[i] ? monitor_wait(replies[i], deadline) : -ENOTCONN;

        if (r >= 0) {
            r = monitor_reply_error(replies[i], "device_add", first ? NULL : &first);
            if (r >= 0)
                added[n_added++] = ids[i];
        } else if (!first) {
            error_report(&first, FROM_QEMU,
                         r == -ETIMEDOUT ? ERROR_OPERATION_TIMEOUT : ERROR_OPERATION_FAILED,
                         "domain '%s': no answer to device_add: %s", domain_name(domain), strerror(-r));
        }
    }
    *ret_n_added = n_added;
    return first ? error_propagate(reterr, TAKE_PTR(first)) : 0;
}

static int check_new_threads(Domain *domain, Error **reterr) {
    const VcpuMap *map = &domain->vcpus;

    for (unsigned id = 0; map->has_tids && id < map->n_vcpus && id < domain->live->n_vcpus_max; id++)
        if (domain->live->vcpus[id].online && map->tids[id] == 0)
            return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                                "domain '%s': QEMU reports no thread for vCPU %u",
                                domain_name(domain), id);
    return 0;
}

/* Settles what has evidence; one re-query for all hints of a round. *ret_left: still open. */
static int settle_removals(Domain *domain, Removal *removals, size_t n, size_t *ret_left,
                           Error **reterr) {
    bool query = false;
    size_t left = 0;

    for (size_t i = 0; i < n; i++) {
        VcpuEntity *entity = vcpu_map_by_id(&domain->vcpus, removals[i].id);

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
        VcpuEntity *entity = vcpu_map_by_id(&domain->vcpus, removals[i].id);

        if (removals[i].done || !entity)
            continue;
        if (!entity->qom_path) {
            removals[i].done = true;
            domain->vcpu_was_removed = true;
            emit_removed(domain, removals[i].id, removals[i].n_vcpus);
        } else {
            if (entity->unplug == UNPLUG_HINTED && query)
                entity->unplug = UNPLUG_REQUESTED; /* the hint did not hold */
            left++;
        }
    }
    *ret_left = left;
    return 0;
}

/* The first refusal among the open removals, or 0. Refused entities are reset. */
static int first_rejection(Domain *domain, const Removal *removals, size_t n, Error **reterr) {
    int r = 0;

    for (size_t i = 0; i < n; i++) {
        VcpuEntity *entity = vcpu_map_by_id(&domain->vcpus, removals[i].id);

        if (removals[i].done || !entity || entity->unplug != UNPLUG_REJECTED)
            continue;
        if (r == 0)
            r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                             "vcpu unplug of vCPU %u was rejected by the guest of domain '%s': %s",
                             removals[i].id, domain_name(domain),
                             entity->reason ? entity->reason : "no reason given");
        emit_failed(domain, removals[i].id);
        entity->unplug = UNPLUG_NONE;
    }
    return r;
}

/* Whether the guest said "in progress" of one since the last time this was asked. */
static bool made_progress(Domain *domain, const Removal *removals, size_t n) {
    bool progress = false;

    for (size_t i = 0; i < n; i++) {
        VcpuEntity *entity = vcpu_map_by_id(&domain->vcpus, removals[i].id);

        if (!removals[i].done && entity && entity->in_progress) {
            progress = true;
            entity->in_progress = false;
        }
    }
    return progress;
}

static void hint_all(Domain *domain, const Removal *removals, size_t n) {
    for (size_t i = 0; i < n; i++) {
        VcpuEntity *entity = vcpu_map_by_id(&domain->vcpus, removals[i].id);

        if (!removals[i].done && entity && entity->unplug == UNPLUG_REQUESTED)
            entity->unplug = UNPLUG_HINTED;
    }
}

/* Each look at QEMU costs O(n), so one must serve many of n events: before it, evidence is let gather for some
 * times what the last look took, unless all of it is here. */
static void gather(Domain *domain, const Removal *removals, size_t n, uint64_t last_look_usec) {
    for (size_t i = 0; i < n; i++) {
        const VcpuEntity *entity = vcpu_map_by_id(&domain->vcpus, removals[i].id);

        if (!removals[i].done && entity && entity->unplug == UNPLUG_REQUESTED) {
            fiber_sleep(MIN_OF(MAX_OF(4 * last_look_usec, GATHER_MIN_USEC), GATHER_MAX_USEC));
            return;
        }
    }
}

static int wait_removals(Domain *domain, Removal *removals, size_t n, const UnplugTimeout *timeout,
                         Operation *operation, Error **reterr) {
    uint64_t latest = deadline_in(timeout->usec * (timeout->is_total ? 1 : MAX_OF(n, (size_t)2)));
    uint64_t deadline = deadline_in(timeout->usec);
    uint64_t look_usec = 0;
    bool looked_again = false;
    size_t left = n;

    for (;;) {
        uint64_t began = now_usec();
        size_t before = left;
        int r = settle_removals(domain, removals, n, &left, reterr);

        look_usec = now_usec() - began;
        if (operation)
            operation->n_done = n - left;
        if (r < 0 || left == 0)
            return r;
        r = first_rejection(domain, removals, n, reterr);
        if (r < 0)
            return r;
        if (made_progress(domain, removals, n) || left < before)
            deadline = MIN_OF(deadline_in(timeout->usec), latest);
        r = fiber_cond_wait(&domain->evidence, deadline);
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

/* QEMU's machines start with the old ACPI hotplug registers, which cannot eject, until the guest's own
 * ACPI code switches them over (QEMU's docs/specs/acpi_cpu_hotplug). */
static int del_error(const Domain *domain, const MonitorReply *reply, Error **reterr) {
    if (strstr(reply->error_desc, "not supported device type"))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "the guest of domain '%s' has not set up ACPI CPU hotplug, no vCPU can be removed "
                            "before its operating system runs (QEMU: %s)",
                            domain_name(domain), reply->error_desc);
    return monitor_reply_error(reply, "device_del", reterr);
}

/* "DeviceNotFound" to device_del means it is gone already: a hint. Other errors end the change. */
static int check_del_replies(Domain *domain, ReplyPtr *replies, const Removal *removals, size_t n,
                             Error **reterr) {
    uint64_t deadline = deadline_in(COMMAND_USEC);
    int result = 0;

    if (n > 0 && replies[n - 1])
        monitor_wait(replies[n - 1], deadline);
    for (size_t i = 0; i < n; i++) {
        int r = replies[i] ? monitor_wait(replies[i], deadline) : -ENOTCONN;
        VcpuEntity *entity = vcpu_map_by_id(&domain->vcpus, removals[i].id);

        if (r < 0) {
            if (result == 0)
                result = error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                                      "domain '%s': no answer to device_del: %s",
                                      domain_name(domain), strerror(-r));
        } else if (replies[i]->error_class && entity && entity->unplug != UNPLUG_DELETED) {
            if (streq(replies[i]->error_class, "DeviceNotFound")) {
                entity->unplug = UNPLUG_HINTED;
            } else if (!strstr(replies[i]->error_desc, "already in the process of unplug")) {
                entity->unplug = UNPLUG_NONE;
                if (result == 0)
                    result = del_error(domain, replies[i], reterr);
            }
        }
    }
    return result;
}

static int run_unplug(Domain *domain, const HotplugPlan *plan, Operation *operation, Error **reterr) {
    CLEANUP_FREE Removal *removals = removals_of(domain, plan);
    ReplyPtr *replies = calloc(plan->n_entities + 1, sizeof(ReplyPtr));
    UnplugTimeout timeout = unplug_timeout(domain, operation ? operation->request.timeout_usec : 0);
    int r;

    if (!removals || !replies) {
        free(replies);
        return error_no_memory(reterr);
    }
    r = send_all(domain, plan, replies, reterr);
    monitor_flush(domain->monitor);
    operation_step(operation, STEP_SENT);
    if (r >= 0)
        r = check_del_replies(domain, replies, removals, plan->n_entities, reterr);
    free_replies(replies, plan->n_entities);
    operation_step(operation, STEP_ANSWERED);
    if (r < 0)
        return r;
    if (operation && operation->request.async)
        return -EINPROGRESS;
    r = wait_removals(domain, removals, plan->n_entities, &timeout, operation, reterr);
    if (r >= 0)
        operation_step(operation, STEP_CONFIRMED);
    return r;
}

/* Takes away again what a plug of `n` that failed half way had added. The failure's sentence gets what became of
 * them. */
static void roll_back(Domain *domain, const Removal *added, size_t n_added, size_t n, Error **error) {
    CLEANUP(hotplug_plan_done) HotplugPlan plan = {0};
    CLEANUP_ERROR Error *undo = NULL;
    CLEANUP_FREE unsigned *list = calloc(n_added + 1, sizeof(unsigned));
    int r;

    if (!list || domain_check_active(domain, NULL) < 0)
        return;
    for (size_t i = 0; i < n_added; i++)
        list[i] = added[i].id;
    r = hotplug_plan_ids(&domain->vcpus, false, list, n_added, &plan, &undo);
    if (r >= 0 && n_added > 0)
        r = hotplug_preflight(domain, &plan, &undo);
    if (r >= 0 && n_added > 0)
        r = run_unplug(domain, &plan, NULL, &undo);
    if (n_added == 0)
        error_prefix(error, "no vCPU was added");
    else if (r >= 0)
        error_prefix(error, "the %zu of %zu vCPU devices that were added are removed again", n_added, n);
    else
        error_prefix(error, "%zu of %zu vCPU devices were added and could not all be removed again (%s), %u vCPUs "
                     "are online now", n_added, n, error_message(undo), domain_def_online_vcpus(domain->live));
}

static int run_plug(Domain *domain, const HotplugPlan *plan, Operation *operation, Error **reterr) {
    CLEANUP_FREE Removal *ids = removals_of(domain, plan), *added = removals_of(domain, plan);
    ReplyPtr *replies = calloc(plan->n_entities + 1, sizeof(ReplyPtr));
    CLEANUP(vcpu_query_done) VcpuQuery query = {0};
    CLEANUP_ERROR Error *error = NULL, *refresh = NULL;
    size_t n_added = 0;
    int r;

    if (!replies || !ids || !added) {
        free(replies);
        return error_no_memory(reterr);
    }
    send_all(domain, plan, replies, &error);
    r = domain_query_vcpus(domain, &query, &refresh); /* answered after the last device_add */
    monitor_flush(domain->monitor);
    operation_step(operation, STEP_SENT);
    collect(domain, replies, plan->n_entities, ids, added, &n_added, operation,
            error ? NULL : &error);
    free_replies(replies, plan->n_entities);
    operation_step(operation, STEP_ANSWERED);
    if (r >= 0)
        r = domain_take_vcpus(domain, &query, &refresh);
    if (r < 0)
        return error_propagate(reterr, error ? TAKE_PTR(error) : TAKE_PTR(refresh));
    operation_step(operation, STEP_CONFIRMED);
    if (!error)
        check_new_threads(domain, &error);
    if (!error) {
        if (operation) /* not those of the start */
            emit_added(domain, ids, plan->n_entities);
        return 0;
    }
    roll_back(domain, added, n_added, plan->n_entities, &error);
    return error_propagate(reterr, TAKE_PTR(error));
}

void hotplug_save(Domain *domain, const Operation *operation) {
    CLEANUP_ERROR Error *error = NULL;

    if (!domain->live)
        return;
    domain->live->vcpus_individual = true;
    if (driver_save_status(domain, &error) < 0)
        log_warning("domain '%s': cannot save its status, ignoring: %s", domain_name(domain),
                    error_message(error));
    operation_step(operation, STEP_SAVED);
}

int hotplug_run(Domain *domain, const HotplugPlan *plan, Operation *operation, Error **reterr) {
    int r;

    if (plan->n_entities == 0)
        return 0;
    r = plan->plug ? run_plug(domain, plan, operation, reterr) : run_unplug(domain, plan, operation, reterr);
    hotplug_save(domain, operation);
    hotplug_watch_pending(domain);
    return r;
}

static bool has_pending(const Domain *domain) {
    for (size_t i = 0; i < domain->vcpus.n_entities; i++)
        if (domain->vcpus.entities[i].unplug != UNPLUG_NONE)
            return true;
    return false;
}

static void start_late_removal(Domain *domain) {
    if (domain->late_queued)
        return;
    domain->late_queued = fiber_start("late-removal", late_removal, domain_ref(domain)) >= 0;
    if (!domain->late_queued)
        domain_unref(domain);
}

static int on_recheck(sd_event_source *source, uint64_t usec, void *userdata) {
    Domain *domain = userdata;

    if (!domain->jobs && domain_check_active(domain, NULL) >= 0) { /* whoever has the job will look itself */
        for (size_t i = 0; i < domain->vcpus.n_entities; i++)
            if (domain->vcpus.entities[i].unplug == UNPLUG_REQUESTED)
                domain->vcpus.entities[i].unplug = UNPLUG_HINTED;
        start_late_removal(domain); /* which comes back here */
    } else {
        hotplug_watch_pending(domain);
    }
    return 0;
}

void hotplug_watch_pending(Domain *domain) {
    uint64_t first;

    domain->recheck = sd_event_source_disable_unref(domain->recheck);
    if (!domain->live || !domain->driver || !has_pending(domain)) {
        domain->recheck_usec = 0;
        return;
    }
    first = unplug_timeout(domain, 0).usec;
    domain->recheck_usec = domain->recheck_usec ? MIN_OF(domain->recheck_usec * 2, RECHECK_MAX_USEC) : first;
    sd_event_add_time_relative(fiber_event(), &domain->recheck, CLOCK_MONOTONIC, domain->recheck_usec, 0,
                               on_recheck, domain);
}

/* Evidence came for a removal nobody waits for: finish it under a job of its own. */
static void late_removal(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE Removal *removals = NULL;
    size_t n = 0, left;
    DomainJob job;
    int r = domain_job_begin(domain, &job, "late vcpu removal", &error);

    domain->late_queued = false;
    if (r < 0) { /* a job that takes very long */
        hotplug_watch_pending(domain);
        return;
    }
    if (domain_check_active(domain, NULL) >= 0)
        removals = calloc(domain->vcpus.n_entities + 1, sizeof(Removal));
    for (size_t i = 0; removals && i < domain->vcpus.n_entities; i++) {
        const VcpuEntity *entity = &domain->vcpus.entities[i];

        if (entity->unplug != UNPLUG_NONE)
            removals[n++] = (Removal){.id = entity->first_id, .n_vcpus = entity->n_vcpus};
    }
    if (n > 0) {
        if (settle_removals(domain, removals, n, &left, &error) < 0 ||
            first_rejection(domain, removals, n, &error) < 0)
            log_info("domain '%s': %s", domain_name(domain), error_message(error));
        if (domain->live && driver_save_status(domain, NULL) < 0)
            log_warning("domain '%s': cannot save its status, ignoring", domain_name(domain));
        driver_settle_operations(domain, error ? error_message(error) : NULL);
    }
    hotplug_watch_pending(domain);
    domain_job_end(domain, &job);
}

/* The definition against the entities that QEMU has, before apply_map overwrites it: an entity is online whole or
 * not at all, and entities come in an order of their own. */
static int check_wanted(const VcpuMap *map, const VcpuDef *wanted, unsigned n, Error **reterr) {
    CLEANUP_FREE unsigned *first_of = calloc(DOMAIN_MAX_VCPUS + 1, sizeof(unsigned)); /* by order: first id + 1 */

    if (!first_of)
        return error_no_memory(reterr);
    for (size_t i = 0; i < map->n_entities; i++) {
        const VcpuEntity *entity = &map->entities[i];
        const VcpuDef *first = &wanted[entity->first_id];

        if (entity->first_id + entity->n_vcpus > n)
            break;
        for (unsigned k = 1; k < entity->n_vcpus; k++)
            if (first[k].online != first->online || first[k].hotpluggable != first->hotpluggable ||
                first[k].order != first->order)
                return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                    "vcpus %u to %u are one hotpluggable entity (granularity %u): they must be "
                                    "enabled, hotpluggable and ordered alike",
                                    entity->first_id, entity->first_id + entity->n_vcpus - 1, entity->n_vcpus);
        if (!first->online || first->order == 0)
            continue;
        if (first->order > DOMAIN_MAX_VCPUS || first_of[first->order])
            return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED, "duplicate vcpu order '%u'",
                                first->order);
        first_of[first->order] = entity->first_id + 1;
    }
    return 0;
}

typedef struct BootEntity {
    size_t at;
    unsigned order;
} BootEntity;

static int compare_boot(const void *a, const void *b) {
    const BootEntity *x = a, *y = b;

    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* Those that are wanted and not there, in their order. */
static int plan_boot(const VcpuMap *map, const VcpuDef *wanted, unsigned n, HotplugPlan *plan, Error **reterr) {
    CLEANUP_FREE BootEntity *entities = calloc(map->n_entities + 1, sizeof(BootEntity));

    plan->entities = calloc(map->n_entities + 1, sizeof(size_t));
    if (!plan->entities || !entities)
        return error_no_memory(reterr);
    for (size_t i = 0; i < map->n_entities; i++) {
        unsigned id = map->entities[i].first_id;

        if (id < n && wanted[id].online && !map->entities[i].qom_path && map->entities[i].type)
            entities[plan->n_entities++] = (BootEntity){.at = i, .order = wanted[id].order};
    }
    qsort(entities, plan->n_entities, sizeof(BootEntity), compare_boot);
    for (size_t i = 0; i < plan->n_entities; i++)
        plan->entities[i] = entities[i].at;
    return 0;
}

int hotplug_boot(Domain *domain, Error **reterr) {
    CLEANUP(hotplug_plan_done) HotplugPlan plan = {.plug = true};
    unsigned n = domain->live->n_vcpus_max;
    CLEANUP_FREE VcpuDef *wanted = calloc(n + 1, sizeof(VcpuDef));
    int r;

    if (!wanted)
        return error_no_memory(reterr);
    memcpy(wanted, domain->live->vcpus, n * sizeof(VcpuDef));
    r = domain_refresh_vcpus(domain, reterr);
    if (r >= 0)
        r = check_wanted(&domain->vcpus, wanted, n, reterr);
    if (r >= 0)
        r = plan_boot(&domain->vcpus, wanted, n, &plan, reterr);
    if (r < 0)
        return r;
    return plan.n_entities ? run_plug(domain, &plan, NULL, reterr) : 0;
}
