/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What devices have in common: steps, names of virtio devices, addresses. */
#include "qemu/devices/device.h"

#include <stdarg.h>
#include <stdio.h>

#include "util/file.h"

/* ---- steps ---- */

static DeviceStep *append(DeviceSteps *steps) {
    DeviceStep *bigger = steps->failed ? NULL
                                       : realloc(steps->steps, (steps->n + 1) * sizeof(DeviceStep));

    if (!bigger) {
        steps->failed = true;
        return NULL;
    }
    steps->steps = bigger;
    bigger[steps->n] = (DeviceStep){0};
    return &bigger[steps->n++];
}

/* Takes the object; NULL is a failed allocation. */
static void steps_json(DeviceSteps *steps, StepKind kind, json_object *json) {
    DeviceStep *step = json ? append(steps) : NULL;

    if (step) {
        step->kind = kind;
        step->json = json;
        return;
    }
    steps->failed = true;
    json_object_put(json);
}

void steps_props(DeviceSteps *steps, StepKind kind, Props *props) {
    steps_json(steps, kind, props_take(props));
}

void steps_option(DeviceSteps *steps, const char *option, const char *format, ...) {
    DeviceStep *step = append(steps);
    va_list args;

    if (!step)
        return;
    step->kind = STEP_OPTION;
    step->option = option;
    va_start(args, format);
    if (vasprintf(&step->text, format, args) < 0) {
        step->text = NULL;
        steps->failed = true;
    }
    va_end(args);
}

void steps_word(DeviceSteps *steps, const char *option) {
    DeviceStep *step = append(steps);

    if (step) {
        step->kind = STEP_OPTION;
        step->option = option;
    }
}

void steps_chardev(DeviceSteps *steps, char *text, json_object *json) {
    DeviceStep *step = text && json ? append(steps) : NULL;

    if (step) {
        step->kind = STEP_CHARDEV;
        step->json = json;
        step->text = text;
        return;
    }
    steps->failed = true;
    free(text);
    json_object_put(json);
}

void device_steps_done(DeviceSteps *steps) {
    for (size_t i = 0; i < steps->n; i++) {
        json_object_put(steps->steps[i].json);
        free(steps->steps[i].text);
    }
    free(steps->steps);
    *steps = (DeviceSteps){0};
}

/* ---- parts ---- */

bool device_is_s390(const DomainDef *def) {
    return strncmp(def->os.arch, "s390", 4) == 0;
}

bool device_is_ccw(const DomainDef *def, const DeviceInfo *info) {
    return device_is_s390(def) && info->address.type != ADDRESS_PCI;
}

bool device_is_x86(const DomainDef *def) {
    return streq(def->os.arch, "x86_64") || streq(def->os.arch, "i686") ||
           streq(def->os.arch, "i386");
}

int device_refuse(const DeviceContext *context, Error **reterr, const char *format, ...) {
    char *text = NULL;
    va_list args;
    int r;

    va_start(args, format);
    r = vasprintf(&text, format, args);
    va_end(args);
    if (r < 0)
        return error_no_memory(reterr);
    r = error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED, "domain '%s': %s",
                     context->def->name, text);
    free(text);
    return r;
}

const ControllerDef *device_controller(const DomainDef *def, ControllerType type, int index) {
    for (size_t i = 0; i < def->n_controllers; i++)
        if (def->controllers[i].type == type && MAX_OF(def->controllers[i].index, 0) == index)
            return &def->controllers[i];
    return NULL;
}

/* Who shares a disk must see what the others have written. */
const char *device_disk_cache(const DiskDef *disk) {
    return disk->cache ? disk->cache : disk->shareable && !disk->readonly ? "none" : NULL;
}

bool device_scsi_has_targets(const DomainDef *def, unsigned index) {
    const ControllerDef *controller = device_controller(def, CONTROLLER_SCSI, (int)index);

    return !controller || !streq_ptr(controller->model, "lsilogic");
}

