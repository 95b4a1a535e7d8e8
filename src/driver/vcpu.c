/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vCPU counts and single vCPUs: what the flags mean, live and in the persistent definition. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "conf/domain-validate.h"
#include "qemu/agent.h"
#include "driver/driver.h"
#include "domain/vcpu-online.h"
#include "domain/vcpu-plug.h"
#include "util/file.h"
#include "util/log.h"
#include "util/proc.h"

int driver_resolve_affect(const Domain *domain, unsigned flags, bool *ret_live, bool *ret_config,
                          Error **reterr) {
    bool live = flags & AFFECT_LIVE, config = flags & AFFECT_CONFIG;

    if (!live && !config) {
        live = domain_is_active(domain);
        config = !live;
    }
    if (live && !domain_is_active(domain))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain is not running");
    if (config && !domain->config)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "transient domains do not have any persistent config");
    *ret_live = live;
    *ret_config = config;
    return 0;
}

int driver_get_vcpus(Domain *domain, unsigned flags, Error **reterr) {
    bool live, config;
    const DomainDef *def;
    int r;

    if (flags & VCPU_GUEST) {
        CLEANUP_AGENT_VCPUS AgentVcpus vcpus = {0};

        r = driver_agent_vcpus(domain, &vcpus, reterr);
        return r < 0 ? r : (int)agent_vcpus_online(&vcpus);
    }
    r = driver_resolve_affect(domain, flags, &live, &config, reterr);
    if (r < 0)
        return r;
    def = live ? domain->run->live : domain->config;
    return (flags & VCPU_MAXIMUM) ? (int)def->n_vcpus_max : (int)domain_def_online_vcpus(def);
}

/* ---- the persistent definition ---- */

/* Online up to `count`, lowest ids first; removal from the top leaves hotpluggable ones behind. */
static void config_set_count(DomainDef *def, unsigned count, bool hotpluggable) {
    unsigned online = domain_def_online_vcpus(def);
    bool earlier_hotpluggable = false;

    for (unsigned id = 0; id < def->n_vcpus_max; id++)
        def->vcpus[id].order = 0;
    for (unsigned id = 0; id < def->n_vcpus_max && online < count; id++) {
        VcpuDef *vcpu = &def->vcpus[id];

        if (vcpu->online) {
            earlier_hotpluggable |= vcpu->hotpluggable == TRISTATE_YES;
            continue;
        }
        vcpu->online = true;
        vcpu->hotpluggable = hotpluggable || earlier_hotpluggable ? TRISTATE_YES : TRISTATE_NO;
        def->vcpus_individual |= hotpluggable;
        online++;
    }
    for (unsigned id = def->n_vcpus_max; id-- > 1 && online > count;) {
        VcpuDef *vcpu = &def->vcpus[id];

        if (!vcpu->online)
            continue;
        vcpu->online = false;
        vcpu->hotpluggable = TRISTATE_YES;
        online--;
    }
}

static int config_set_maximum(DomainDef *def, unsigned count, Error **reterr) {
    const CpuTopology *t = &def->cpu.topology;
    uint64_t product = (uint64_t)t->sockets * MAX_OF(t->dies, 1u) * MAX_OF(t->clusters, 1u) *
                       t->cores * t->threads;

    if (t->sockets && product != count)
        return error_report(
            reterr, FROM_QEMU, ERROR_INVALID_ARG,
            "CPU topology doesn't match the desired vcpu count: it makes %llu CPUs, not %u",
            (unsigned long long)product, count);
    for (size_t i = 0; i < def->cpu.n_cells; i++)
        if (def->cpu.cells[i].cpus && bitmap_last(def->cpu.cells[i].cpus) >= (int)count)
            return error_report(
                reterr, FROM_QEMU, ERROR_INVALID_ARG,
                "Number of CPUs in <numa> exceeds the desired maximum vcpu count: cell %zu has CPU "
                "'%d'",
                i, bitmap_last(def->cpu.cells[i].cpus));
    if (domain_def_set_max_vcpus(def, count) < 0)
        return error_no_memory(reterr);
    return 0;
}

/* ---- what a request asks for ---- */

