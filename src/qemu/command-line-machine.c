/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* -machine, -accel, -cpu, -smp, and what of the machine is set by -global. */
#include <stdio.h>

#include "qemu/command-line-internal.h"
#include "conf/addresses.h"
#include "qemu/fill.h"
#include "util/file.h"
#include "util/text.h"

static const char *on_off(Tristate value) {
    return value == TRISTATE_YES ? "on" : "off";
}

static void put_state(FILE *out, const char *name, Tristate value) {
    if (value != TRISTATE_ABSENT)
        fprintf(out, ",%s=%s", name, on_off(value));
}

static void put_word(FILE *out, const char *name, const char *value) {
    if (value)
        fprintf(out, ",%s=%s", name, value);
}

static const TimerDef *find_timer(const DomainDef *def, const char *name) {
    for (size_t i = 0; i < def->n_timers; i++)
        if (streq(def->timers[i].name, name))
            return &def->timers[i];
    return NULL;
}

/* Ends the text and adds it as the value of an option. */
static void add_text(ArgvBuilder *builder, const char *option, FILE *out, char **text) {
    if (fclose(out) == 0)
        argv_add_option(builder, option, "%s", *text);
    else
        builder->failed = true;
}

/* ---- machine ---- */

static bool is_pc(const QemuMachine *machine) {
    return strncmp(machine->name, "pc-", 3) == 0 || streq(machine->name, "pc") ||
           streq(machine->name, "q35");
}

static bool is_q35(const QemuMachine *machine) {
    return strstr(machine->name, "q35") != NULL;
}

static void put_irqchip(FILE *out, const DomainDef *def) {
    const FeaturesDef *features = &def->features;
    /* Interrupt remapping needs the I/O APIC outside of the kernel. */
    bool split = features->ioapic_split || def->iommu.intremap == TRISTATE_YES ||
                 def->iommu.eim == TRISTATE_YES;

    if (def->virt != DOMAIN_VIRT_KVM)
        return;
    if (device_is_x86(def) && split)
        fputs(",kernel-irqchip=split", out);
    else if (streq_ptr(features->ioapic, "kvm"))
        fputs(",kernel-irqchip=on", out);
}

static void put_x86(FILE *out, const DomainDef *def, const QemuMachine *machine) {
    const FeaturesDef *features = &def->features;
    const TimerDef *hpet = find_timer(def, "hpet"), *pit = find_timer(def, "pit");

    if (!features->acpi)
        fputs(",acpi=off", out);
    put_state(out, "smm", features->smm);
    put_state(out, "vmport", features->vmport);
    if (hpet && is_pc(machine))
        put_state(out, "hpet", hpet->present);
    if (pit && is_pc(machine) && pit->present == TRISTATE_NO)
        fputs(",pit=off", out);
    if (def->os.bios_serial == TRISTATE_YES)
        fputs(",graphics=off", out);
}

/* The one of the first in the order of boot: QEMU has one for the machine. */
static const char *find_loadparm(const DomainDef *def) {
    const DeviceInfo *first = NULL;

    for (size_t i = 0; i < def->n_disks + def->n_interfaces; i++) {
        const DeviceInfo *info = i < def->n_disks ? &def->disks[i].info
                                                  : &def->interfaces[i - def->n_disks].info;

        if (info->boot_order && (!first || info->boot_order < first->boot_order))
            first = info;
    }
    return first && domain_def_is_s390(def) ? first->loadparm : NULL;
}

static void put_others(FILE *out, const DomainDef *def) {
    const FeaturesDef *features = &def->features;

    if (streq(def->os.arch, "aarch64") && domain_def_is_virt(def) && !features->acpi)
        fputs(",acpi=off", out);
    put_word(out, "loadparm", find_loadparm(def));
    if (features->has_gic && features->gic_version)
        put_word(out, "gic-version", features->gic_version);
    if (def->iommu.given && def->iommu.model == IOMMU_SMMUV3)
        fputs(",iommu=smmuv3", out);
    put_word(out, "resize-hpt", features->hpt_resizing);
    put_state(out, "cap-htm", features->htm);
    put_state(out, "cap-nested-hv", features->nested_hv);
    put_state(out, "cap-ccf-assist", features->ccf_assist);
    put_word(out, "cap-cfpc", features->cfpc);
    put_word(out, "cap-sbbc", features->sbbc);
    put_word(out, "cap-ibs", features->ibs);
}