/* A USB 2 controller has companions of its index; the bus is its own. */
static bool is_companion(const ControllerDef *controller) {
    return controller->type == CONTROLLER_USB && controller->model &&
           strncmp(controller->model, "ich9-uhci", 9) == 0;
}

void device_bus(const DeviceContext *context, ControllerType type, unsigned index, char ret[96]) {
    static const char *const prefixes[] = {
        [CONTROLLER_SCSI] = "scsi", [CONTROLLER_SATA] = "sata",
        [CONTROLLER_CCID] = "ccid", [CONTROLLER_VIRTIO_SERIAL] = "virtio-serial",
        [CONTROLLER_USB] = "usb",   [CONTROLLER_PCI] = "pci."};
    const DomainDef *def = context->def;

    for (size_t i = 0; i < def->n_controllers; i++) {
        const ControllerDef *controller = &def->controllers[i];

        if (controller->type == type && MAX_OF(controller->index, 0) == (int)index &&
            controller->info.alias && !is_companion(controller)) {
            snprintf(ret, 96, "%.90s", controller->info.alias);
            return;
        }
    }
    if (type == CONTROLLER_USB && index == 0)
        snprintf(ret, 96, "usb");
    else
        snprintf(ret, 96, "%s%u", prefixes[type], index);
}

static bool has_pcie_root(const DeviceContext *context) {
    const ControllerDef *root = device_controller(context->def, CONTROLLER_PCI, 0);
    const char *machine = context->machine ? context->machine->name : "";

    if (root && root->model)
        return streq(root->model, "pcie-root");
    return strstr(machine, "q35") || strncmp(machine, "virt", 4) == 0 || streq(machine, "microvm");
}

/* Of pSeries: its bus has not its name. */
static bool is_host_bridge(const DeviceContext *context, unsigned bus) {
    const ControllerDef *controller = device_controller(context->def, CONTROLLER_PCI, (int)bus);

    return controller && streq_ptr(controller->model, "pci-root");
}

static void add_pci(const DeviceContext *context, Props *props, const PciAddress *address) {
    char bus[96];

    device_bus(context, CONTROLLER_PCI, address->bus, bus);
    if (address->bus == 0) /* the machine's own */
        props_text(props, "bus", has_pcie_root(context) ? "pcie.0" : "pci.0");
    else if (is_host_bridge(context, address->bus))
        props_textf(props, "bus", "%s.0", bus);
    else
        props_text(props, "bus", bus);
    if (address->multifunction != TRISTATE_ABSENT)
        props_bool(props, "multifunction", address->multifunction == TRISTATE_YES);
    if (address->function)
        props_textf(props, "addr", "0x%x.0x%x", address->slot, address->function);
    else
        props_textf(props, "addr", "0x%x", address->slot);
}

static void add_usb(const DeviceContext *context, Props *props, const DeviceAddress *address) {
    char bus[96];

    device_bus(context, CONTROLLER_USB, address->bus, bus);
    props_textf(props, "bus", "%s.0", bus);
    props_text(props, "port", address->usb_port);
}

