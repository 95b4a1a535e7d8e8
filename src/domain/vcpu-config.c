/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/vcpu-config.h"

#include "conf/domain-copy.h"
#include "conf/domain-validate.h"
#include "domain/files.h"
#include "domain/vcpu-request.h"
#include "util/libvirt-numbers.h"

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

static int config_set_ids(DomainDef *def, const Bitmap *ids, bool enable, Error **reterr) {
    int first = bitmap_next(ids, 0), last = bitmap_last(ids);

    if (bitmap_test(ids, 0))
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "vCPU '0' can't be modified");
    for (int id = first; id >= 0; id = bitmap_next(ids, id + 1)) {
        if (id >= (int)def->n_vcpus_max)
            return vcpu_request_check_ids(def, ids, "persistent", reterr);
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

int vcpu_config_make(const Domain *domain, const VcpuRequest *request, DomainDef **ret,
                     Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *def = domain_def_copy(domain->config);
    CLEANUP_BITMAP Bitmap *ids = NULL;
    int r = 0;

    assert(domain->config);
    if (!def)
        return error_no_memory(reterr);
    if (request->single) {
        r = vcpu_request_ids(request->ids, &ids, reterr);
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

int vcpu_config_commit(Domain *domain, const VcpuRequest *request, Error **reterr) {
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    int r;

    assert(domain_job_is_mine(domain));
    if (!domain->config)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain '%s' has no persistent definition any more",
                            domain_name(domain));
    r = vcpu_config_make(domain, request, &def, reterr);
    if (r >= 0)
        r = domain_save_config(domain, def, reterr);
    if (r < 0)
        return r;
    domain_def_free(domain->config);
    domain->config = TAKE_PTR(def);
    return 0;
}
