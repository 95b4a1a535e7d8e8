/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which entities to plug or unplug. Nothing here talks to QEMU. */
#include "domain/vcpu-plan.h"

#include "qemu/quirks.h"
#include "util/file.h"

void hotplug_plan_done(HotplugPlan *plan) {
    free(plan->entities);
    *plan = (HotplugPlan){0};
}

unsigned hotplug_plan_vcpus(const VcpuMap *map, const HotplugPlan *plan) {
    unsigned n = 0;

    for (size_t i = 0; i < plan->n_entities; i++) {
        assert(plan->entities[i] < map->n_entities);
        n += map->entities[plan->entities[i]].n_vcpus;
    }
    return n;
}

static int plan_up(const VcpuMap *map, unsigned online, unsigned target, HotplugPlan *plan,
                   Error **reterr) {
    for (size_t i = 0; i < map->n_entities && online < target; i++) {
        const VcpuEntity *entity = &map->entities[i];

        if (entity->qom_path || !vcpu_entity_can_plug(entity))
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

    assert(map && !ret->entities);
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

    assert(map && !ret->entities);
    plan.entities = calloc(n + 1, sizeof(size_t));
    if (!plan.entities)
        return error_no_memory(reterr);
    for (size_t i = 0; i < n; i++)
        for (size_t at = 0; at < map->n_entities; at++)
            if (map->entities[at].first_id == ids[i] &&
                (map->entities[at].qom_path != NULL) != plug)
                plan.entities[plan.n_entities++] = at;
    *ret = plan;
    plan = (HotplugPlan){0};
    return 0;
}

bool hotplug_is_pseries(const DomainDef *def) {
    return def->os.machine && strncmp(def->os.machine, "pseries", 7) == 0;
}

static const Quirk *quirk_of_run(const Domain *domain, QuirkName name) {
    return quirk_of(domain->run->caps, domain->run->live->virt, name);
}

/* A vCPU's thread that QEMU cannot make. */
static int check_threads(const Domain *domain, const HotplugPlan *plan, Error **reterr) {
    const DomainRun *run = domain->run;
    const Quirk *quirk = quirk_of_run(domain, QUIRK_VCPU_THREADS);
    unsigned n = hotplug_plan_vcpus(&run->vcpus, plan), max = run->live->n_vcpus_max;
    CLEANUP_FREE char *what = NULL, *why = NULL;

    if (!quirk || run->n_vcpu_threads + n <= max || !run->vcpus.has_tids)
        return 0;
    what = strf("plug %u vCPUs", n);
    why =
        run->past_is_unknown
            ? strf(
                  "its status file was lost, so all %u vCPU threads may have been made in this run",
                  max)
            : strf("%u of %u vCPU threads were made in this run, %u more can be",
                   run->n_vcpu_threads, max,
                   max > run->n_vcpu_threads ? max - run->n_vcpu_threads : 0);
    return what && why ? quirk_refuse(quirk, run->caps, what, domain_name(domain), why, reterr)
                       : error_no_memory(reterr);
}

static int preflight_plug(const Domain *domain, const HotplugPlan *plan, Error **reterr) {
    const DomainRun *run = domain->run;
    const Quirk *quirk = quirk_of_run(domain, QUIRK_PLUG_AFTER_REMOVAL);
    int r = 0;

    if (quirk && run->vcpu_was_removed)
        r = quirk_refuse(quirk, run->caps, "plug a vCPU", domain_name(domain),
                         domain_run_removed_text(run), reterr);
    if (r >= 0)
        r = check_threads(domain, plan, reterr);
    if (r >= 0) /* the plan goes up: its first entity decides */
        r = vcpu_map_check_plug(&run->vcpus, &run->vcpus.entities[plan->entities[0]], reterr);
    return r;
}

static int preflight_unplug(const Domain *domain, Error **reterr) {
    const DomainRun *run = domain->run;
    const Quirk *quirk = quirk_of_run(domain, QUIRK_SHARED_REMOVAL);

    if (streq(run->live->os.arch, "s390x")) /* its QEMU refuses every device_del of a CPU */
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "vCPUs of domain '%s' cannot be removed while it runs: QEMU's s390x "
                            "machines have no CPU "
                            "hot-unplug; --config takes effect at its next start",
                            domain_name(domain));
    if (quirk && !run->vcpus.has_tids)
        return quirk_refuse(quirk, run->caps, "remove a vCPU", domain_name(domain), NULL, reterr);
    if (domain->state == DOMAIN_PAUSED && !hotplug_is_pseries(run->live))
        return error_report(
            reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
            "domain '%s' is paused, its guest can't release a vCPU; resume it first",
            domain_name(domain));
    if (!run->live->features.acpi && streq(run->live->os.arch, "x86_64"))
        return error_report(
            reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
            "domain '%s' runs without ACPI, its guest can't be asked to release a vCPU; "
            "<features><acpi/></features> switches it on",
            domain_name(domain));
    return 0;
}

