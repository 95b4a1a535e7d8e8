/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <controller>. What the machine has of its own (pci-root, the first IDE or SATA controller, the
 * floppy controller of a pc) makes no step. */
#include "qemu/devices/device.h"

#include <stdio.h>

static const Property virtio_serial_rows[] = {
    PROP_UINT("max_ports", ControllerDef, ports), PROP_UINT("vectors", ControllerDef, vectors),
    PROP_ON_OFF("ioeventfd", ControllerDef, ioeventfd), PROP_END};
static const Property virtio_scsi_rows[] = {PROP_UINT("num_queues", ControllerDef, queues),
                                            PROP_UINT("cmd_per_lun", ControllerDef, cmd_per_lun),
                                            PROP_UINT("max_sectors", ControllerDef, max_sectors),
                                            PROP_END};

/* ---- pci ---- */

static int build_pci(const DeviceContext *context, const ControllerDef *controller,
                     DeviceSteps *steps, Error **reterr) {
    static const struct {
        const char *model, *driver;
    } drivers[] = {{"pci-bridge", "pci-bridge"},
                   {"dmi-to-pci-bridge", "i82801b11-bridge"},
                   {"pcie-root-port", "pcie-root-port"},
                   {"pcie-switch-upstream-port", "x3130-upstream"},
                   {"pcie-switch-downstream-port", "xio3130-downstream"},
                   {"pci-expander-bus", "pxb"},
                   {"pcie-expander-bus", "pxb-pcie"},
                   {"pcie-to-pci-bridge", "pcie-pci-bridge"},
                   {"pci-root", "spapr-pci-host-bridge"}};
    const char *driver = controller->pci_model;
    Props props;

    if (!controller->model || controller->index <= 0 || streq(controller->model, "pcie-root"))
        return 0; /* the machine's own */
    for (size_t i = 0; !driver && i < ARRAY_SIZE(drivers); i++)
        if (streq(drivers[i].model, controller->model))
            driver = drivers[i].driver;
    if (!driver)
        return device_refuse(context, reterr, "a PCI controller of model '%s' cannot be had",
                             controller->model);
    props = device_props(context, driver, &controller->info);
    if (controller->has_target_index)
        props_uint(&props, "index", controller->target_index);
    if (controller->has_chassis_nr)
        props_uint(&props, "chassis_nr", controller->chassis_nr);
    if (controller->has_port)
        props_uint(&props, "port", controller->port);
    if (controller->has_chassis)
        props_uint(&props, "chassis", controller->chassis);
    if (controller->has_busnr)
        props_uint(&props, "bus_nr", controller->busnr);
    if (controller->has_node)
        props_uint(&props, "numa_node", controller->node);
    props_tristate(&props, "hotplug", controller->hotplug);
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

/* ---- usb ---- */

static const char *usb_driver(const DeviceContext *context, const char *model) {
    static const struct {
        const char *model, *driver;
    } drivers[] = {{"piix3-uhci", "piix3-usb-uhci"},
                   {"piix4-uhci", "piix4-usb-uhci"},
                   {"ehci", "usb-ehci"},
                   {"ich9-ehci1", "ich9-usb-ehci1"},
                   {"ich9-uhci1", "ich9-usb-uhci1"},
                   {"ich9-uhci2", "ich9-usb-uhci2"},
                   {"ich9-uhci3", "ich9-usb-uhci3"},
                   {"vt82c686b-uhci", "vt82c686b-usb-uhci"},
                   {"pci-ohci", "pci-ohci"},
                   {"nec-xhci", "nec-usb-xhci"},
                   {"qemu-xhci", "qemu-xhci"}};

    if (!model)
        return device_is_x86(context->def) ? "piix3-usb-uhci" : "qemu-xhci";
    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
        if (streq(drivers[i].model, model))
            return drivers[i].driver;
    return NULL;
}

static int build_usb(const DeviceContext *context, const ControllerDef *controller,
                     DeviceSteps *steps, Error **reterr) {
    const char *driver = usb_driver(context, controller->model);
    DeviceInfo info = controller->info;
    char bus[96];
    Props props;

    if (controller->model && streq(controller->model, "none"))
        return 0;
    if (!driver)
        return device_refuse(context, reterr, "a USB controller of model '%s' cannot be had",
                             controller->model);
    if (info.has_master)
        info.alias = NULL; /* the bus has the name of its master */
    props = device_props(context, driver, &info);
    if (info.has_master) {
        device_bus(context, CONTROLLER_USB, (unsigned)MAX_OF(controller->index, 0), bus);
        props_textf(&props, "masterbus", "%s.0", bus);
        props_uint(&props, "firstport", info.master_port);
    }
    if (controller->has_ports) {
        props_uint(&props, "p2", controller->ports);
        props_uint(&props, "p3", controller->ports);
    }
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

/* ---- scsi, sata, the rest ---- */

static int build_scsi(const DeviceContext *context, const ControllerDef *controller,
                      DeviceSteps *steps, Error **reterr) {
    static const struct {
        const char *model, *driver;
    } drivers[] = {{"lsilogic", "lsi"},        {"lsisas1068", "mptsas1068"},
                   {"lsisas1078", "megasas"},  {"vmpvscsi", "pvscsi"},
                   {"am53c974", "am53c974"},   {"dc390", "dc-390"},
                   {"ibmvscsi", "spapr-vscsi"}};
    const char *model = controller->model;
    Props props;

    for (size_t i = 0; model && i < ARRAY_SIZE(drivers); i++)
        if (streq(drivers[i].model, model)) {
            props = device_props(context, drivers[i].driver, &controller->info);
            steps_props(steps, STEP_DEVICE, &props);
            return 0;
        }
    if (model && strncmp(model, "virtio", 6) != 0 && !streq(model, "auto"))
        return device_refuse(context, reterr, "a SCSI controller of model '%s' cannot be had",
                             model);
    props = device_virtio(context, "scsi", model, &controller->virtio, &controller->info);
    props_rows(&props, virtio_scsi_rows, controller);
    props_tristate(&props, "ioeventfd", controller->ioeventfd);
    if (controller->iothread)
        props_textf(&props, "iothread", "iothread%u", controller->iothread);
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

/* A drive itself has no place in the order of boot, its controller has. */
static void add_floppies(const DeviceContext *context, Props *props) {
    const DomainDef *def = context->def;

    for (size_t i = 0; i < def->n_disks; i++) {
        const DiskDef *disk = &def->disks[i];
        unsigned order = device_boot_order(context, BOOT_FD, disk, &disk->info);

        if (disk->bus == DISK_BUS_FDC && order)
            props_uint(props, disk->info.address.unit ? "bootindexB" : "bootindexA", order);
    }
}

static bool is_q35(const DeviceContext *context) {
    return strstr(context->machine->name, "q35") != NULL;
}

static int build(const DeviceContext *context, const void *device, DeviceSteps *steps,
                 Error **reterr) {
    const ControllerDef *controller = device;
    Props props;

    switch (controller->type) {
    case CONTROLLER_USB:
        return build_usb(context, controller, steps, reterr);
    case CONTROLLER_SCSI:
        return build_scsi(context, controller, steps, reterr);
    case CONTROLLER_SATA:
        if (controller->index <= 0 && is_q35(context))
            return 0;
        props = device_props(context, "ahci", &controller->info);
        break;
    case CONTROLLER_VIRTIO_SERIAL:
        props = device_virtio(context, "serial", controller->model, &controller->virtio,
                              &controller->info);
        props_rows(&props, virtio_serial_rows, controller);
        break;
    case CONTROLLER_CCID:
        props = device_props(context, "usb-ccid", &controller->info);
        break;
    case CONTROLLER_FDC:
        if (!is_q35(context))
            return 0;
        props = device_props(context, "isa-fdc", &controller->info);
        add_floppies(context, &props);
        break;
    case CONTROLLER_IDE:
        if (controller->index <= 0)
            return 0;
        return device_refuse(context, reterr,
                             "an IDE controller besides the machine's own cannot be had; use "
                             "type='sata'");
    case CONTROLLER_PCI: /* a bridge */
    case CONTROLLER_ISA:
    case CONTROLLER_XENBUS:
    case CONTROLLER_TYPE_MAX_:
    default:
        return 0;
    }
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

/* Other controllers may be on a bridge that is behind them in the definition. */
static int build_bridge(const DeviceContext *context, const void *device, DeviceSteps *steps,
                        Error **reterr) {
    const ControllerDef *controller = device;

    return controller->type == CONTROLLER_PCI ? build_pci(context, controller, steps, reterr) : 0;
}

const DeviceKind bridge_kind = {
    DEVICE_KIND_LIST("controller", controllers, n_controllers, ControllerDef),
    .build = build_bridge};
const DeviceKind controller_kind = {
    DEVICE_KIND_LIST("controller", controllers, n_controllers, ControllerDef), .build = build};