static int check_count(const Domain *domain, const VcpuRequest *request, bool live, bool config,
                       Error **reterr) {
    unsigned count = request->count;

    if ((request->flags & VCPU_MAXIMUM) && live)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "maximum vcpu count of a live domain can't be modified");
    if ((request->flags & VCPU_MAXIMUM) && count > DOMAIN_MAX_VCPUS)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "maximum vcpu count %u is beyond the limit of %u", count,
                            DOMAIN_MAX_VCPUS);
    if (request->flags & VCPU_MAXIMUM)
        return 0;
    if (live && count > domain->run->live->n_vcpus_max)
        return error_report(
            reterr, FROM_QEMU, ERROR_INVALID_ARG,
            "requested vcpus is greater than max allowable vcpus for the live domain: "
            "%u > %u",
            count, domain->run->live->n_vcpus_max);
    if (config && count > domain->config->n_vcpus_max)
        return error_report(
            reterr, FROM_QEMU, ERROR_INVALID_ARG,
            "requested vcpus is greater than max allowable vcpus for the persistent "
            "domain: %u > %u",
            count, domain->config->n_vcpus_max);
    return 0;
}

static int check_ids(const DomainDef *def, const Bitmap *ids, const char *which, Error **reterr) {
    int last = bitmap_last(ids);

    if (last >= (int)def->n_vcpus_max)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "vcpu %d is not present in %s config", last, which);
    return 0;
}

/* The text's ids; at least one. */
static int parse_ids(const char *list, Bitmap **ret, Error **reterr) {
    CLEANUP_BITMAP Bitmap *ids = NULL;

    if (bitmap_parse(list, BITMAP_MAX_BITS, &ids) < 0)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "Failed to parse bitmap '%.200s'",
                            list);
    if (bitmap_is_empty(ids))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "no vcpus selected for modification");
    *ret = TAKE_PTR(ids);
    return 0;
}

static int check_request(const Domain *domain, const VcpuRequest *request, bool live, bool config,
                         Error **reterr) {
    CLEANUP_BITMAP Bitmap *ids = NULL;
    int r;

    if (!request->single)
        return check_count(domain, request, live, config, reterr);
    r = parse_ids(request->ids, &ids, reterr);
    if (r >= 0 && live)
        r = check_ids(domain->run->live, ids, "live", reterr);
    if (r >= 0 && config)
        r = check_ids(domain->config, ids, "persistent", reterr);
    return r;
}

/* ---- the config half ---- */

static int config_set_ids(DomainDef *def, const Bitmap *ids, bool enable, Error **reterr) {
    int first = bitmap_next(ids, 0), last = bitmap_last(ids);

    if (bitmap_test(ids, 0))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "vCPU '0' can't be modified");
    for (int id = first; id >= 0; id = bitmap_next(ids, id + 1)) {
        if (id >= (int)def->n_vcpus_max)
            return check_ids(def, ids, "persistent", reterr);
        if (def->vcpus[id].online == enable)
            continue;
        def->vcpus[id].online = enable;
        def->vcpus[id].hotpluggable = TRISTATE_YES;
    }
    for (unsigned id = last + 1; id < def->n_vcpus_max; id++)
        if (def->vcpus[id].online && def->vcpus[id].hotpluggable != TRISTATE_YES)
            return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                                "vcpu '%d' can't be modified as it is followed by non-hotpluggable "
                                "online vcpus",
                                first);
    for (unsigned id = 0; id < def->n_vcpus_max; id++)
        def->vcpus[id].order = 0;
    def->vcpus_individual = true;
    return 0;
}

/* The persistent definition as the request wants it; nothing is changed yet. */
static int make_config(const Domain *domain, const VcpuRequest *request, DomainDef **ret,
                       Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *def = domain_def_copy(domain->config);
    CLEANUP_BITMAP Bitmap *ids = NULL;
    int r = 0;

    if (!def)
        return error_no_memory(reterr);
    if (request->single) {
        r = parse_ids(request->ids, &ids, reterr);
        if (r >= 0)
            r = config_set_ids(def, ids, request->enable, reterr);
    } else if (request->flags & VCPU_MAXIMUM) {
        r = config_set_maximum(def, request->count, reterr);
    } else {
        config_set_count(def, request->count, request->flags & VCPU_HOTPLUGGABLE);
    }
    if (r >= 0)
        r = domain_validate(def, reterr);
    if (r >= 0)
        *ret = TAKE_PTR(def);
    return r;
}

