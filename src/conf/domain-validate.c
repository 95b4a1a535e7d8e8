/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules that need the whole definition. */
#include "conf/domain-validate.h"

static int check_first_vcpu(const DomainDef *def, Error **reterr) {
    if (!def->vcpus[0].online)
        return error_report(reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                            "vcpu 0 can't be offline");
    if (def->vcpus[0].hotpluggable == TRISTATE_YES)
        return error_report(reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                            "vcpu0 can't be hotpluggable");
    if (def->vcpus[0].order > 1)
        return error_report(reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                            "vcpu0 must be enabled first: its order is '%u', not '1'",
                            def->vcpus[0].order);
    return 0;
}

static int check_vcpus(const DomainDef *def, Error **reterr) {
    bool ordered = false, unordered = false, seen_hotpluggable = false;
    unsigned last_order = 0;
    int offline = -1, r = check_first_vcpu(def, reterr);

    if (r < 0)
        return r;
    for (unsigned id = 0; id < def->n_vcpus_max; id++) {
        const VcpuDef *vcpu = &def->vcpus[id];

        if (!vcpu->online && vcpu->hotpluggable == TRISTATE_NO)
            return error_report(reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                                "vcpu '%u' is both offline and not hotpluggable", id);
        if (!vcpu->online) {
            offline = offline < 0 ? (int)id : offline;
            continue;
        }
        ordered |= vcpu->order != 0;
        unordered |= vcpu->order == 0;
        if (vcpu->order > def->n_vcpus_max)
            return error_report(reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                                "order '%u' of vCPU '%u' is beyond the maximum of %u vcpus",
                                vcpu->order, id, def->n_vcpus_max);
        if (vcpu->hotpluggable == TRISTATE_YES) {
            seen_hotpluggable = true;
            continue;
        }
        if (seen_hotpluggable)
            return error_report(reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                                "online non-hotpluggable vcpus need to be ordered prior to "
                                "hotpluggable vcpus: vcpu "
                                "'%u' follows a hotpluggable one",
                                id);
        if (offline >= 0) /* QEMU starts with the first ones */
            return error_report(reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                                "vcpu '%u' is online and not hotpluggable, but follows vcpu '%d', "
                                "which is offline: give it hotpluggable='yes', or enable the other",
                                id, offline);
        if (vcpu->order && vcpu->order < last_order)
            return error_report(reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                                "online non-hotpluggable vcpus must be ordered in ascending order: "
                                "vcpu '%u' has order "
                                "'%u' after '%u'",
                                id, vcpu->order, last_order);
        last_order = vcpu->order;
    }
    if (ordered && unordered)
        return error_report(reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                            "all vcpus must have either set or unset order: some that are enabled "
                            "have one, some have "
                            "none");
    return 0;
}

static int check_topology(const DomainDef *def, Error **reterr) {
    const CpuTopology *t = &def->cpu.topology;
    uint64_t product = t->sockets;
    const unsigned factors[] = {t->dies, t->clusters, t->cores, t->threads};

    if (!t->sockets)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(factors); i++) {
        product *= factors[i];
        if (product > DOMAIN_MAX_VCPUS)
            break;
    }
    if (product != def->n_vcpus_max)
        return error_report(
            reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
            "CPU topology doesn't match maximum vcpu count: <topology> must make %u CPUs",
            def->n_vcpus_max);
    return 0;
}

static int check_numa(const DomainDef *def, Error **reterr) {
    for (size_t i = 0; i < def->cpu.n_cells; i++) {
        const Bitmap *cpus = def->cpu.cells[i].cpus;

        if (!cpus)
            continue;
        if (bitmap_last(cpus) >= (int)def->n_vcpus_max)
            return error_report(reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                                "CPU IDs in <numa> exceed the <vcpu> count: NUMA cell %zu has CPU "
                                "'%d', the last one "
                                "is '%u'",
                                i, bitmap_last(cpus), def->n_vcpus_max - 1);
        for (size_t k = 0; k < i; k++)
            if (def->cpu.cells[k].cpus && bitmap_overlaps(cpus, def->cpu.cells[k].cpus))
                return error_report(reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                                    "NUMA cells %zu and %zu have overlapping vCPU ids", k, i);
    }
    return 0;
}

static int check_numatune(const DomainDef *def, Error **reterr) {
    const NumaTuneDef *tune = &def->numatune;

    for (size_t i = 0; i < tune->n_memnodes; i++) {
        NumaMode mode = tune->memnodes[i].mode;

        if (tune->automatic)
            return error_report(
                reterr, FROM_DOMAIN, ERROR_XML,
                "Per-node binding is not compatible with automatic NUMA placement.");
        if (tune->given && tune->mode != mode &&
            (tune->mode == NUMA_RESTRICTIVE || mode == NUMA_RESTRICTIVE))
            return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                                "'restrictive' mode is required in memnode element when mode is "
                                "'restrictive' in memory "
                                "element, and the other way round");
    }
    return 0;
}

static int check_disk_iothread(const DomainDef *def, const DiskDef *disk, Error **reterr) {
    if (!disk->iothread)
        return 0;
    if (disk->bus != DISK_BUS_VIRTIO || disk->device != DISK_DEVICE_DISK)
        return error_report(reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                            "IOThreads are only for disks on the virtio bus, not for '%s'",
                            disk->target);
    if (!domain_def_iothread(def, disk->iothread))
        return error_report(
            reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
            "Disk iothread '%u' of '%s' is not defined in <iothreads> or <iothreadids>",
            disk->iothread, disk->target);
    return 0;
}

static const char *source_name(const DiskDef *disk) {
    return disk->source.path ? disk->source.path : "";
}

static int check_disks(const DomainDef *def, Error **reterr) {
    for (size_t i = 0; i < def->n_disks; i++) {
        int r = check_disk_iothread(def, &def->disks[i], reterr);

        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < def->n_disks; i++)
        for (size_t k = 0; k < i; k++)
            if (streq(def->disks[i].target, def->disks[k].target))
                return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                                    "target '%s' duplicated for disk sources '%s' and '%s'",
                                    def->disks[i].target, source_name(&def->disks[k]),
                                    source_name(&def->disks[i]));
    return 0;
}

int domain_validate(const DomainDef *def, Error **reterr) {
    int r = check_vcpus(def, reterr);

    if (r >= 0)
        r = check_topology(def, reterr);
    if (r >= 0)
        r = check_numa(def, reterr);
    if (r >= 0)
        r = check_numatune(def, reterr);
    if (r >= 0)
        r = check_disks(def, reterr);
    return r;
}