/* Drive addresses are the disks' own business. */
static void add_address(const DeviceContext *context, Props *props, const DeviceAddress *address) {
    char bus[96];

    switch (address->type) {
    case ADDRESS_PCI:
        add_pci(context, props, &address->pci);
        break;
    case ADDRESS_USB:
        add_usb(context, props, address);
        break;
    case ADDRESS_VIRTIO_SERIAL:
        device_bus(context, CONTROLLER_VIRTIO_SERIAL, address->controller, bus);
        props_textf(props, "bus", "%s.%u", bus, address->bus);
        props_uint(props, "nr", address->port);
        break;
    case ADDRESS_CCID:
        device_bus(context, CONTROLLER_CCID, address->controller, bus);
        props_textf(props, "bus", "%s.0", bus);
        break;
    case ADDRESS_CCW:
        if (address->has_ccw)
            props_textf(props, "devno", "%x.%x.%04x", address->cssid, address->ssid,
                        address->devno);
        break;
    case ADDRESS_SPAPR_VIO:
        if (address->has_reg)
            props_uint(props, "reg", address->reg);
        break;
    case ADDRESS_ISA:
        if (address->iobase)
            props_uint(props, "iobase", address->iobase);
        if (address->irq)
            props_uint(props, "irq", address->irq);
        break;
    case ADDRESS_DIMM:
        props_uint(props, "slot", address->slot);
        if (address->has_base)
            props_uint(props, "addr", address->base);
        break;
    case ADDRESS_NONE:
    case ADDRESS_DRIVE:
    case ADDRESS_VIRTIO_S390:
    case ADDRESS_VIRTIO_MMIO:
    case ADDRESS_UNASSIGNED:
    case ADDRESS_TYPE_MAX_:
        break;
    }
}

Props device_props(const DeviceContext *context, const char *driver, const DeviceInfo *info) {
    Props props = props_new();

    props_text(&props, "driver", driver);
    props_text(&props, "id", info->alias);
    if (info->rom_enabled == TRISTATE_NO)
        props_text(&props, "romfile", "");
    else
        props_text(&props, "romfile", info->rom_file);
    if (info->rom_bar != TRISTATE_ABSENT)
        props_uint(&props, "rombar", info->rom_bar == TRISTATE_YES);
    if (info->acpi_index)
        props_uint(&props, "acpi-index", info->acpi_index);
    add_address(context, &props, &info->address);
    return props;
}

Props device_virtio(const DeviceContext *context, const char *name, const char *model,
                    const VirtioOptions *options, const DeviceInfo *info) {
    static const Property rows[] = {PROP_BOOL("iommu_platform", VirtioOptions, iommu),
                                    PROP_BOOL("ats", VirtioOptions, ats),
                                    PROP_BOOL("packed", VirtioOptions, packed),
                                    PROP_BOOL("page-per-vq", VirtioOptions, page_per_vq), PROP_END};
    const char *suffix = device_is_ccw(context->def, info)             ? "ccw"
                         : info->address.type == ADDRESS_VIRTIO_MMIO   ? "device"
                         : streq_ptr(model, "virtio-transitional")     ? "pci-transitional"
                         : streq_ptr(model, "virtio-non-transitional") ? "pci-non-transitional"
                                                                       : "pci";
    const char *prefix = strncmp(name, "vhost-", 6) == 0 ? "" : "virtio-";
    CLEANUP_FREE char *driver = strf("%s%s-%s", prefix, name, suffix);
    Props props = device_props(context, driver, info);

    props.failed |= !driver;
    if (options)
        props_rows(&props, rows, options);
    return props;
}

static const void *first_of(const DomainDef *def, BootDev class) {
    static const DiskDevice devices[] = {[BOOT_HD] = DISK_DEVICE_DISK,
                                         [BOOT_CDROM] = DISK_DEVICE_CDROM,
                                         [BOOT_FD] = DISK_DEVICE_FLOPPY};

    if (class == BOOT_NETWORK)
        return def->n_interfaces > 0 ? &def->interfaces[0] : NULL;
    for (size_t i = 0; i < def->n_disks; i++)
        if (def->disks[i].device == devices[class] ||
            (class == BOOT_HD && def->disks[i].device == DISK_DEVICE_LUN))
            return &def->disks[i];
    return NULL;
}

unsigned device_boot_order(const DeviceContext *context, BootDev class, const void *device,
                           const DeviceInfo *info) {
    const OsDef *os = &context->def->os;

    if (info->boot_order)
        return info->boot_order;
    for (size_t i = 0; i < os->n_boot && !context->plugged; i++)
        if (os->boot[i] == class && first_of(context->def, class) == device)
            return (unsigned)i + 1;
    return 0;
}