/* Replaces the persistent definition once its file is written. */
static int commit_config(Domain *domain, const VcpuRequest *request, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    int r;

    if (!domain->config)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain '%s' has no persistent definition any more",
                            domain_name(domain));
    r = make_config(domain, request, &def, reterr);
    if (r >= 0)
        r = driver_save_config(domain, def, reterr);
    if (r < 0)
        return r;
    domain_def_free(domain->config);
    domain->config = TAKE_PTR(def);
    return 0;
}

/* ---- the live half ---- */

/* The one entity that exactly holds the listed ids. */
static int find_entity(Domain *domain, const Bitmap *ids, VcpuEntity **ret, Error **reterr) {
    VcpuEntity *entity = vcpu_map_by_id(&domain->run->vcpus, bitmap_next(ids, 0));

    if (!entity)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "vcpu %d is not present in live config", bitmap_next(ids, 0));
    for (int id = bitmap_next(ids, 0); id >= 0; id = bitmap_next(ids, id + 1))
        if (vcpu_map_by_id(&domain->run->vcpus, id) != entity)
            return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                                "only one hotpluggable entity can be selected, and vcpu '%d' is of "
                                "another than '%d'",
                                id, bitmap_next(ids, 0));
    if (bitmap_count(ids) != entity->n_vcpus)
        return error_report(
            reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
            "vcpu %u belongs to a hotpluggable entity of %u vcpus; name all of them",
            entity->first_id, entity->n_vcpus);
    *ret = entity;
    return 0;
}

static int plan_single(Domain *domain, const VcpuRequest *request, HotplugPlan *plan,
                       Error **reterr) {
    CLEANUP_BITMAP Bitmap *ids = NULL;
    VcpuEntity *entity = NULL;
    int r = parse_ids(request->ids, &ids, reterr);

    if (r >= 0)
        r = find_entity(domain, ids, &entity, reterr);
    if (r < 0)
        return r;
    if (request->enable == (entity->qom_path != NULL))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "vcpu '%d' is already in requested state", bitmap_next(ids, 0));
    if (!request->enable && !entity->alias)
        return error_report(
            reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
            "vcpu '%d' can't be unplugged: it is not hotpluggable; what is changed with --config "
            "takes effect at the next start",
            bitmap_next(ids, 0));
    return hotplug_plan_ids(&domain->run->vcpus, request->enable, &entity->first_id, 1, plan,
                            reterr);
}

/* Everything that can be known to fail fails here; nothing has been sent. */
static int plan_live(Domain *domain, const VcpuRequest *request, HotplugPlan *plan,
                     Error **reterr) {
    int r = domain_check_active(domain, reterr);

    /* What is so already needs no hotplug. */
    if (r >= 0 && !request->single && request->count == vcpu_map_online(&domain->run->vcpus))
        return 0;
    if (r >= 0 && !vcpu_map_has_hotplug(&domain->run->vcpus))
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                         "domain '%s' has no CPU hotplug: its QEMU has none for the machine '%s'",
                         domain_name(domain),
                         domain->run->live->os.machine ? domain->run->live->os.machine : "none");
    if (r >= 0)
        r = request->single ? plan_single(domain, request, plan, reterr)
                            : hotplug_plan_count(&domain->run->vcpus, request->count, plan, reterr);
    return r < 0 ? r : hotplug_preflight(domain, plan, reterr);
}

/* ---- operations ---- */

/* Ends the pending operations on the same entities: what they wanted is journaled again, or not
 * wanted any more. */
static void take_over(Domain *domain, const Operation *operation) {
    CLEANUP_FREE char *why = strf("taken over by operation %llu",
                                  (unsigned long long)operation->id);

    for (size_t i = 0; i < operation->n_vcpus; i++) {
        Operation *earlier = operation_of_vcpu(domain, operation->vcpus[i], operation);

        if (earlier && earlier->state == OPERATION_PENDING)
            operation_set_state(earlier, OPERATION_CANCELLED, why);
    }
}

