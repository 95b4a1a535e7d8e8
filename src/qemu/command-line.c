/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From a definition to QEMU's argv. Devices are in command-line-devices.c. */
#include "qemu/command-line.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "qemu/command-line-internal.h"
#include "qemu/quirks.h"
#include "qemu/process.h"
#include "util/file.h"

void argv_add(ArgvBuilder *builder, const char *text) {
    if (builder->failed)
        return;
    if (builder->n + 2 > builder->size) {
        size_t size = MAX_OF(builder->size * 2, (size_t)64);
        char **bigger = realloc(builder->argv, size * sizeof(char *));

        if (!bigger) {
            builder->failed = true;
            return;
        }
        builder->argv = bigger;
        builder->size = size;
    }
    builder->argv[builder->n] = strdup(text);
    builder->failed = !builder->argv[builder->n];
    builder->argv[++builder->n] = NULL;
}

void argv_add_option(ArgvBuilder *builder, const char *option, const char *format, ...) {
    char *text = NULL;
    va_list args;
    int r;

    va_start(args, format);
    r = vasprintf(&text, format, args);
    va_end(args);
    if (r < 0) {
        builder->failed = true;
        return;
    }
    argv_add(builder, option);
    argv_add(builder, text);
    free(text);
}

void argv_add_json(ArgvBuilder *builder, const char *option, json_object *object) {
    if (!object) {
        builder->failed = true;
        return;
    }
    argv_add(builder, option);
    argv_add(builder, json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
                                                                 JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(object);
}

char *argv_escape(const char *text) {
    CLEANUP_FREE char *out = malloc(strlen(text) * 2 + 1);
    char *to = out;

    if (!out)
        return NULL;
    for (; *text; text++) {
        if (*text == ',')
            *to++ = ',';
        *to++ = *text;
    }
    *to = '\0';
    return TAKE_PTR(out);
}

void qemu_argv_free(char **argv) {
    for (size_t i = 0; argv && argv[i]; i++)
        free(argv[i]);
    free(argv);
}

char *qemu_argv_format(char *const *argv) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    for (size_t i = 0; argv[i]; i++) {
        bool plain = *argv[i] != '\0';

        for (const char *c = argv[i]; *c; c++)
            plain = plain && (isalnum((unsigned char)*c) || strchr("-_=.,/:@+%", *c));
        fputs(i ? " " : "", out);
        if (plain) {
            fputs(argv[i], out);
            continue;
        }
        fputc('\'', out);
        for (const char *c = argv[i]; *c; c++)
            fputs(*c == '\'' ? "'\\''" : (char[]){*c, '\0'}, out);
        fputc('\'', out);
    }
    return fclose(out) == 0 ? text : NULL;
}

/* ---- machine, accelerator, CPU ---- */

static const char *on_off(Tristate value) {
    return value == TRISTATE_YES ? "on" : value == TRISTATE_NO ? "off" : NULL;
}

static bool is_x86(const DomainDef *def) {
    return streq(def->os.arch, "x86_64") || streq(def->os.arch, "i686") ||
           streq(def->os.arch, "i386");
}

/* Without extended interrupt mode no interrupt reaches a vCPU beyond these. */
#define VCPUS_WITHOUT_EIM 255u

static bool needs_remapping(const DomainDef *def) {
    return is_x86(def) && def->n_vcpus_max > VCPUS_WITHOUT_EIM;
}

static bool is_q35(const char *machine) {
    return strstr(machine, "q35") != NULL;
}

/* vCPUs that come and go at a time: pSeries has cores, of as many as the topology has threads. */
static unsigned granularity(const DomainDef *def, const QemuMachine *machine) {
    return strncmp(machine->name, "pseries", 7) == 0 ? MAX_OF(def->cpu.topology.threads, 1u) : 1;
}

/* A property of the pc machines only. */
static bool without_hpet(const DomainDef *def, const QemuMachine *machine) {
    for (size_t i = 0; i < def->n_timers; i++)
        if (streq(def->timers[i].name, "hpet") && def->timers[i].present == TRISTATE_NO)
            return is_x86(def) && strncmp(machine->name, "pc-", 3) == 0;
    return false;
}

static void add_machine(ArgvBuilder *builder, const QemuCommandParams *params,
                        const QemuMachine *machine) {
    const DomainDef *def = params->def;
    const FeaturesDef *features = &def->features;
    bool kvm = def->virt == DOMAIN_VIRT_KVM, x86 = is_x86(def);
    /* Interrupt remapping needs the I/O APIC outside of the kernel. */
    bool split = features->ioapic_split || def->iommu.intremap == TRISTATE_YES ||
                 def->iommu.eim == TRISTATE_YES;
    const char *smm = x86 ? on_off(features->smm) : NULL,
               *vmport = x86 ? on_off(features->vmport) : NULL;

    argv_add_option(builder, "-machine", "%s,accel=%s,usb=off,dump-guest-core=off%s%s%s%s%s%s%s%s",
                    machine->name, kvm ? "kvm" : "tcg",
                    x86 && kvm && split ? ",kernel-irqchip=split" : "",
                    x86 && !features->acpi ? ",acpi=off" : "", smm ? ",smm=" : "", smm ? smm : "",
                    vmport ? ",vmport=" : "", vmport ? vmport : "",
                    without_hpet(def, machine) ? ",hpet=off" : "",
                    qemu_has_main_backend(def) ? ",memory-backend=" MAIN_BACKEND : "");
}

