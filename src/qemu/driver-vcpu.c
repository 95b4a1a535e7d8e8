/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vCPU counts and single vCPUs: what the flags mean, live and in the persistent definition. */
#include <fcntl.h>
#include <stdio.h>

#include "conf/domain-validate.h"
#include "qemu/driver.h"
#include "qemu/hotplug.h"
#include "util/file.h"

/* CURRENT becomes LIVE or CONFIG, by whether the domain runs; what is asked for must exist. */
static int resolve_affect(const Domain *domain, unsigned flags, bool *ret_live, bool *ret_config,
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

    if (flags & VCPU_GUEST)
        return error_report(reterr, FROM_QEMU, ERROR_AGENT_UNRESPONSIVE,
                            "QEMU guest agent is not connected");
    r = resolve_affect(domain, flags, &live, &config, reterr);
    if (r < 0)
        return r;
    def = live ? domain->live : domain->config;
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
    uint64_t product = (uint64_t)t->sockets * MAX_OF(t->dies, 1u) * MAX_OF(t->clusters, 1u) * t->cores *
                       t->threads;

    if (t->sockets && product != count)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "CPU topology doesn't match the desired vcpu count");
    for (size_t i = 0; i < def->cpu.n_cells; i++)
        if (def->cpu.cells[i].cpus && bitmap_last(def->cpu.cells[i].cpus) >= (int)count)
            return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                                "number of CPUs in <numa> exceeds the desired maximum vcpu count");
    if (domain_def_set_max_vcpus(def, count) < 0)
        return error_no_memory(reterr);
    return 0;
}

/* Replaces the persistent definition once its file is written. */
static int commit_config(Domain *domain, DomainDef **def, Error **reterr) {
    int r = domain_validate(*def, reterr);

    if (r >= 0)
        r = driver_save_config(domain, *def, reterr);
    if (r < 0)
        return r;
    domain_def_free(domain->config);
    domain->config = TAKE_PTR(*def);
    return 0;
}

static int set_config(Domain *domain, unsigned count, unsigned flags, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *def = domain_def_copy(domain->config);

    if (!def)
        return error_no_memory(reterr);
    if (flags & VCPU_MAXIMUM) {
        int r = config_set_maximum(def, count, reterr);

        if (r < 0)
            return r;
    } else {
        config_set_count(def, count, flags & VCPU_HOTPLUGGABLE);
    }
    return commit_config(domain, &def, reterr);
}

/* ---- setvcpus ---- */

static int check_count(const Domain *domain, unsigned count, unsigned flags, bool live, bool config,
                       Error **reterr) {
    if ((flags & VCPU_MAXIMUM) && live)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "maximum vcpu count of a live domain can't be modified");
    if ((flags & VCPU_MAXIMUM) && count > DOMAIN_MAX_VCPUS)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "maximum vcpu count %u is beyond the limit of %u", count, DOMAIN_MAX_VCPUS);
    if (flags & VCPU_MAXIMUM)
        return 0;
    if (live && count > domain->live->n_vcpus_max)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "requested vcpus is greater than max allowable vcpus for the live domain: "
                            "%u > %u",
                            count, domain->live->n_vcpus_max);
    if (config && count > domain->config->n_vcpus_max)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "requested vcpus is greater than max allowable vcpus for the persistent "
                            "domain: %u > %u",
                            count, domain->config->n_vcpus_max);
    return 0;
}

static int set_live(Domain *domain, unsigned count, Error **reterr) {
    CLEANUP(hotplug_plan_done) HotplugPlan plan = {0};
    int r = domain_check_active(domain, reterr);

    if (r >= 0)
        r = hotplug_plan_count(&domain->vcpus, count, &plan, reterr);
    if (r >= 0)
        r = hotplug_run(domain, &plan, 0, reterr);
    return r;
}

static int set_vcpus_locked(Domain *domain, unsigned count, unsigned flags, Error **reterr) {
    bool live, config;
    int r;

    r = resolve_affect(domain, flags, &live, &config, reterr);
    if (r >= 0)
        r = check_count(domain, count, flags, live, config, reterr);
    if (r >= 0 && live)
        r = set_live(domain, count, reterr);
    if (r >= 0 && config)
        r = set_config(domain, count, flags, reterr);
    return r;
}

int driver_set_vcpus(Domain *domain, unsigned count, unsigned flags, Error **reterr) {
    DomainJob job;
    int r;

    if (count == 0)
        return error_argument(reterr, "virDomainSetVcpusFlags", "nvcpus",
                              "nvcpus in virDomainSetVcpusFlags must not be zero");
    if (flags & VCPU_GUEST)
        return error_report(reterr, FROM_QEMU, ERROR_AGENT_UNRESPONSIVE,
                            "QEMU guest agent is not connected");
    r = domain_job_begin(domain, &job, "setvcpus", reterr);
    if (r < 0)
        return r;
    r = set_vcpus_locked(domain, count, flags, reterr);
    domain_job_end(domain, &job);
    return r;
}

/* ---- setvcpu ---- */

