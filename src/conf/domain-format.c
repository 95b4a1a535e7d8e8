/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* DomainDef to XML. Text is escaped here; <metadata> is written as it came. */
#include "conf/domain-format.h"

#include <stdarg.h>
#include <stdio.h>

#include "conf/domain-enums.h"
#include "conf/domain-format-internal.h"

void writer_escape(FILE *out, const char *text) {
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
            writer_escape(out, one);
        }
}

void writer_line(Writer *w, const char *format, ...) {
    va_list args;

    fprintf(w->out, "%*s", (int)w->indent, "");
    va_start(args, format);
    vfprintf(w->out, format, args);
    va_end(args);
    fputc('\n', w->out);
}

void writer_open(Writer *w, const char *text) {
    writer_line(w, "<%s>", text);
    w->indent += 2;
}

void writer_close(Writer *w, const char *name) {
    w->indent -= 2;
    writer_line(w, "</%s>", name);
}

void writer_element(Writer *w, const char *name, const char *text) {
    if (!text)
        return;
    fprintf(w->out, "%*s<%s>", (int)w->indent, "", name);
    writer_escape(w->out, text);
    fprintf(w->out, "</%s>\n", name);
}

void writer_start(Writer *w, const char *name) {
    fprintf(w->out, "%*s<%s", (int)w->indent, "", name);
}

void writer_attribute(Writer *w, const char *name, const char *value) {
    if (!value)
        return;
    fprintf(w->out, " %s='", name);
    escape_attribute(w->out, value);
    fputc('\'', w->out);
}

void writer_number(Writer *w, const char *name, uint64_t value) {
    fprintf(w->out, " %s='%llu'", name, (unsigned long long)value);
}

void writer_end_empty(Writer *w) {
    fputs("/>\n", w->out);
}

void writer_end_open(Writer *w) {
    fputs(">\n", w->out);
    w->indent += 2;
}

static const char *yes_no(Tristate value) {
    return value == TRISTATE_YES ? "yes" : value == TRISTATE_NO ? "no" : NULL;
}

static const char *on_off(Tristate value) {
    return value == TRISTATE_YES ? "on" : value == TRISTATE_NO ? "off" : NULL;
}

void writer_list(Writer *w, const char *name, const Bitmap *map) {
    CLEANUP_FREE char *text = map ? bitmap_format(map) : NULL;

    writer_attribute(w, name, text);
}

/* ---- parts ---- */

static void format_vcpus(Writer *w, const DomainDef *def) {
    unsigned online = domain_def_online_vcpus(def);

    writer_start(w, "vcpu");
    writer_attribute(w, "placement", def->placement_auto ? "auto" : "static");
    if (!def->placement_auto)
        writer_list(w, "cpuset", def->cpuset);
    if (online != def->n_vcpus_max)
        writer_number(w, "current", online);
    fprintf(w->out, ">%u</vcpu>\n", def->n_vcpus_max);
    if (!def->vcpus_individual)
        return;
    writer_open(w, "vcpus");
    for (unsigned id = 0; id < def->n_vcpus_max; id++) {
        const VcpuDef *vcpu = &def->vcpus[id];

        writer_start(w, "vcpu");
        writer_number(w, "id", id);
        writer_attribute(w, "enabled", vcpu->online ? "yes" : "no");
        writer_attribute(w, "hotpluggable", vcpu_def_is_hotpluggable(vcpu) ? "yes" : "no");
        if (vcpu->order)
            writer_number(w, "order", vcpu->order);
        if (w->pending && bitmap_test(w->pending, id))
            writer_attribute(w, "pending", "removal");
        writer_end_empty(w);
    }
    writer_close(w, "vcpus");
}

static void format_os(Writer *w, const OsDef *os) {
    writer_open(w, "os");
    writer_start(w, "type");
    writer_attribute(w, "arch", os->arch);
    writer_attribute(w, "machine", os->machine);
    fputs(">hvm</type>\n", w->out);
    writer_element(w, "kernel", os->kernel);
    writer_element(w, "initrd", os->initrd);
    writer_element(w, "cmdline", os->cmdline);
    for (size_t i = 0; i < os->n_boot; i++)
        writer_line(w, "<boot dev='%s'/>", boot_names[os->boot[i]]);
    writer_close(w, "os");
}

