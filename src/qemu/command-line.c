/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a definition to QEMU's argv: what it cannot have is refused, the rest is put in order. */
#include "qemu/command-line.h"

#include "qemu/command-line-internal.h"
#include "qemu/devices.h"
#include "qemu/fill.h"
#include "qemu/process.h"
#include "qemu/quirks.h"
#include "util/file.h"

/* vCPUs that come and go at a time: pSeries has cores, of as many as the topology has threads. */
static unsigned granularity(const DomainDef *def, const QemuMachine *machine) {
    return strncmp(machine->name, "pseries", 7) == 0 ? MAX_OF(def->cpu.topology.threads, 1u) : 1;
}

/* ---- checks ---- */

static int check_without_kvm(const QemuCommandParams *params, Error **reterr) {
    const DomainDef *def = params->def;
    const Quirk *quirk = quirk_of(params->caps, def->virt, QUIRK_NO_X2APIC);
    CLEANUP_FREE char *text = NULL;

    if (!quirk || (!qemu_needs_remapping(def) && def->iommu.eim != TRISTATE_YES))
        return 0;
    text = quirk_text(quirk, params->caps);
    return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                        "domain '%s': '%s' cannot give it %s: %s; %s", def->name,
                        params->caps->binary,
                        qemu_needs_remapping(def) ? "more than 255 vCPUs" : "<iommu> with eim='on'",
                        text ? text : "it has no x2APIC", quirk->remedy);
}

static int check_iommu(const QemuCommandParams *params, const QemuMachine *machine,
                       Error **reterr) {
    const DomainDef *def = params->def;
    const IommuDef *iommu = &def->iommu;

    if (qemu_needs_remapping(def) && !strstr(machine->name, "q35"))
        return error_report(
            reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
            "domain '%s': more than %u vCPUs are only supported on q35-based machine "
            "types, not on '%s'",
            def->name, 255u, machine->name);
    if (qemu_needs_remapping(def) && (!iommu->given || iommu->model != IOMMU_INTEL ||
                                      iommu->eim != TRISTATE_YES || iommu->intremap == TRISTATE_NO))
        return error_report(
            reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
            "domain '%s': more than %u vCPUs require extended interrupt mode enabled on the "
            "iommu device: <iommu model='intel'><driver intremap='on' eim='on'/></iommu>",
            def->name, 255u);
    if (iommu->given && iommu->model != IOMMU_INTEL)
        return 0;
    if (iommu->given && !strstr(machine->name, "q35"))
        return error_report(
            reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
            "domain '%s': the IOMMU model 'intel' requires the q35 machine type, not '%s'",
            def->name, machine->name);
    if (iommu->eim == TRISTATE_YES && iommu->intremap == TRISTATE_NO)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "domain '%s': <iommu> with eim='on' requires intremap='on'", def->name);
    return check_without_kvm(params, reterr);
}

/* Said here, before QEMU says it in its own words. */
static int check_vcpus(const DomainDef *def, const QemuMachine *machine, Error **reterr) {
    unsigned at_a_time = granularity(def, machine), online = domain_def_online_vcpus(def);

    if (def->n_vcpus_max > machine->cpu_max)
        return error_report(
            reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
            "Maximum CPUs greater than specified machine type limit %u (domain '%s' asks "
            "for %u on '%s')",
            machine->cpu_max, def->name, def->n_vcpus_max, machine->name);
    if (online % at_a_time || argv_boot_vcpus(def) % at_a_time)
        return error_report(
            reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
            "vCPUs count must be a multiple of the vCPU hotplug granularity (%u): domain "
            "'%s' has %u online vCPUs, %u of them not hotpluggable",
            at_a_time, def->name, online, argv_boot_vcpus(def));
    return 0;
}

static int check(const QemuCommandParams *params, const QemuMachine *machine, Error **reterr) {
    const DomainDef *def = params->def;
    int r;

    if (!machine)
        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "the emulator '%s' does not support the machine type '%s'",
                            params->caps->binary, def->os.machine ? def->os.machine : "(default)");
    r = check_vcpus(def, machine, reterr);
    if (r < 0)
        return r;
    if (def->virt == DOMAIN_VIRT_KVM && !params->caps->kvm)
        return error_report(
            reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
            "domain '%s' has type='kvm', but '%s' cannot use /dev/kvm on this host; use "
            "type='qemu'",
            def->name, params->caps->binary);
    r = check_iommu(params, machine, reterr);
    if (r >= 0)
        r = argv_check_firmware(params, reterr);
    return r < 0 ? r : argv_check_memory(def, reterr);
}