static int begin_operation(Domain *domain, const VcpuRequest *request, bool config,
                           const HotplugPlan *plan, Operation **ret, Error **reterr) {
    Operation *operation = NULL;
    int r = operation_new(domain->driver, domain, request, &operation, reterr);

    if (r < 0)
        return r;
    operation->live = true;
    operation->config = config;
    operation->plug = plan->plug;
    operation->vcpus = calloc(plan->n_entities + 1, sizeof(unsigned));
    for (size_t i = 0; operation->vcpus && i < plan->n_entities; i++)
        operation->vcpus[operation->n_vcpus++] =
            domain->run->vcpus.entities[plan->entities[i]].first_id;
    r = operation->vcpus ? operation_journal(operation, reterr) : error_no_memory(reterr);
    if (r < 0) {
        operation_set_state(operation, OPERATION_FAILED,
                            reterr && *reterr ? error_message(*reterr) : NULL);
        operation_unref(operation);
        return r;
    }
    take_over(domain, operation);
    *ret = operation;
    return 0;
}

/* The live half is there: the config half, and the outcome. */
static int finish_operation(Domain *domain, Operation *operation, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *warning = NULL;
    int r = operation->config ? commit_config(domain, &operation->request, &error) : 0;

    if (r < 0) {
        error_prefix(&error, "the running domain was changed, its definition was not");
        operation_set_state(operation, OPERATION_FAILED, error_message(error));
        return error_propagate(reterr, TAKE_PTR(error));
    }
    if (operation->config)
        operation_step(operation, STEP_CONFIG);
    warning = hotplug_warning(domain, operation->plug);
    if (warning)
        log_warning("%s", warning);
    operation_set_state(operation, OPERATION_DONE, warning);
    return 0;
}

/* Job held. -ETIMEDOUT: the removal stays pending. */
static int run_operation(Domain *domain, Operation *operation, const HotplugPlan *plan,
                         Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    int r = hotplug_run(domain, plan, operation, &error);

    if (operation_has_ended(operation)) /* the domain stopped meanwhile */
        return error ? error_propagate(reterr, TAKE_PTR(error)) : r;
    if (r == -EINPROGRESS || (r == -ETIMEDOUT && !plan->plug)) {
        operation_set_state(operation, OPERATION_PENDING, "waiting for the guest");
        operation_step(operation, STEP_PENDING);
        return error ? error_propagate(reterr, TAKE_PTR(error)) : 0;
    }
    if (r < 0) {
        operation_set_state(operation, OPERATION_FAILED, error_message(error));
        return error_propagate(reterr, TAKE_PTR(error));
    }
    return finish_operation(domain, operation, reterr);
}

static int change_locked(Domain *domain, const VcpuRequest *request, uint64_t *ret_operation,
                         Error **reterr) {
    CLEANUP(hotplug_plan_done) HotplugPlan plan = {0};
    CLEANUP_DOMAIN_DEF DomainDef *wanted = NULL;
    CLEANUP(operation_unrefp) Operation *operation = NULL;
    GuestOnline *online;
    unsigned n_vcpus;
    bool live, config;
    int r;

    r = driver_resolve_affect(domain, request->flags, &live, &config, reterr);
    if (r >= 0)
        r = check_request(domain, request, live, config, reterr);
    if (r >= 0 && config)
        r = make_config(domain, request, &wanted, reterr); /* would it be valid? */
    if (r >= 0 && live)
        r = plan_live(domain, request, &plan, reterr);
    if (r < 0)
        return r;
    if (plan.n_entities == 0)
        return config ? commit_config(domain, request, reterr) : 0;
    n_vcpus = hotplug_plan_vcpus(&domain->run->vcpus, &plan);
    online = plan.plug ? guest_online_begin(domain) : NULL;
    r = begin_operation(domain, request, config, &plan, &operation, reterr);
    if (r < 0) {
        guest_online_finish(domain, online, NULL, 0);
        return r;
    }
    if (ret_operation)
        *ret_operation = operation->id;
    if (request->begun)
        fiber_cond_broadcast(request->begun);
    guest_online_wait(online);
    r = run_operation(domain, operation, &plan, reterr);
    if (plan.plug)
        guest_online_finish(domain, online, operation, r < 0 ? 0 : n_vcpus);
    return r;
}