static void state_element(Writer *w, const char *name, Tristate value) {
    if (value != TRISTATE_ABSENT)
        writer_line(w, "<%s state='%s'/>", name, on_off(value));
}

static void format_features(Writer *w, const FeaturesDef *features) {
    static const FeaturesDef none;

    if (memcmp(features, &none, sizeof(none)) == 0)
        return;
    writer_open(w, "features");
    if (features->acpi)
        writer_line(w, "<acpi/>");
    if (features->apic)
        writer_line(w, "<apic/>");
    if (features->pae)
        writer_line(w, "<pae/>");
    state_element(w, "hap", features->hap);
    if (features->kvm_hidden != TRISTATE_ABSENT) {
        writer_open(w, "kvm");
        state_element(w, "hidden", features->kvm_hidden);
        writer_close(w, "kvm");
    }
    state_element(w, "pmu", features->pmu);
    state_element(w, "vmport", features->vmport);
    state_element(w, "smm", features->smm);
    if (features->ioapic_split)
        writer_line(w, "<ioapic driver='qemu'/>");
    writer_close(w, "features");
}

static void format_cpu_children(Writer *w, const CpuDef *cpu) {
    const CpuTopology *t = &cpu->topology;

    if (cpu->model) {
        writer_start(w, "model");
        writer_attribute(w, "fallback", cpu->fallback);
        fputc('>', w->out);
        writer_escape(w->out, cpu->model);
        fputs("</model>\n", w->out);
    }
    writer_element(w, "vendor", cpu->vendor);
    if (t->sockets)
        writer_line(w, "<topology sockets='%u' dies='%u' clusters='%u' cores='%u' threads='%u'/>",
                    t->sockets, t->dies, t->clusters, t->cores, t->threads);
    for (size_t i = 0; i < cpu->n_features; i++)
        writer_line(w, "<feature policy='%s' name='%s'/>",
                    cpu_policy_names[cpu->features[i].policy], cpu->features[i].name);
    if (!cpu->n_cells)
        return;
    writer_open(w, "numa");
    for (size_t i = 0; i < cpu->n_cells; i++) {
        writer_start(w, "cell");
        writer_number(w, "id", i);
        writer_list(w, "cpus", cpu->cells[i].cpus);
        writer_number(w, "memory", cpu->cells[i].memory_kib);
        writer_attribute(w, "unit", "KiB");
        writer_end_empty(w);
    }
    writer_close(w, "numa");
}

static void format_cpu(Writer *w, const CpuDef *cpu) {
    bool children = cpu->model || cpu->vendor || cpu->topology.sockets || cpu->n_features ||
                    cpu->n_cells;

    if (cpu->mode == CPU_MODE_NONE && !children)
        return;
    writer_start(w, "cpu");
    if (cpu->mode != CPU_MODE_NONE)
        writer_attribute(w, "mode", cpu_mode_names[cpu->mode]);
    writer_attribute(w, "match", cpu->match);
    writer_attribute(w, "check", cpu->check);
    writer_attribute(w, "migratable", cpu->migratable);
    if (!children) {
        writer_end_empty(w);
        return;
    }
    writer_end_open(w);
    format_cpu_children(w, cpu);
    writer_close(w, "cpu");
}

static void format_clock(Writer *w, const DomainDef *def) {
    writer_start(w, "clock");
    writer_attribute(w, "offset", clock_names[def->clock]);
    if (!def->n_timers) {
        writer_end_empty(w);
        return;
    }
    writer_end_open(w);
    for (size_t i = 0; i < def->n_timers; i++) {
        writer_start(w, "timer");
        writer_attribute(w, "name", def->timers[i].name);
        writer_attribute(w, "tickpolicy", def->timers[i].tickpolicy);
        writer_attribute(w, "present", yes_no(def->timers[i].present));
        writer_end_empty(w);
    }
    writer_close(w, "clock");
}

/* ---- devices ---- */