static const AudioDef *pc_speaker(const DomainDef *def) {
    for (size_t i = 0; i < def->n_sounds; i++)
        if (def->sounds[i].model == SOUND_PCSPK && def->n_audios > 0)
            return &def->audios[0];
    return NULL;
}

void argv_add_machine(ArgvBuilder *builder, const QemuCommandParams *params,
                      const QemuMachine *machine) {
    const DomainDef *def = params->def;
    const FeaturesDef *features = &def->features;
    bool kvm = def->virt == DOMAIN_VIRT_KVM;
    bool ring = kvm && features->kvm_dirty_ring == TRISTATE_YES;
    bool cache = !kvm && features->tb_cache;
    const AudioDef *audio = pc_speaker(def);
    CLEANUP_FREE char *text = NULL;
    FILE *out = text_open(&text);

    if (!out) {
        builder->failed = true;
        return;
    }
    fprintf(out, "%s%s,usb=off,dump-guest-core=%s", machine->name,
            ring || cache ? ""
            : kvm         ? ",accel=kvm"
                          : ",accel=tcg",
            on_off(def->dump_core));
    put_irqchip(out, def);
    if (device_is_x86(def))
        put_x86(out, def, machine);
    put_others(out, def);
    if (def->memory_backing.nosharepages)
        fputs(",mem-merge=off", out);
    if (audio)
        fprintf(out, ",pcspk-audiodev=audio%u", audio->id);
    for (size_t i = 0; i < def->n_memories; i++)
        if (def->memories[i].model == MEMORY_NVDIMM) {
            fputs(",nvdimm=on", out);
            break;
        }
    if (argv_has_pflash(def))
        fprintf(out, ",pflash0=pflash0-format%s",
                def->os.has_nvram ? ",pflash1=pflash1-format" : "");
    if (qemu_has_hmat(&def->cpu))
        fputs(",hmat=on", out);
    if (qemu_has_main_backend(def))
        fputs(",memory-backend=" MAIN_BACKEND, out);
    add_text(builder, "-machine", out, &text);
    if (ring)
        argv_add_option(builder, "-accel", "kvm,dirty-ring-size=%u", features->dirty_ring_size);
    if (cache)
        argv_add_option(builder, "-accel", "tcg,tb-size=%llu",
                        (unsigned long long)(features->tb_cache / 1024));
}

/* What belongs to devices of the machine. */
void argv_add_globals(ArgvBuilder *builder, const DomainDef *def, const QemuMachine *machine) {
    const char *power = is_q35(machine) ? "ICH9-LPC" : "PIIX4_PM";
    const TimerDef *pit = find_timer(def, "pit");

    if (pit && device_is_x86(def) &&
        (streq_ptr(pit->tickpolicy, "delay") || streq_ptr(pit->tickpolicy, "discard")))
        argv_add_option(builder, "-global", "kvm-pit.lost_tick_policy=%s", pit->tickpolicy);
    if (is_pc(machine) && def->suspend_to_mem != TRISTATE_ABSENT)
        argv_add_option(builder, "-global", "%s.disable_s3=%d", power,
                        def->suspend_to_mem == TRISTATE_NO);
    if (is_pc(machine) && def->suspend_to_disk != TRISTATE_ABSENT)
        argv_add_option(builder, "-global", "%s.disable_s4=%d", power,
                        def->suspend_to_disk == TRISTATE_NO);
    if (def->os.loader_secure == TRISTATE_YES)
        argv_add_option(builder, "-global", "driver=cfi.pflash01,property=secure,value=on");
    if (def->features.has_tseg && is_q35(machine))
        argv_add_option(builder, "-global", "mch.extended-tseg-mbytes=%llu",
                        (unsigned long long)(def->features.tseg / 1024));
    if (def->nvram && def->nvram->info.address.has_reg)
        argv_add_option(builder, "-global", "spapr-nvram.reg=%llu",
                        (unsigned long long)def->nvram->info.address.reg);
    for (size_t i = 0; i < def->n_controllers && is_pc(machine) && !is_q35(machine); i++)
        if (def->controllers[i].type == CONTROLLER_PCI && def->controllers[i].index == 0 &&
            def->controllers[i].hotplug != TRISTATE_ABSENT)
            argv_add_option(builder, "-global", "PIIX4_PM.acpi-root-pci-hotplug=%s",
                            on_off(def->controllers[i].hotplug));
    for (size_t i = 0; i < def->n_controllers; i++)
        if (def->controllers[i].has_hole64)
            argv_add_option(builder, "-global", "%s.pci-hole64-size=%lluK",
                            is_q35(machine) ? "q35-pcihost" : "i440FX-pcihost",
                            (unsigned long long)def->controllers[i].hole64);
}