static void add_features(const CpuDef *cpu, FILE *out) {
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

static void add_cpu(ArgvBuilder *builder, const DomainDef *def) {
    const char *model = cpu_model(def);
    char *text = NULL;
    size_t size = 0;
    FILE *out;

    if (!model)
        return;
    out = open_memstream(&text, &size);
    if (!out) {
        builder->failed = true;
        return;
    }
    fputs(model, out);
    add_features(&def->cpu, out);
    if (def->features.pmu != TRISTATE_ABSENT && is_x86(def))
        fprintf(out, ",pmu=%s", def->features.pmu == TRISTATE_YES ? "on" : "off");
    if (def->features.kvm_hidden == TRISTATE_YES && is_x86(def))
        fputs(",kvm=off", out);
    if (fclose(out) == 0)
        argv_add_option(builder, "-cpu", "%s", text);
    else
        builder->failed = true;
    free(text);
}

/* vCPUs QEMU must have from the start: online and not hotpluggable; the others are plugged before
 * the CPUs run. At least one. */
static unsigned boot_vcpus(const DomainDef *def) {
    unsigned n = 0;

    for (unsigned i = 0; i < def->n_vcpus_max; i++)
        n += def->vcpus[i].online && def->vcpus[i].hotpluggable != TRISTATE_YES;
    return MAX_OF(n, 1u);
}

static void add_smp(ArgvBuilder *builder, const DomainDef *def) {
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
                        boot_vcpus(def), def->n_vcpus_max, t->sockets, dies, clusters, t->cores,
                        t->threads);
    } else {
        argv_add_option(builder, "-smp", "%u,maxcpus=%u,sockets=%u,cores=1,threads=1",
                        boot_vcpus(def), def->n_vcpus_max, def->n_vcpus_max);
    }
}

static void add_boot(ArgvBuilder *builder, const DomainDef *def) {
    static const char letters[] = {
        [BOOT_HD] = 'c', [BOOT_CDROM] = 'd', [BOOT_NETWORK] = 'n', [BOOT_FD] = 'a'};
    char order[BOOT_DEV_MAX_ + 1] = "";

    for (size_t i = 0; i < def->os.n_boot && i < BOOT_DEV_MAX_; i++)
        order[i] = letters[def->os.boot[i]];
    if (*order)
        argv_add_option(builder, "-boot", "order=%s,strict=on", order);
    if (def->os.kernel)
        argv_add_option(builder, "-kernel", "%s", def->os.kernel);
    if (def->os.initrd)
        argv_add_option(builder, "-initrd", "%s", def->os.initrd);
    if (def->os.cmdline)
        argv_add_option(builder, "-append", "%s", def->os.cmdline);
}

static void add_clock(ArgvBuilder *builder, const DomainDef *def) {
    const char *base = def->clock == CLOCK_LOCALTIME ? "localtime" : "utc";
    const char *drift = "";

    for (size_t i = 0; i < def->n_timers; i++) {
        const TimerDef *timer = &def->timers[i];

        if (streq(timer->name, "rtc") && streq_ptr(timer->tickpolicy, "catchup"))
            drift = ",driftfix=slew";
        if (streq(timer->name, "pit") && streq_ptr(timer->tickpolicy, "delay") && is_x86(def))
            argv_add_option(builder, "-global", "kvm-pit.lost_tick_policy=delay");
    }
    argv_add_option(builder, "-rtc", "base=%s%s", base, drift);
}

static void add_iommu(ArgvBuilder *builder, const DomainDef *def) {
    const IommuDef *iommu = &def->iommu;
    const struct {
        const char *name;
        Tristate value;
        bool is_auto; /* an OnOffAuto to QEMU, a word; the others are booleans */
    } properties[] = {{"intremap", iommu->intremap, true},
                      {"caching-mode", iommu->caching_mode, false},
                      {"eim", iommu->eim, true},
                      {"device-iotlb", iommu->iotlb, false}};
    json_object *device;

    if (!iommu->given)
        return;
    device = json_object_new_object();
    json_object_object_add(device, "driver", json_object_new_string("intel-iommu"));
    json_object_object_add(device, "id", json_object_new_string("iommu0"));
    for (size_t i = 0; i < ARRAY_SIZE(properties); i++) {
        Tristate value = properties[i].value;

        if (value != TRISTATE_ABSENT)
            json_object_object_add(device, properties[i].name,
                                   properties[i].is_auto
                                       ? json_object_new_string(on_off(value))
                                       : json_object_new_boolean(value == TRISTATE_YES));
    }
    if (iommu->aw_bits)
        json_object_object_add(device, "aw-bits", json_object_new_int64(iommu->aw_bits));
    argv_add_json(builder, "-device", device);
}