/* The one entity that exactly holds the listed ids. */
static int find_entity(Domain *domain, const Bitmap *ids, VcpuEntity **ret, Error **reterr) {
    VcpuEntity *entity = vcpu_map_by_id(&domain->vcpus, bitmap_next(ids, 0));

    if (!entity)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "vcpu %d is not present in live config",
                            bitmap_next(ids, 0));
    for (int id = bitmap_next(ids, 0); id >= 0; id = bitmap_next(ids, id + 1))
        if (vcpu_map_by_id(&domain->vcpus, id) != entity)
            return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                                "only one hotpluggable entity can be selected");
    if (bitmap_count(ids) != entity->n_vcpus)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "vcpu %u belongs to a hotpluggable entity of %u vcpus; name all of them",
                            entity->first_id, entity->n_vcpus);
    *ret = entity;
    return 0;
}

static int set_vcpu_live(Domain *domain, const Bitmap *ids, bool enable, Error **reterr) {
    CLEANUP(hotplug_plan_done) HotplugPlan plan = {.plug = enable};
    VcpuEntity *entity = NULL;
    int r = domain_check_active(domain, reterr);

    if (r >= 0)
        r = find_entity(domain, ids, &entity, reterr);
    if (r < 0)
        return r;
    if (enable == (entity->qom_path != NULL))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "vcpu '%u' is already in requested state", entity->first_id);
    if (!enable && !entity->alias)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "vcpu '%u' can't be unplugged", entity->first_id);
    plan.entities = malloc(sizeof(size_t));
    if (!plan.entities)
        return error_no_memory(reterr);
    plan.entities[plan.n_entities++] = entity - domain->vcpus.entities;
    return hotplug_run(domain, &plan, 0, reterr);
}

static int set_vcpu_config(Domain *domain, const Bitmap *ids, bool enable, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *def = domain_def_copy(domain->config);
    int last = bitmap_last(ids);

    if (!def)
        return error_no_memory(reterr);
    if (bitmap_test(ids, 0))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "vCPU '0' can't be modified");
    for (int id = bitmap_next(ids, 0); id >= 0; id = bitmap_next(ids, id + 1)) {
        if (def->vcpus[id].online == enable)
            return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                                "vcpu '%d' is already in requested state", id);
        def->vcpus[id].online = enable;
        def->vcpus[id].hotpluggable = TRISTATE_YES;
    }
    for (unsigned id = last + 1; id < def->n_vcpus_max; id++)
        if (def->vcpus[id].online && def->vcpus[id].hotpluggable != TRISTATE_YES)
            return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                                "vcpu '%d' can't be modified as it is followed by non-hotpluggable "
                                "online vcpus",
                                bitmap_next(ids, 0));
    for (unsigned id = 0; id < def->n_vcpus_max; id++)
        def->vcpus[id].order = 0;
    def->vcpus_individual = true;
    return commit_config(domain, &def, reterr);
}

static int check_ids(const DomainDef *def, const Bitmap *ids, const char *which, Error **reterr) {
    int last = bitmap_last(ids);

    if (last >= (int)def->n_vcpus_max)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "vcpu %d is not present in %s config",
                            last, which);
    return 0;
}

int driver_set_vcpu(Domain *domain, const char *list, int state, unsigned flags, Error **reterr) {
    CLEANUP_BITMAP Bitmap *ids = NULL;
    bool live, config;
    DomainJob job;
    int r;

    if (state != 0 && state != 1)
        return error_argument(reterr, "virDomainSetVcpu", "state", "unsupported state value");
    if (bitmap_parse(list, BITMAP_MAX_BITS, &ids) < 0)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "Failed to parse bitmap '%s'", list);
    if (bitmap_is_empty(ids))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "no vcpus selected for modification");
    r = domain_job_begin(domain, &job, "setvcpu", reterr);
    if (r < 0)
        return r;
    r = resolve_affect(domain, flags, &live, &config, reterr);
    if (r >= 0 && live)
        r = check_ids(domain->live, ids, "live", reterr);
    if (r >= 0 && config)
        r = check_ids(domain->config, ids, "persistent", reterr);
    if (r >= 0 && live)
        r = set_vcpu_live(domain, ids, state, reterr);
    if (r >= 0 && config)
        r = set_vcpu_config(domain, ids, state, reterr);
    domain_job_end(domain, &job);
    return r;
}

int driver_thread_stat(pid_t pid, pid_t tid, uint64_t *ret_ns, int *ret_cpu, char *ret_state) {
    CLEANUP_FREE char *path = tid ? strf("/proc/%d/task/%d/stat", pid, tid) : strf("/proc/%d/stat", pid);
    CLEANUP_FREE char *text = NULL;
    unsigned long long user = 0, system = 0;
    const char *rest;
    char state = '?';
    int cpu = -1, r;

    if (!path)
        return -ENOMEM;
    r = file_read(path, 8192, &text, NULL);
    if (r < 0)
        return r;
    rest = strrchr(text, ')');
    /* fields 3 (state), 14, 15 (utime, stime), 39 (processor): proc(5) */
    if (!rest || sscanf(rest + 1,
                        " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d "
                        "%*u %*u %*d %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*d %d",
                        &state, &user, &system, &cpu) < 4)
        return -EBADMSG;
    *ret_ns = (user + system) * (UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK));
    *ret_cpu = cpu;
    *ret_state = state;
    return 0;
}
