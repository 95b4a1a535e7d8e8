/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DomainDef to XML. Text is escaped here; <metadata> is written as it came. */
#include "conf/domain-format.h"

#include <stdarg.h>
#include <stdio.h>

#include "conf/domain-enums.h"

typedef struct Writer {
    FILE *out;
    unsigned indent;
    bool live;
    const Bitmap *pending; /* or NULL */
} Writer;

static void escape(FILE *out, const char *text) {
    for (; *text; text++)
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '\'':
            fputs("&apos;", out);
            break;
        case '\r':
            fputs("&#13;", out);
            break;
        default:
            fputc(*text, out);
        }
}

/* In an attribute a reader turns bare tabs and newlines into spaces. */
static void escape_attribute(FILE *out, const char *text) {
    char one[2] = "";

    for (; *text; text++)
        if (*text == '\t' || *text == '\n') {
            fprintf(out, "&#%d;", *text);
        } else {
            one[0] = *text;
            escape(out, one);
        }
}

/* A line at the current depth, newline added; %s arguments must be safe words. */
static void line(Writer *w, const char *format, ...) PRINTF_LIKE(2, 3);
static void line(Writer *w, const char *format, ...) {
    va_list args;

    fprintf(w->out, "%*s", (int)w->indent, "");
    va_start(args, format);
    vfprintf(w->out, format, args);
    va_end(args);
    fputc('\n', w->out);
}

static void open_tag(Writer *w, const char *text) {
    line(w, "<%s>", text);
    w->indent += 2;
}

static void close_tag(Writer *w, const char *name) {
    w->indent -= 2;
    line(w, "</%s>", name);
}

/* <name>text</name>, nothing for NULL. */
static void element(Writer *w, const char *name, const char *text) {
    if (!text)
        return;
    fprintf(w->out, "%*s<%s>", (int)w->indent, "", name);
    escape(w->out, text);
    fprintf(w->out, "</%s>\n", name);
}

/* Starts "<name"; attributes follow, then end_empty or end_open. */
static void start(Writer *w, const char *name) {
    fprintf(w->out, "%*s<%s", (int)w->indent, "", name);
}

static void attribute(Writer *w, const char *name, const char *value) {
    if (!value)
        return;
    fprintf(w->out, " %s='", name);
    escape_attribute(w->out, value);
    fputc('\'', w->out);
}

static void number(Writer *w, const char *name, uint64_t value) {
    fprintf(w->out, " %s='%llu'", name, (unsigned long long)value);
}

static void end_empty(Writer *w) {
    fputs("/>\n", w->out);
}

static void end_open(Writer *w) {
    fputs(">\n", w->out);
    w->indent += 2;
}

static const char *yes_no(Tristate value) {
    return value == TRISTATE_YES ? "yes" : value == TRISTATE_NO ? "no" : NULL;
}

static const char *on_off(Tristate value) {
    return value == TRISTATE_YES ? "on" : value == TRISTATE_NO ? "off" : NULL;
}

static void list_attribute(Writer *w, const char *name, const Bitmap *map) {
    CLEANUP_FREE char *text = map ? bitmap_format(map) : NULL;

    attribute(w, name, text);
}

/* ---- parts ---- */

static void format_vcpus(Writer *w, const DomainDef *def) {
    unsigned online = domain_def_online_vcpus(def);

    start(w, "vcpu");
    attribute(w, "placement", def->placement_auto ? "auto" : "static");
    list_attribute(w, "cpuset", def->cpuset);
    if (online != def->n_vcpus_max)
        number(w, "current", online);
    fprintf(w->out, ">%u</vcpu>\n", def->n_vcpus_max);
    if (!def->vcpus_individual)
        return;
    open_tag(w, "vcpus");
    for (unsigned id = 0; id < def->n_vcpus_max; id++) {
        const VcpuDef *vcpu = &def->vcpus[id];

        start(w, "vcpu");
        number(w, "id", id);
        attribute(w, "enabled", vcpu->online ? "yes" : "no");
        attribute(w, "hotpluggable", vcpu->hotpluggable == TRISTATE_YES ? "yes" : "no");
        if (vcpu->order)
            number(w, "order", vcpu->order);
        if (w->pending && bitmap_test(w->pending, id))
            attribute(w, "pending", "removal");
        end_empty(w);
    }
    close_tag(w, "vcpus");
}