int driver_change_vcpus(Domain *domain, const VcpuRequest *request, uint64_t *ret_operation,
                        Error **reterr) {
    DomainJob job;
    int r;

    if (!request->single && request->count == 0)
        return error_argument(reterr, "virDomainSetVcpusFlags", "nvcpus",
                              "nvcpus in virDomainSetVcpusFlags must not be zero");
    if (request->flags & VCPU_GUEST)
        return driver_agent_set_count(domain, request->count, reterr);
    r = domain_job_begin(domain, &job, request->single ? "setvcpu" : "setvcpus", reterr);
    if (r < 0)
        return r;
    r = change_locked(domain, request, ret_operation, reterr);
    domain_job_end(domain, &job);
    return r;
}

/* A change on a fiber of its own, for a caller that wants to follow it. */
typedef struct BegunChange {
    unsigned n_refs; /* the fiber's and the caller's */
    Domain *domain;
    VcpuRequest request;
    uint64_t operation;
    bool over;
    int r;
    Error *error;
    FiberCond cond;
} BegunChange;

static void begun_change_unref(BegunChange *change) {
    if (--change->n_refs > 0)
        return;
    domain_unref(change->domain);
    vcpu_request_done(&change->request);
    error_free(change->error);
    fiber_cond_done(&change->cond);
    free(change);
}

static void run_change(void *userdata) {
    BegunChange *change = userdata;

    change->r = driver_change_vcpus(change->domain, &change->request, &change->operation,
                                    &change->error);
    change->over = true;
    fiber_cond_broadcast(&change->cond);
    begun_change_unref(change);
}

int driver_begin_change(Domain *domain, const VcpuRequest *request, uint64_t *ret_operation,
                        Error **reterr) {
    BegunChange *change = calloc(1, sizeof(BegunChange));
    int r;

    if (!change)
        return error_no_memory(reterr);
    change->n_refs = 2;
    change->domain = domain_ref(domain);
    change->request = *request;
    change->request.begun = &change->cond;
    change->request.ids = request->ids ? strdup(request->ids) : NULL;
    if ((request->ids && !change->request.ids) ||
        fiber_start("change-vcpus", run_change, change) < 0) {
        change->n_refs = 1;
        begun_change_unref(change);
        return error_no_memory(reterr);
    }
    while (!change->over && !change->operation)
        fiber_cond_wait(&change->cond, USEC_FOREVER);
    *ret_operation = change->operation;
    r = change->operation ? 0 : change->r; /* the operation tells its own outcome */
    if (r < 0)
        r = error_propagate(reterr, TAKE_PTR(change->error));
    begun_change_unref(change);
    return r;
}

static Domain *domain_of(const Operation *operation) {
    Domain *domain = operation->driver ? driver_find_uuid(operation->driver, operation->uuid,
                                                          operation->name, NULL)
                                       : NULL;

    return domain && domain->run && domain->run->pid.pid == operation->pid.pid &&
                   domain->run->pid.start_time == operation->pid.start_time
               ? domain
               : NULL;
}

/* Carries on with what is left of an operation. Job held. */
static int go_on(Domain *domain, Operation *operation, Error **reterr) {
    CLEANUP(hotplug_plan_done) HotplugPlan plan = {0};
    CLEANUP_ERROR Error *error = NULL;
    int r = hotplug_plan_ids(&domain->run->vcpus, operation->plug, operation->vcpus,
                             operation->n_vcpus, &plan, &error);

    if (r >= 0 && plan.n_entities > 0)
        r = hotplug_preflight(domain, &plan, &error);
    if (r < 0) {
        operation_set_state(operation, OPERATION_FAILED, error_message(error));
        return error_propagate(reterr, TAKE_PTR(error));
    }
    if (plan.n_entities > 0)
        return run_operation(domain, operation, &plan, reterr);
    hotplug_save(domain, operation);
    return finish_operation(domain, operation, reterr);
}

static void resume(void *userdata) {
    CLEANUP(operation_unrefp) Operation *operation = userdata;
    CLEANUP_DOMAIN Domain *domain = NULL;
    CLEANUP_ERROR Error *error = NULL;
    DomainJob job;

    if (domain_of(operation))
        domain = domain_ref(domain_of(operation));
    if (!domain) /* it stopped a moment ago, and its operations with it */
        return;
    if (domain_job_begin(domain, &job, "an operation of an earlier vireod", &error) < 0) {
        operation_set_state(operation, OPERATION_FAILED, error_message(error));
        return;
    }
    if (domain_check_active(domain, &error) < 0)
        operation_set_state(operation, OPERATION_FAILED, error_message(error));
    else if (go_on(domain, operation, &error) < 0)
        log_info("domain '%s': operation %llu: %s", domain_name(domain),
                 (unsigned long long)operation->id, error_message(error));
    domain_job_end(domain, &job);
}