int hotplug_preflight(const Domain *domain, const HotplugPlan *plan, Error **reterr) {
    int r;

    if (plan->n_entities == 0)
        return 0;
    r = domain_check_active(domain, reterr);
    if (r < 0)
        return r;
    return plan->plug ? preflight_plug(domain, plan, reterr) : preflight_unplug(domain, reterr);
}

static char *warn_of_reset(const Domain *domain) {
    const Quirk *quirk = quirk_of_run(domain, QUIRK_RESET_AFTER_REMOVAL);
    CLEANUP_FREE char *text = quirk ? quirk_text(quirk, domain->run->caps) : NULL;

    return text ? strf("nothing can be plugged into domain '%s' any more, and a reboot, also from "
                       "inside the guest, ends it: %s; %s",
                       domain_name(domain), text, quirk->remedy)
                : NULL;
}

/* The first vCPU that is missing below one that is there; -1: none. */
static int first_hole(const VcpuMap *map) {
    int hole = -1;

    for (size_t i = 0; i < map->n_entities; i++) {
        if (map->entities[i].qom_path && hole >= 0)
            return hole;
        if (!map->entities[i].qom_path && hole < 0)
            hole = (int)map->entities[i].first_id;
    }
    return -1;
}

/* Linux with more than 8 possible CPUs does not address interrupts logically. */
static bool addresses_physically(const DomainDef *def) {
    return def->n_vcpus_max > 8 || (def->os.cmdline && strstr(def->os.cmdline, "possible_cpus="));
}

char *hotplug_warn_of_hole(const Domain *domain) {
    const Quirk *quirk = quirk_of_run(domain, QUIRK_LOST_INTERRUPTS);
    int hole = first_hole(&domain->run->vcpus);
    CLEANUP_FREE char *text = NULL;

    if (!quirk || hole < 0 || addresses_physically(domain->run->live))
        return NULL;
    text = quirk_text(quirk, domain->run->caps);
    return text ? strf("the guest of domain '%s' may hang, as it has no vCPU %d but some above it: "
                       "%s; %s",
                       domain_name(domain), hole, text, quirk->remedy)
                : NULL;
}

char *hotplug_warning(const Domain *domain, bool plug) {
    CLEANUP_FREE char *reset = plug ? NULL : warn_of_reset(domain), *hole = NULL;

    hole = plug ? NULL : hotplug_warn_of_hole(domain);
    if (reset && hole)
        return strf("%s; %s", reset, hole);
    return reset ? TAKE_PTR(reset) : TAKE_PTR(hole);
}

/* ---- at start ---- */

int hotplug_check_def(const VcpuMap *map, const VcpuDef *wanted, unsigned n, Error **reterr) {
    CLEANUP_FREE unsigned *first_of = calloc(n + 1, sizeof(unsigned)); /* by order: first id + 1 */

    if (!first_of)
        return error_no_memory(reterr);
    for (size_t i = 0; i < map->n_entities; i++) {
        const VcpuEntity *entity = &map->entities[i];
        const VcpuDef *first = wanted;

        if (entity->first_id + entity->n_vcpus > n)
            break;
        first += entity->first_id;
        for (unsigned k = 1; k < entity->n_vcpus; k++)
            if (first[k].online != first->online || first[k].order != first->order ||
                vcpu_def_is_hotpluggable(&first[k]) != vcpu_def_is_hotpluggable(first))
                return error_report(
                    reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                    "vcpus %u to %u are one hotpluggable entity (granularity %u): they must be "
                    "enabled, hotpluggable and ordered alike",
                    entity->first_id, entity->first_id + entity->n_vcpus - 1, entity->n_vcpus);
        if (!first->online || first->order == 0)
            continue;
        if (first->order > n)
            return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                "vcpu order '%u' of vcpu '%u' exceeds vcpu count %u", first->order,
                                entity->first_id, n);
        if (first_of[first->order])
            return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                                "duplicate vcpu order '%u': vcpus '%u' and '%u' have it",
                                first->order, first_of[first->order] - 1, entity->first_id);
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

int hotplug_plan_boot(const VcpuMap *map, const VcpuDef *wanted, unsigned n, HotplugPlan *plan,
                      Error **reterr) {
    CLEANUP_FREE BootEntity *entities = calloc(map->n_entities + 1, sizeof(BootEntity));

    plan->entities = calloc(map->n_entities + 1, sizeof(size_t));
    if (!plan->entities || !entities)
        return error_no_memory(reterr);
    for (size_t i = 0; i < map->n_entities; i++) {
        unsigned id = map->entities[i].first_id;

        if (id < n && wanted[id].online && !map->entities[i].qom_path &&
            vcpu_entity_can_plug(&map->entities[i]))
            entities[plan->n_entities++] = (BootEntity){.at = i, .order = wanted[id].order};
    }
    qsort(entities, plan->n_entities, sizeof(BootEntity), compare_boot);
    for (size_t i = 0; i < plan->n_entities; i++)
        plan->entities[i] = entities[i].at;
    return 0;
}