static void format_os(Writer *w, const OsDef *os) {
    open_tag(w, "os");
    start(w, "type");
    attribute(w, "arch", os->arch);
    attribute(w, "machine", os->machine);
    fputs(">hvm</type>\n", w->out);
    element(w, "kernel", os->kernel);
    element(w, "initrd", os->initrd);
    element(w, "cmdline", os->cmdline);
    for (size_t i = 0; i < os->n_boot; i++)
        line(w, "<boot dev='%s'/>", boot_names[os->boot[i]]);
    close_tag(w, "os");
}

static void state_element(Writer *w, const char *name, Tristate value) {
    if (value != TRISTATE_ABSENT)
        line(w, "<%s state='%s'/>", name, on_off(value));
}

static void format_features(Writer *w, const FeaturesDef *features) {
    static const FeaturesDef none;

    if (memcmp(features, &none, sizeof(none)) == 0)
        return;
    open_tag(w, "features");
    if (features->acpi)
        line(w, "<acpi/>");
    if (features->apic)
        line(w, "<apic/>");
    if (features->pae)
        line(w, "<pae/>");
    state_element(w, "hap", features->hap);
    if (features->kvm_hidden != TRISTATE_ABSENT) {
        open_tag(w, "kvm");
        state_element(w, "hidden", features->kvm_hidden);
        close_tag(w, "kvm");
    }
    state_element(w, "pmu", features->pmu);
    state_element(w, "vmport", features->vmport);
    state_element(w, "smm", features->smm);
    if (features->ioapic_split)
        line(w, "<ioapic driver='qemu'/>");
    close_tag(w, "features");
}

static void format_cpu_children(Writer *w, const CpuDef *cpu) {
    const CpuTopology *t = &cpu->topology;

    if (cpu->model) {
        start(w, "model");
        attribute(w, "fallback", cpu->fallback);
        fputc('>', w->out);
        escape(w->out, cpu->model);
        fputs("</model>\n", w->out);
    }
    element(w, "vendor", cpu->vendor);
    if (t->sockets)
        line(w, "<topology sockets='%u' dies='%u' clusters='%u' cores='%u' threads='%u'/>", t->sockets,
             t->dies, t->clusters, t->cores, t->threads);
    for (size_t i = 0; i < cpu->n_features; i++)
        line(w, "<feature policy='%s' name='%s'/>", cpu_policy_names[cpu->features[i].policy],
             cpu->features[i].name);
    if (!cpu->n_cells)
        return;
    open_tag(w, "numa");
    for (size_t i = 0; i < cpu->n_cells; i++) {
        start(w, "cell");
        number(w, "id", i);
        list_attribute(w, "cpus", cpu->cells[i].cpus);
        number(w, "memory", cpu->cells[i].memory_kib);
        attribute(w, "unit", "KiB");
        end_empty(w);
    }
    close_tag(w, "numa");
}

static void format_cpu(Writer *w, const CpuDef *cpu) {
    bool children = cpu->model || cpu->vendor || cpu->topology.sockets || cpu->n_features || cpu->n_cells;

    if (cpu->mode == CPU_MODE_NONE && !children)
        return;
    start(w, "cpu");
    if (cpu->mode != CPU_MODE_NONE)
        attribute(w, "mode", cpu_mode_names[cpu->mode]);
    attribute(w, "match", cpu->match);
    attribute(w, "check", cpu->check);
    attribute(w, "migratable", cpu->migratable);
    if (!children) {
        end_empty(w);
        return;
    }
    end_open(w);
    format_cpu_children(w, cpu);
    close_tag(w, "cpu");
}

static void format_clock(Writer *w, const DomainDef *def) {
    start(w, "clock");
    attribute(w, "offset", clock_names[def->clock]);
    if (!def->n_timers) {
        end_empty(w);
        return;
    }
    end_open(w);
    for (size_t i = 0; i < def->n_timers; i++) {
        start(w, "timer");
        attribute(w, "name", def->timers[i].name);
        attribute(w, "tickpolicy", def->timers[i].tickpolicy);
        attribute(w, "present", yes_no(def->timers[i].present));
        end_empty(w);
    }
    close_tag(w, "clock");
}