/* ---- cpu ---- */

static void put_features(FILE *out, const CpuDef *cpu) {
    for (size_t i = 0; i < cpu->n_features; i++) {
        CpuFeaturePolicy policy = cpu->features[i].policy;
        bool on = policy == CPU_FEATURE_FORCE || policy == CPU_FEATURE_REQUIRE;

        if (policy != CPU_FEATURE_OPTIONAL && policy != CPU_FEATURE_FORBID)
            fprintf(out, ",%s=%s", cpu->features[i].name, on ? "on" : "off");
    }
}

static const char *cpu_model(const DomainDef *def) {
    bool kvm = def->virt == DOMAIN_VIRT_KVM;

    switch (def->cpu.mode) {
    case CPU_MODE_CUSTOM:
        return def->cpu.model;
    case CPU_MODE_HOST_MODEL:
    case CPU_MODE_HOST_PASSTHROUGH:
        return kvm ? "host" : "max";
    case CPU_MODE_MAXIMUM:
        return "max";
    case CPU_MODE_NONE:
    case CPU_MODE_MAX_:
        break;
    }
    return NULL;
}

typedef struct HypervRow {
    size_t offset;
    const char *flags;
} HypervRow;

/* The enlightenments are KVM's. */
static void put_hyperv(FILE *out, const DomainDef *def) {
    static const HypervRow rows[] = {{offsetof(HypervDef, relaxed), "hv-relaxed"},
                                     {offsetof(HypervDef, vapic), "hv-vapic"},
                                     {offsetof(HypervDef, vpindex), "hv-vpindex"},
                                     {offsetof(HypervDef, runtime), "hv-runtime"},
                                     {offsetof(HypervDef, synic), "hv-synic"},
                                     {offsetof(HypervDef, stimer), "hv-stimer"},
                                     {offsetof(HypervDef, stimer_direct), "hv-stimer-direct"},
                                     {offsetof(HypervDef, reset), "hv-reset"},
                                     {offsetof(HypervDef, frequencies), "hv-frequencies"},
                                     {offsetof(HypervDef, reenlightenment), "hv-reenlightenment"},
                                     {offsetof(HypervDef, tlbflush), "hv-tlbflush"},
                                     {offsetof(HypervDef, ipi), "hv-ipi"},
                                     {offsetof(HypervDef, evmcs), "hv-evmcs"},
                                     {offsetof(HypervDef, avic), "hv-avic"}};
    const HypervDef *hyperv = &def->features.hyperv;
    const TimerDef *clock = find_timer(def, "hypervclock");

    if (clock && clock->present != TRISTATE_NO)
        fputs(",hv-time=on", out);
    if (!def->features.has_hyperv)
        return;
    if (streq_ptr(hyperv->mode, "passthrough"))
        fputs(",hv-passthrough=on", out);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (*(const Tristate *)((const char *)hyperv + rows[i].offset) == TRISTATE_YES)
            fprintf(out, ",%s=on", rows[i].flags);
    if (hyperv->spinlocks == TRISTATE_YES)
        fprintf(out, ",hv-spinlocks=0x%x", hyperv->spinlock_retries);
    if (hyperv->vendor_id == TRISTATE_YES)
        put_word(out, "hv-vendor-id", hyperv->vendor_id_value);
}

static void put_kvm(FILE *out, const DomainDef *def) {
    const FeaturesDef *features = &def->features;
    const TimerDef *clock = find_timer(def, "kvmclock"), *tsc = find_timer(def, "tsc");

    if (clock)
        put_state(out, "kvmclock", clock->present);
    put_state(out, "kvm-pv-eoi", features->apic_eoi);
    put_state(out, "kvm-pv-unhalt", features->pvspinlock);
    put_hyperv(out, def);
    for (size_t i = 0; i < def->n_panics; i++)
        if (streq_ptr(def->panics[i].model, "hyperv"))
            fputs(",hv-crash", out);
    if (features->kvm_hidden == TRISTATE_YES)
        fputs(",kvm=off", out);
    put_state(out, "kvm-hint-dedicated", features->kvm_hint_dedicated);
    put_state(out, "kvm-poll-control", features->kvm_poll_control);
    put_state(out, "kvm-pv-ipi", features->kvm_pv_ipi);
    if (tsc && tsc->frequency)
        fprintf(out, ",tsc-frequency=%llu", (unsigned long long)tsc->frequency);
}