/* That of ARM's machine is no device, but a property of the machine. */
static void add_iommu(ArgvBuilder *builder, const DeviceContext *context) {
    static const Property rows[] = {PROP_ON_OFF("intremap", IommuDef, intremap),
                                    PROP_BOOL("caching-mode", IommuDef, caching_mode),
                                    PROP_ON_OFF("eim", IommuDef, eim),
                                    PROP_BOOL("device-iotlb", IommuDef, iotlb),
                                    PROP_UINT("aw-bits", IommuDef, aw_bits),
                                    PROP_END};
    const IommuDef *iommu = &context->def->iommu;
    Props props;

    if (!iommu->given || iommu->model == IOMMU_SMMUV3)
        return;
    if (iommu->model == IOMMU_VIRTIO) {
        props = device_props(context, "virtio-iommu", &iommu->info);
    } else {
        props = props_new();
        props_text(&props, "driver", "intel-iommu");
        props_text(&props, "id", iommu->info.alias);
        props_rows(&props, rows, iommu);
    }
    argv_add_json(builder, "-device", props_take(&props));
}

/* Where the monitor is an object, "-mon" is deprecated. */
static void add_monitor(ArgvBuilder *builder, const QemuCaps *caps) {
    argv_add_option(builder, "-chardev", "%s", QEMU_MONITOR_CHARDEV);
    if (qemu_caps_has_type(caps, "monitor-qmp"))
        argv_add_option(builder, "-object",
                        "{\"qom-type\":\"monitor-qmp\",\"id\":\"monitor\","
                        "\"chardev\":\"charmonitor\"}");
    else
        argv_add_option(builder, "-mon", "chardev=charmonitor,id=monitor,mode=control");
}

static void add_extra_devices(ArgvBuilder *builder, const DomainDef *def) {
    if (def->features.vmcoreinfo == TRISTATE_YES)
        argv_add_option(builder, "-device", "{\"driver\":\"vmcoreinfo\"}");
    if (def->has_genid)
        argv_add_option(builder, "-device",
                        "{\"driver\":\"vmgenid\",\"guid\":\"%s\",\"id\":\"vmgenid0\"}", def->genid);
}

/* The options of the whole machine, in front of its devices. */
static void add_base(ArgvBuilder *builder, const QemuCommandParams *params,
                     const DeviceContext *context, const char *name) {
    const QemuMachine *machine = context->machine;
    const DomainDef *def = params->def;
    char uuid[UUID_TEXT_SIZE];

    uuid_format(def->uuid, uuid);
    argv_add(builder, params->caps->binary);
    argv_add_option(builder, "-name", "guest=%s,debug-threads=on", name);
    argv_add(builder, "-S");
    argv_add_firmware(builder, def);
    argv_add_machine(builder, params, machine);
    argv_add_cpu(builder, def);
    argv_add_memory(builder, def);
    argv_add_smp(builder, def);
    argv_add_cells(builder, def);
    argv_add_iothreads(builder, def);
    argv_add_option(builder, "-uuid", "%s", uuid);
    argv_add_sysinfo(builder, params);
    if (def->n_graphics == 0)
        argv_add_option(builder, "-display", "none");
    argv_add(builder, "-no-user-config");
    argv_add(builder, "-nodefaults");
    add_monitor(builder, params->caps);
    argv_add_clock(builder, params);
    argv_add_globals(builder, def, machine);
    if (def->on_reboot == LIFECYCLE_DESTROY)
        argv_add(builder, "-no-reboot");
    argv_add_boot(builder, def);
    add_iommu(builder, context);
    add_extra_devices(builder, def);
}

int qemu_command_line(const QemuCommandParams *params, char ***ret_argv, Error **reterr) {
    static const QemuHostParts none = {0};
    const DomainDef *def = params->def;
    const QemuMachine *machine = qemu_caps_machine(params->caps, def->os.machine);
    DeviceContext context = {.def = def,
                             .caps = params->caps,
                             .machine = machine,
                             .parts = params->parts ? params->parts : &none};
    CLEANUP_FREE char *name = NULL;
    ArgvBuilder builder = {0};
    int r = check(params, machine, reterr);

    assert(params->def && params->caps && params->channel_dir);
    if (r < 0)
        return r;
    name = argv_escape(def->name);
    if (!name)
        return error_no_memory(reterr);
    add_base(&builder, params, &context, name);
    r = qemu_add_devices(&builder, &context, reterr);
    if (params->sandbox)
        argv_add_option(&builder, "-sandbox", "%s", params->sandbox);
    if (params->incoming)
        argv_add_option(&builder, "-incoming", "defer");
    argv_add_option(&builder, "-msg", "timestamp=on");
    for (size_t i = 0; i < def->qemu.n_args; i++)
        argv_add(&builder, def->qemu.args[i].value ? def->qemu.args[i].value : "");
    if (r < 0 || builder.failed) {
        qemu_argv_free(builder.argv);
        return r < 0 ? r : error_no_memory(reterr);
    }
    *ret_argv = builder.argv;
    return 0;
}