/* ---- devices ---- */

static void format_alias(Writer *w, const char *alias) {
    if (!w->live || !alias)
        return;
    start(w, "alias");
    attribute(w, "name", alias);
    end_empty(w);
}

static void format_chardev(Writer *w, const ChardevDef *chardev, const ChardevSource *source) {
    static const char *const names[] = {"serial", "console", "channel"};
    const char *name = names[chardev->kind], *type = chardev->target_type;
    bool tty = w->live && source->type == CHARDEV_PTY && source->path;

    start(w, name);
    attribute(w, "type", chardev_names[source->type]);
    if (tty && chardev->kind == CHARDEV_CONSOLE)
        attribute(w, "tty", source->path);
    end_open(w);
    if (source->path && (tty || source->type != CHARDEV_PTY)) {
        start(w, "source");
        if (source->type == CHARDEV_UNIX)
            attribute(w, "mode", source->listen ? "bind" : "connect");
        attribute(w, "path", source->path);
        if (source->append)
            attribute(w, "append", "on");
        end_empty(w);
    }
    start(w, "target");
    attribute(w, "type", type ? type : chardev->kind == CHARDEV_CONSOLE ? "serial" : NULL);
    attribute(w, "name", chardev->target_name);
    if (chardev->kind != CHARDEV_CHANNEL)
        number(w, "port", chardev->port);
    end_empty(w);
    format_alias(w, chardev->alias);
    close_tag(w, name);
}

/* A console that mirrors serial 0 shows the serial's source. */
static void format_chardevs(Writer *w, const DomainDef *def) {
    const ChardevSource *serial = NULL;

    for (size_t i = 0; i < def->n_chardevs; i++) {
        const ChardevDef *chardev = &def->chardevs[i];

        if (chardev->kind == CHARDEV_SERIAL && !serial)
            serial = &chardev->source;
    }
    for (size_t i = 0; i < def->n_chardevs; i++) {
        const ChardevDef *chardev = &def->chardevs[i];

        format_chardev(w, chardev, chardev->is_serial_alias && serial ? serial : &chardev->source);
    }
}

static void format_disk(Writer *w, const DiskDef *disk) {
    start(w, "disk");
    attribute(w, "type", disk_type_names[disk->type]);
    attribute(w, "device", disk_device_names[disk->device]);
    end_open(w);
    start(w, "driver");
    attribute(w, "name", "qemu");
    attribute(w, "type", disk_format_names[disk->format]);
    attribute(w, "cache", disk->cache);
    attribute(w, "io", disk->io);
    attribute(w, "discard", disk->discard);
    end_empty(w);
    if (disk->source) {
        start(w, "source");
        attribute(w, disk->type == DISK_BLOCK ? "dev" : "file", disk->source);
        end_empty(w);
    }
    start(w, "target");
    attribute(w, "dev", disk->target);
    attribute(w, "bus", disk_bus_names[disk->bus]);
    end_empty(w);
    if (disk->readonly)
        line(w, "<readonly/>");
    if (disk->shareable)
        line(w, "<shareable/>");
    element(w, "serial", disk->serial);
    if (disk->boot_order)
        line(w, "<boot order='%u'/>", disk->boot_order);
    format_alias(w, disk->alias);
    close_tag(w, "disk");
}

static void format_interface(Writer *w, const InterfaceDef *interface) {
    line(w, "<interface type='user'>");
    w->indent += 2;
    start(w, "mac");
    attribute(w, "address", interface->mac);
    end_empty(w);
    if (interface->model) {
        start(w, "model");
        attribute(w, "type", interface->model);
        end_empty(w);
    }
    if (interface->boot_order)
        line(w, "<boot order='%u'/>", interface->boot_order);
    format_alias(w, interface->alias);
    close_tag(w, "interface");
}