static void format_alias(Writer *w, const char *alias) {
    if (!w->live || !alias)
        return;
    writer_start(w, "alias");
    writer_attribute(w, "name", alias);
    writer_end_empty(w);
}

static void format_chardev(Writer *w, const ChardevDef *chardev, const ChardevSource *source) {
    static const char *const names[] = {"serial", "console", "channel"};
    const char *name = names[chardev->kind], *type = chardev->target_type;
    bool tty = w->live && source->type == CHARDEV_PTY && source->path;

    writer_start(w, name);
    writer_attribute(w, "type", chardev_names[source->type]);
    if (tty && chardev->kind == CHARDEV_CONSOLE)
        writer_attribute(w, "tty", source->path);
    writer_end_open(w);
    if (source->path && (tty || source->type != CHARDEV_PTY)) {
        writer_start(w, "source");
        if (source->type == CHARDEV_UNIX)
            writer_attribute(w, "mode", source->listen ? "bind" : "connect");
        writer_attribute(w, "path", source->path);
        if (source->append)
            writer_attribute(w, "append", "on");
        writer_end_empty(w);
    }
    writer_start(w, "target");
    writer_attribute(w, "type", type ? type : chardev->kind == CHARDEV_CONSOLE ? "serial" : NULL);
    writer_attribute(w, "name", chardev->target_name);
    if (chardev->kind != CHARDEV_CHANNEL)
        writer_number(w, "port", chardev->port);
    writer_end_empty(w);
    format_alias(w, chardev->alias);
    writer_close(w, name);
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
    writer_start(w, "disk");
    writer_attribute(w, "type", disk_type_names[disk->type]);
    writer_attribute(w, "device", disk_device_names[disk->device]);
    writer_end_open(w);
    writer_start(w, "driver");
    writer_attribute(w, "name", "qemu");
    writer_attribute(w, "type", disk_format_names[disk->format]);
    writer_attribute(w, "cache", disk->cache);
    writer_attribute(w, "io", disk->io);
    writer_attribute(w, "discard", disk->discard);
    if (disk->iothread)
        writer_number(w, "iothread", disk->iothread);
    writer_end_empty(w);
    if (disk->source) {
        writer_start(w, "source");
        writer_attribute(w, disk->type == DISK_BLOCK ? "dev" : "file", disk->source);
        writer_end_empty(w);
    }
    writer_start(w, "target");
    writer_attribute(w, "dev", disk->target);
    writer_attribute(w, "bus", disk_bus_names[disk->bus]);
    writer_end_empty(w);
    if (disk->readonly)
        writer_line(w, "<readonly/>");
    if (disk->shareable)
        writer_line(w, "<shareable/>");
    writer_element(w, "serial", disk->serial);
    if (disk->boot_order)
        writer_line(w, "<boot order='%u'/>", disk->boot_order);
    format_alias(w, disk->alias);
    writer_close(w, "disk");
}

static void format_interface(Writer *w, const InterfaceDef *interface) {
    writer_line(w, "<interface type='user'>");
    w->indent += 2;
    writer_start(w, "mac");
    writer_attribute(w, "address", interface->mac);
    writer_end_empty(w);
    if (interface->model) {
        writer_start(w, "model");
        writer_attribute(w, "type", interface->model);
        writer_end_empty(w);
    }
    if (interface->boot_order)
        writer_line(w, "<boot order='%u'/>", interface->boot_order);
    format_alias(w, interface->alias);
    writer_close(w, "interface");
}

static void format_rng(Writer *w, const RngDef *rng) {
    writer_start(w, "rng");
    writer_attribute(w, "model", rng->model ? rng->model : "virtio");
    writer_end_open(w);
    if (rng->rate_bytes) {
        writer_start(w, "rate");
        writer_number(w, "bytes", rng->rate_bytes);
        if (rng->rate_period_ms)
            writer_number(w, "period", rng->rate_period_ms);
        writer_end_empty(w);
    }
    writer_start(w, "backend");
    writer_attribute(w, "model", "random");
    if (rng->backend && *rng->backend) {
        fputc('>', w->out);
        writer_escape(w->out, rng->backend);
        fputs("</backend>\n", w->out);
    } else {
        writer_end_empty(w);
    }
    format_alias(w, rng->alias);
    writer_close(w, "rng");
}