void driver_resume_operations(Domain *domain) {
    for (Operation *operation = domain->driver->operations; operation;
         operation = operation->next) {
        if (operation_has_ended(operation) || domain_of(operation) != domain)
            continue;
        if (fiber_start("resume-operation", resume, operation_ref(operation)) < 0)
            operation_unref(operation);
    }
}

void driver_drop_operations(Driver *driver) {
    for (Operation *operation = driver->operations; operation; operation = operation->next)
        if (!operation_has_ended(operation) && !domain_of(operation))
            operation_set_state(operation, OPERATION_FAILED,
                                "its QEMU ended while vireod was away; nothing of it is left");
}

typedef enum RemovalStage { STAGE_LEFT, STAGE_REFUSED, STAGE_NEXT, STAGE_GONE } RemovalStage;

/* Where a pending removal is, by what is there and what the guest was asked for. */
static RemovalStage removal_stage(const Domain *domain, const Operation *operation) {
    bool left = false, next = false;

    for (size_t i = 0; i < operation->n_vcpus; i++) {
        const VcpuEntity *entity = vcpu_map_by_id(&domain->run->vcpus, operation->vcpus[i]);

        if (!entity || !entity->qom_path)
            continue;
        if (i >= operation->n_asked)
            next = true;
        else if (entity->unplug == UNPLUG_NONE)
            return STAGE_REFUSED;
        else
            left = true;
    }
    return left ? STAGE_LEFT : next ? STAGE_NEXT : STAGE_GONE;
}

static void settle_operation(Domain *domain, Operation *operation, const char *rejection) {
    CLEANUP_ERROR Error *error = NULL;
    RemovalStage stage;

    while ((stage = removal_stage(domain, operation)) == STAGE_NEXT)
        if (hotplug_ask_next(domain, operation, &error) < 0) {
            operation_set_state(operation, OPERATION_FAILED, error_message(error));
            return;
        }
    if (stage == STAGE_REFUSED)
        operation_set_state(operation, OPERATION_FAILED,
                            rejection ? rejection : "the guest refused");
    else if (stage == STAGE_GONE && finish_operation(domain, operation, &error) < 0)
        log_warning("domain '%s': operation %llu: %s", domain_name(domain),
                    (unsigned long long)operation->id, error_message(error));
}

void driver_settle_operations(Domain *domain, const char *rejection) {
    Operation *next;

    for (Operation *operation = domain->driver ? domain->driver->operations : NULL; operation;
         operation = next) {
        next = operation->next;
        if (operation->state != OPERATION_PENDING || domain_of(operation) != domain)
            continue;
        operation_ref(operation);
        settle_operation(domain, operation, rejection);
        next = operation->next; /* a wait may have let others change the list */
        operation_unref(operation);
    }
}

void driver_fail_operations(Domain *domain, const char *why) {
    Operation *next;

    for (Operation *operation = domain->driver ? domain->driver->operations : NULL; operation;
         operation = next) {
        next = operation->next;
        if (!operation_has_ended(operation) && domain_of(operation) == domain)
            operation_set_state(operation, OPERATION_FAILED, why);
    }
}

static int check_pending(const Operation *operation, const char *what, Error **reterr) {
    if (operation->state == OPERATION_PENDING)
        return 0;
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                        "operation %llu of domain '%s' is %s; only a pending one can be %s",
                        (unsigned long long)operation->id, operation->name,
                        operation_state_name(operation->state), what);
}

int driver_cancel_operation(Operation *operation, Error **reterr) {
    int r = check_pending(operation, "cancelled", reterr);

    if (r >= 0)
        operation_set_state(operation, OPERATION_CANCELLED, "the guest may still remove the vCPU");
    return r;
}