static void format_rng(Writer *w, const RngDef *rng) {
    start(w, "rng");
    attribute(w, "model", rng->model ? rng->model : "virtio");
    end_open(w);
    if (rng->rate_bytes) {
        start(w, "rate");
        number(w, "bytes", rng->rate_bytes);
        if (rng->rate_period_ms)
            number(w, "period", rng->rate_period_ms);
        end_empty(w);
    }
    start(w, "backend");
    attribute(w, "model", "random");
    if (rng->backend && *rng->backend) {
        fputc('>', w->out);
        escape(w->out, rng->backend);
        fputs("</backend>\n", w->out);
    } else {
        end_empty(w);
    }
    format_alias(w, rng->alias);
    close_tag(w, "rng");
}

static void format_iommu(Writer *w, const IommuDef *iommu) {
    start(w, "iommu");
    attribute(w, "model", "intel");
    if (!iommu->intremap && !iommu->caching_mode && !iommu->eim && !iommu->iotlb && !iommu->aw_bits) {
        end_empty(w);
        return;
    }
    end_open(w);
    start(w, "driver");
    attribute(w, "intremap", on_off(iommu->intremap));
    attribute(w, "caching_mode", on_off(iommu->caching_mode));
    attribute(w, "eim", on_off(iommu->eim));
    attribute(w, "iotlb", on_off(iommu->iotlb));
    if (iommu->aw_bits)
        number(w, "aw_bits", iommu->aw_bits);
    end_empty(w);
    close_tag(w, "iommu");
}

static void format_devices(Writer *w, const DomainDef *def) {
    open_tag(w, "devices");
    element(w, "emulator", def->emulator);
    for (size_t i = 0; i < def->n_disks; i++)
        format_disk(w, &def->disks[i]);
    for (size_t i = 0; i < def->n_controllers; i++) {
        start(w, "controller");
        attribute(w, "type", def->controllers[i].type);
        if (def->controllers[i].index >= 0)
            number(w, "index", def->controllers[i].index);
        attribute(w, "model", def->controllers[i].model);
        end_empty(w);
    }
    for (size_t i = 0; i < def->n_interfaces; i++)
        format_interface(w, &def->interfaces[i]);
    format_chardevs(w, def);
    if (def->memballoon_given)
        line(w, "<memballoon model='%s'/>", memballoon_names[def->memballoon]);
    for (size_t i = 0; i < def->n_rngs; i++)
        format_rng(w, &def->rngs[i]);
    if (def->iommu.given)
        format_iommu(w, &def->iommu);
    close_tag(w, "devices");
}

static void format_domain(Writer *w, const DomainDef *def, int id) {
    char uuid[UUID_TEXT_SIZE];

    uuid_format(def->uuid, uuid);
    start(w, "domain");
    attribute(w, "type", virt_names[def->virt]);
    if (id > 0)
        number(w, "id", id);
    end_open(w);
    element(w, "name", def->name);
    element(w, "uuid", uuid);
    element(w, "title", def->title);
    element(w, "description", def->description);
    if (def->metadata)
        fprintf(w->out, "%*s%s\n", (int)w->indent, "", def->metadata);
    line(w, "<memory unit='KiB'>%llu</memory>", (unsigned long long)def->memory_kib);
    line(w, "<currentMemory unit='KiB'>%llu</currentMemory>", (unsigned long long)def->current_memory_kib);
    format_vcpus(w, def);
    format_os(w, &def->os);
    format_features(w, &def->features);
    format_cpu(w, &def->cpu);
    format_clock(w, def);
    line(w, "<on_poweroff>%s</on_poweroff>", lifecycle_names[def->on_poweroff]);
    line(w, "<on_reboot>%s</on_reboot>", lifecycle_names[def->on_reboot]);
    line(w, "<on_crash>%s</on_crash>", lifecycle_names[def->on_crash]);
    format_devices(w, def);
    close_tag(w, "domain");
}

int domain_format(const DomainDef *def, const DomainFormatParams *params, char **ret) {
    CLEANUP_FREE char *text = NULL;
    size_t size = 0;
    Writer writer = {.out = open_memstream(&text, &size), .indent = params->indent,
                     .live = params->id > 0, .pending = params->pending};

    if (!writer.out)
        return -ENOMEM;
    format_domain(&writer, def, params->id);
    if (fclose(writer.out) != 0)
        return -ENOMEM;
    *ret = TAKE_PTR(text);
    return 0;
}