static void format_iommu(Writer *w, const IommuDef *iommu) {
    writer_start(w, "iommu");
    writer_attribute(w, "model", "intel");
    if (!iommu->intremap && !iommu->caching_mode && !iommu->eim && !iommu->iotlb &&
        !iommu->aw_bits) {
        writer_end_empty(w);
        return;
    }
    writer_end_open(w);
    writer_start(w, "driver");
    writer_attribute(w, "intremap", on_off(iommu->intremap));
    writer_attribute(w, "caching_mode", on_off(iommu->caching_mode));
    writer_attribute(w, "eim", on_off(iommu->eim));
    writer_attribute(w, "iotlb", on_off(iommu->iotlb));
    if (iommu->aw_bits)
        writer_number(w, "aw_bits", iommu->aw_bits);
    writer_end_empty(w);
    writer_close(w, "iommu");
}

static void format_devices(Writer *w, const DomainDef *def) {
    writer_open(w, "devices");
    writer_element(w, "emulator", def->emulator);
    for (size_t i = 0; i < def->n_disks; i++)
        format_disk(w, &def->disks[i]);
    for (size_t i = 0; i < def->n_controllers; i++) {
        writer_start(w, "controller");
        writer_attribute(w, "type", def->controllers[i].type);
        if (def->controllers[i].index >= 0)
            writer_number(w, "index", def->controllers[i].index);
        writer_attribute(w, "model", def->controllers[i].model);
        writer_end_empty(w);
    }
    for (size_t i = 0; i < def->n_interfaces; i++)
        format_interface(w, &def->interfaces[i]);
    format_chardevs(w, def);
    if (def->memballoon_given)
        writer_line(w, "<memballoon model='%s'/>", memballoon_names[def->memballoon]);
    for (size_t i = 0; i < def->n_rngs; i++)
        format_rng(w, &def->rngs[i]);
    if (def->iommu.given)
        format_iommu(w, &def->iommu);
    writer_close(w, "devices");
}

static void format_domain(Writer *w, const DomainDef *def, int id) {
    char uuid[UUID_TEXT_SIZE];

    uuid_format(def->uuid, uuid);
    writer_start(w, "domain");
    writer_attribute(w, "type", virt_names[def->virt]);
    if (id > 0)
        writer_number(w, "id", id);
    writer_end_open(w);
    writer_element(w, "name", def->name);
    writer_element(w, "uuid", uuid);
    writer_element(w, "title", def->title);
    writer_element(w, "description", def->description);
    if (def->metadata)
        fprintf(w->out, "%*s%s\n", (int)w->indent, "", def->metadata);
    writer_line(w, "<memory unit='KiB'>%llu</memory>", (unsigned long long)def->memory_kib);
    writer_line(w, "<currentMemory unit='KiB'>%llu</currentMemory>",
                (unsigned long long)def->current_memory_kib);
    format_vcpus(w, def);
    format_tune(w, def);
    format_os(w, &def->os);
    format_features(w, &def->features);
    format_cpu(w, &def->cpu);
    format_clock(w, def);
    writer_line(w, "<on_poweroff>%s</on_poweroff>", lifecycle_names[def->on_poweroff]);
    writer_line(w, "<on_reboot>%s</on_reboot>", lifecycle_names[def->on_reboot]);
    writer_line(w, "<on_crash>%s</on_crash>", lifecycle_names[def->on_crash]);
    format_devices(w, def);
    writer_close(w, "domain");
}

int domain_format(const DomainDef *def, const DomainFormatParams *params, char **ret) {
    CLEANUP_FREE char *text = NULL;
    size_t size = 0;
    Writer writer = {.out = open_memstream(&text, &size),
                     .indent = params->indent,
                     .live = params->id > 0,
                     .pending = params->pending};

    if (!writer.out)
        return -ENOMEM;
    format_domain(&writer, def, params->id);
    if (fclose(writer.out) != 0)
        return -ENOMEM;
    *ret = TAKE_PTR(text);
    return 0;
}
