/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vCPUs and IO threads of a definition. */
#include "conf/domain-def.h"

bool vcpu_def_is_hotpluggable(const VcpuDef *vcpu) {
    return vcpu->hotpluggable == TRISTATE_ABSENT ? !vcpu->online
                                                 : vcpu->hotpluggable == TRISTATE_YES;
}

bool domain_def_shares_memory(const DomainDef *def) {
    if (streq_ptr(def->memory_backing.access, "shared"))
        return true;
    for (size_t i = 0; i < def->cpu.n_cells; i++)
        if (streq_ptr(def->cpu.cells[i].mem_access, "shared"))
            return true;
    return false;
}

bool domain_def_has_boot_order(const DomainDef *def) {
    bool found = false;

    for (size_t i = 0; i < def->n_disks; i++)
        found |= def->disks[i].info.boot_order != 0;
    for (size_t i = 0; i < def->n_interfaces; i++)
        found |= def->interfaces[i].info.boot_order != 0;
    for (size_t i = 0; i < def->n_hostdevs; i++)
        found |= def->hostdevs[i].info.boot_order != 0;
    for (size_t i = 0; i < def->n_redirdevs; i++)
        found |= def->redirdevs[i].info.boot_order != 0;
    return found;
}

unsigned domain_def_online_vcpus(const DomainDef *def) {
    unsigned n = 0;

    for (unsigned i = 0; i < def->n_vcpus_max; i++)
        n += def->vcpus[i].online;
    return n;
}

int domain_def_set_max_vcpus(DomainDef *def, unsigned max) {
    VcpuDef *vcpus;

    assert(max > 0 && max <= DOMAIN_MAX_VCPUS);
    for (unsigned i = max; i < def->n_vcpus_max; i++)
        bitmap_free(TAKE_PTR(def->vcpus[i].pin));
    cputune_clip(&def->cputune, max);
    vcpus = realloc(def->vcpus, max * sizeof(VcpuDef));
    if (!vcpus)
        return -ENOMEM;
    if (max > def->n_vcpus_max)
        memset(vcpus + def->n_vcpus_max, 0, (max - def->n_vcpus_max) * sizeof(VcpuDef));
    def->vcpus = vcpus;
    def->n_vcpus_max = max;
    return 0;
}

static int compare_iothread(const void *key, const void *item) {
    unsigned id = *(const unsigned *)key, other = ((const IothreadDef *)item)->id;

    return (id > other) - (id < other);
}

IothreadDef *domain_def_iothread(const DomainDef *def, unsigned id) {
    return def->n_iothreads ? bsearch(&id, def->iothreads, def->n_iothreads, sizeof(IothreadDef),
                                      compare_iothread)
                            : NULL;
}

IothreadDef *domain_def_add_iothread(DomainDef *def, unsigned id) {
    IothreadDef *bigger = reallocarray(def->iothreads, def->n_iothreads + 1, sizeof(IothreadDef));
    size_t at = def->n_iothreads;

    if (!bigger)
        return NULL;
    def->iothreads = bigger;
    for (; at > 0 && bigger[at - 1].id > id; at--)
        bigger[at] = bigger[at - 1];
    bigger[at] = (IothreadDef){.id = id, .pool_min = -1, .pool_max = -1};
    def->n_iothreads++;
    return &bigger[at];
}

void domain_def_remove_disk(DomainDef *def, DiskDef *disk) {
    element_done(&disk_element, disk);
    def->n_disks--;
    memmove(disk, disk + 1, (size_t)(def->disks + def->n_disks - disk) * sizeof(DiskDef));
}

void domain_def_remove_iothread(DomainDef *def, unsigned id) {
    IothreadDef *gone = domain_def_iothread(def, id);

    if (!gone)
        return;
    bitmap_free(gone->pin);
    def->n_iothreads--;
    memmove(gone, gone + 1,
            (size_t)(def->iothreads + def->n_iothreads - gone) * sizeof(IothreadDef));
}
