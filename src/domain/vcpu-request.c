/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/vcpu-request.h"

#include "domain/vcpu-smi.h"
#include "util/libvirt-numbers.h"

int vcpu_request_check_ids(const DomainDef *def, const Bitmap *ids, const char *which,
                           Error **reterr) {
    int last = bitmap_last(ids);

    if (last >= (int)def->n_vcpus_max)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "vcpu %d is not present in %s config", last, which);
    return 0;
}

int vcpu_request_ids(const char *list, Bitmap **ret, Error **reterr) {
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

int vcpu_request_check(const Domain *domain, const VcpuRequest *request, bool live, bool config,
                       Error **reterr) {
    CLEANUP_BITMAP Bitmap *ids = NULL;
    int r;

    assert((!live || domain->run) && (!config || domain->config));
    if (!request->single)
        return check_count(domain, request, live, config, reterr);
    r = vcpu_request_ids(request->ids, &ids, reterr);
    if (r >= 0 && live)
        r = vcpu_request_check_ids(domain->run->live, ids, "live", reterr);
    if (r >= 0 && config)
        r = vcpu_request_check_ids(domain->config, ids, "persistent", reterr);
    return r;
}

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
    int r = vcpu_request_ids(request->ids, &ids, reterr);

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

static bool asks_for_more(const Domain *domain, const VcpuRequest *request) {
    return request->single ? request->enable
                           : request->count > vcpu_map_online(&domain->run->vcpus);
}

int vcpu_request_plan(Domain *domain, const VcpuRequest *request, HotplugPlan *plan,
                      Error **reterr) {
    int r = domain_check_active(domain, reterr);

    if (r >= 0 && asks_for_more(domain, request)) /* waits: before anything is looked at */
        r = vcpu_smi_check_plug(domain, reterr);
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