int driver_retry_operation(Operation *operation, uint64_t timeout_usec, Error **reterr) {
    CLEANUP_DOMAIN Domain *domain = NULL;
    DomainJob job;
    int r = check_pending(operation, "retried", reterr);

    if (r < 0)
        return r;
    if (!domain_of(operation))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain is not running");
    domain = domain_ref(domain_of(operation));
    r = domain_job_begin(domain, &job, "retry of a vcpu removal", reterr);
    if (r < 0)
        return r;
    r = check_pending(operation, "retried", reterr);
    if (r >= 0) {
        operation->request.timeout_usec = timeout_usec;
        operation->request.async = false;
        operation_set_state(operation, OPERATION_ACTING, NULL);
        r = go_on(domain, operation, reterr);
    }
    domain_job_end(domain, &job);
    return r;
}

/* ---- the plan as text ---- */

static void print_entity(FILE *out, const VcpuEntity *entity, bool plug) {
    const char *props = entity->props
                            ? json_object_to_json_string_ext(entity->props, JSON_C_TO_STRING_PLAIN)
                            : "{}";

    if (plug && entity->cpu_add)
        fprintf(out, "plug    vcpu%u: cpu-add %u", entity->first_id, entity->first_id);
    else if (plug)
        fprintf(out, "plug    vcpu%u: device_add %s %s", entity->first_id, entity->type, props);
    else
        fprintf(out, "unplug  %s: device_del, then the guest's evidence", entity->alias);
    if (entity->n_vcpus > 1)
        fprintf(out, " (%u vCPUs)", entity->n_vcpus);
    fputc('\n', out);
}

/* What it means for the host and the guest, and what should be known before. */
static void print_effects(FILE *out, const Domain *domain, const HotplugPlan *plan) {
    unsigned n = hotplug_plan_vcpus(&domain->run->vcpus, plan),
             online = domain_def_online_vcpus(domain->run->live);
    unsigned after = plan->plug ? online + n : online - n;
    CLEANUP_FREE char *warning = hotplug_warning(domain, plan->plug);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    fprintf(out, "host    %u threads %s, %u in all on %ld host CPUs\n", n,
            plan->plug ? "more" : "less", after, cpus);
    if (plan->plug && (long)after > cpus)
        fprintf(out, "warning more vCPUs than host CPUs: they will take turns\n");
    if (plan->plug && (!domain->run->agent || !agent_is_connected(domain->run->agent)))
        fprintf(
            out,
            "warning no guest agent is connected: the guest itself must bring the vCPUs online\n");
    if (warning)
        fprintf(out, "warning %s\n", warning);
}

int driver_plan_vcpus(Domain *domain, const VcpuRequest *request, char **ret, Error **reterr) {
    CLEANUP(hotplug_plan_done) HotplugPlan plan = {0};
    CLEANUP_DOMAIN_DEF DomainDef *wanted = NULL;
    bool live, config;
    size_t size = 0;
    FILE *out;
    int r;

    r = driver_resolve_affect(domain, request->flags, &live, &config, reterr);
    if (r >= 0)
        r = check_request(domain, request, live, config, reterr);
    if (r >= 0 && config)
        r = make_config(domain, request, &wanted, reterr);
    if (r >= 0 && live)
        r = plan_live(domain, request, &plan, reterr);
    if (r < 0)
        return r;
    out = open_memstream(ret, &size);
    if (!out)
        return error_no_memory(reterr);
    for (size_t i = 0; i < plan.n_entities; i++)
        print_entity(out, &domain->run->vcpus.entities[plan.entities[i]], plan.plug);
    if (plan.n_entities > 0)
        print_effects(out, domain, &plan);
    if (live)
        fprintf(out, "live    %u vCPUs online now, %zu entities to %s\n",
                domain_def_online_vcpus(domain->run->live), plan.n_entities,
                plan.plug ? "plug" : "unplug");
    if (config)
        fprintf(out, "config  %u of %u vCPUs, will be %u of %u\n",
                domain_def_online_vcpus(domain->config), domain->config->n_vcpus_max,
                domain_def_online_vcpus(wanted), wanted->n_vcpus_max);
    return fclose(out) == 0 ? 0 : error_no_memory(reterr);
}

/* ---- threads ---- */

int driver_thread_stat(pid_t pid, pid_t tid, uint64_t *ret_ns, int *ret_cpu, char *ret_state) {
    ProcStat stat;
    int r = proc_stat(pid, tid, &stat);

    if (r < 0)
        return r;
    *ret_ns = stat.utime_ns + stat.stime_ns;
    *ret_cpu = stat.cpu;
    *ret_state = stat.state;
    return 0;
}