void qemu_fill_iommu(DomainDef *def) {
    IommuDef *iommu = &def->iommu;
    bool needed = needs_remapping(def) && def->os.machine && is_q35(def->os.machine);

    iommu->given |= needed;
    if (needed && iommu->eim == TRISTATE_ABSENT)
        iommu->eim = TRISTATE_YES;
    if (iommu->eim == TRISTATE_YES && iommu->intremap == TRISTATE_ABSENT)
        iommu->intremap = TRISTATE_YES;
}

/* ---- checks ---- */

static int check_without_kvm(const QemuCommandParams *params, Error **reterr) {
    const DomainDef *def = params->def;
    const Quirk *quirk = quirk_of(params->caps, def->virt, QUIRK_NO_X2APIC);
    CLEANUP_FREE char *text = NULL;

    if (!quirk || (!needs_remapping(def) && def->iommu.eim != TRISTATE_YES))
        return 0;
    text = quirk_text(quirk, params->caps);
    return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                        "domain '%s': '%s' cannot give it %s: %s; %s", def->name,
                        params->caps->binary,
                        needs_remapping(def) ? "more than 255 vCPUs" : "<iommu> with eim='on'",
                        text ? text : "it has no x2APIC", quirk->remedy);
}

static int check_iommu(const QemuCommandParams *params, const QemuMachine *machine,
                       Error **reterr) {
    const DomainDef *def = params->def;
    const IommuDef *iommu = &def->iommu;

    if (needs_remapping(def) && !is_q35(machine->name))
        return error_report(
            reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
            "domain '%s': more than %u vCPUs are only supported on q35-based machine "
            "types, not on '%s'",
            def->name, VCPUS_WITHOUT_EIM, machine->name);
    if (needs_remapping(def) &&
        (!iommu->given || iommu->eim != TRISTATE_YES || iommu->intremap == TRISTATE_NO))
        return error_report(
            reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
            "domain '%s': more than %u vCPUs require extended interrupt mode enabled on the "
            "iommu device: <iommu model='intel'><driver intremap='on' eim='on'/></iommu>",
            def->name, VCPUS_WITHOUT_EIM);
    if (iommu->given && !is_q35(machine->name))
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
    if (online % at_a_time || boot_vcpus(def) % at_a_time)
        return error_report(
            reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
            "vCPUs count must be a multiple of the vCPU hotplug granularity (%u): domain "
            "'%s' has %u online vCPUs, %u of them not hotpluggable",
            at_a_time, def->name, online, boot_vcpus(def));
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
    return check_iommu(params, machine, reterr);
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

int qemu_command_line(const QemuCommandParams *params, char ***ret_argv, Error **reterr) {
    const DomainDef *def = params->def;
    const QemuMachine *machine = qemu_caps_machine(params->caps, def->os.machine);
    CLEANUP_FREE char *name = NULL;
    ArgvBuilder builder = {0};
    char uuid[UUID_TEXT_SIZE];
    int r = check(params, machine, reterr);

    if (r < 0)
        return r;
    name = argv_escape(def->name);
    if (!name)
        return error_no_memory(reterr);
    uuid_format(def->uuid, uuid);
    argv_add(&builder, params->caps->binary);
    argv_add_option(&builder, "-name", "guest=%s,debug-threads=on", name);
    argv_add(&builder, "-S");
    add_machine(&builder, params, machine);
    add_cpu(&builder, def);
    argv_add_option(&builder, "-m", "size=%lluk", (unsigned long long)def->memory_kib);
    add_smp(&builder, def);
    argv_add_memory(&builder, def);
    argv_add_iothreads(&builder, def);
    argv_add_option(&builder, "-uuid", "%s", uuid);
    argv_add_option(&builder, "-display", "none");
    argv_add(&builder, "-no-user-config");
    argv_add(&builder, "-nodefaults");
    add_monitor(&builder, params->caps);
    add_clock(&builder, def);
    if (def->on_reboot == LIFECYCLE_DESTROY)
        argv_add(&builder, "-no-reboot");
    add_boot(&builder, def);
    add_iommu(&builder, def);
    r = argv_add_devices(&builder, def, reterr);
    argv_add_option(&builder, "-msg", "timestamp=on");
    if (r < 0 || builder.failed) {
        qemu_argv_free(builder.argv);
        return r < 0 ? r : error_no_memory(reterr);
    }
    *ret_argv = builder.argv;
    return 0;
}