static void put_cache(FILE *out, const CpuDef *cpu) {
    if (!cpu->has_cache || !cpu->cache_mode)
        return;
    if (streq(cpu->cache_mode, "passthrough"))
        fputs(",host-cache-info=on,l3-cache=off", out);
    else if (streq(cpu->cache_mode, "disable"))
        fputs(",host-cache-info=off,l3-cache=off", out);
    else
        fputs(",l3-cache=on,host-cache-info=off", out);
}

static void put_physical_bits(FILE *out, const CpuDef *cpu) {
    if (streq_ptr(cpu->maxphysaddr_mode, "passthrough"))
        fputs(",host-phys-bits=on", out);
    else if (cpu->maxphysaddr_bits)
        fprintf(out, ",phys-bits=%u", cpu->maxphysaddr_bits);
    if (cpu->maxphysaddr_limit)
        fprintf(out, ",host-phys-bits-limit=%u", cpu->maxphysaddr_limit);
}

static bool wants_cpu(const DomainDef *def) {
    const FeaturesDef *features = &def->features;

    return cpu_model(def) || (device_is_x86(def) && def->virt == DOMAIN_VIRT_KVM &&
                              (features->has_hyperv || features->kvm_hidden == TRISTATE_YES ||
                               features->pvspinlock != TRISTATE_ABSENT));
}

void argv_add_cpu(ArgvBuilder *builder, const DomainDef *def) {
    bool kvm = def->virt == DOMAIN_VIRT_KVM, x86 = device_is_x86(def);
    const char *model = cpu_model(def);
    CLEANUP_FREE char *text = NULL;
    FILE *out = wants_cpu(def) ? text_open(&text) : NULL;

    if (!out) {
        builder->failed |= wants_cpu(def);
        return;
    }
    fputs(model ? model : streq(def->os.arch, "x86_64") ? "qemu64" : "qemu32", out);
    if (def->cpu.mode == CPU_MODE_HOST_PASSTHROUGH && kvm)
        put_word(out, "migratable", def->cpu.migratable);
    put_word(out, "vendor", def->cpu.vendor_id);
    put_features(out, &def->cpu);
    if (x86 && def->features.pmu != TRISTATE_ABSENT)
        put_state(out, "pmu", def->features.pmu);
    if (x86 && kvm)
        put_kvm(out, def);
    if (x86) {
        put_cache(out, &def->cpu);
        put_physical_bits(out, &def->cpu);
    }
    add_text(builder, "-cpu", out, &text);
}

/* ---- smp ---- */

/* vCPUs QEMU must have from the start: online and not hotpluggable; the others are plugged before
 * the CPUs run. At least one. */
unsigned argv_boot_vcpus(const DomainDef *def) {
    unsigned n = 0;

    for (unsigned i = 0; i < def->n_vcpus_max; i++)
        n += def->vcpus[i].online && def->vcpus[i].hotpluggable != TRISTATE_YES;
    return MAX_OF(n, 1u);
}

void argv_add_smp(ArgvBuilder *builder, const DomainDef *def) {
    const CpuTopology *t = &def->cpu.topology;

    if (t->sockets) {
        CLEANUP_FREE char *dies = t->dies > 1 ? strf(",dies=%u", t->dies) : strdup("");
        CLEANUP_FREE char *clusters = t->clusters > 1 ? strf(",clusters=%u", t->clusters)
                                                      : strdup("");

        if (!dies || !clusters) {
            builder->failed = true;
            return;
        }
        argv_add_option(builder, "-smp", "%u,maxcpus=%u,sockets=%u%s%s,cores=%u,threads=%u",
                        argv_boot_vcpus(def), def->n_vcpus_max, t->sockets, dies, clusters,
                        t->cores, t->threads);
    } else {
        argv_add_option(builder, "-smp", "%u,maxcpus=%u,sockets=%u,cores=1,threads=1",
                        argv_boot_vcpus(def), def->n_vcpus_max, def->n_vcpus_max);
    }
}
