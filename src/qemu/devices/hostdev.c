/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <hostdev>: the guest's end of a device of the host. Taking it from the host's driver is the
 * daemon's business. */
#include "qemu/devices/device.h"

static int build_usb(const DeviceContext *context, const HostdevDef *hostdev, DeviceSteps *steps,
                     Error **reterr) {
    Props props = device_props(context, "usb-host", &hostdev->info);

    if (hostdev->missing == TRISTATE_YES) {
        /* No port has this name. Without any QEMU takes whatever it may open. */
        props_text(&props, "hostport", "none");
    } else if (hostdev->has_usb_address) {
        props_uint(&props, "hostbus", hostdev->usb_bus);
        props_uint(&props, "hostaddr", hostdev->usb_device);
    } else {
        props_uint(&props, "vendorid", hostdev->vendor);
        props_uint(&props, "productid", hostdev->product);
    }
    if (hostdev->info.boot_order)
        props_uint(&props, "bootindex", hostdev->info.boot_order);
    if (streq_ptr(hostdev->guest_reset, "off"))
        props_bool(&props, "guest-reset", false);
    else if (streq_ptr(hostdev->guest_reset, "uninitialized")) {
        props_bool(&props, "guest-reset", true);
        props_bool(&props, "guest-resets-all", false);
    }
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

static int build_pci(const DeviceContext *context, const HostdevDef *hostdev, DeviceSteps *steps,
                     Error **reterr) {
    char text[PCI_ADDRESS_TEXT_SIZE];
    Props props;

    if (hostdev->driver && !streq(hostdev->driver, "vfio"))
        return device_refuse(context, reterr, "<hostdev> with the driver '%s' cannot be had",
                             hostdev->driver);
    props = device_props(context, "vfio-pci", &hostdev->info);
    pci_address_format(&hostdev->pci, text);
    props_text(&props, "host", text);
    /* The guest's driver of that card takes this one for its own; so does a migration. */
    props_text(&props, "failover_pair_id", hostdev->teaming_persistent);
    if (hostdev->info.boot_order)
        props_uint(&props, "bootindex", hostdev->info.boot_order);
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

static int build_mdev(const DeviceContext *context, const HostdevDef *hostdev, DeviceSteps *steps,
                      Error **reterr) {
    Props props;

    if (!hostdev->uuid)
        return device_refuse(context, reterr, "a mediated <hostdev> needs a uuid");
    props = device_props(context,
                         hostdev->ramfb == TRISTATE_YES ? "vfio-pci-nohotplug"
                         : hostdev->model               ? hostdev->model
                                                        : "vfio-pci",
                         &hostdev->info);
    props_textf(&props, "sysfsdev", "/sys/bus/mdev/devices/%s", hostdev->uuid);
    if (hostdev->display != TRISTATE_ABSENT)
        props_text(&props, "display", hostdev->display == TRISTATE_YES ? "on" : "off");
    if (hostdev->ramfb == TRISTATE_YES)
        props_bool(&props, "ramfb", true);
    if (hostdev->info.boot_order)
        props_uint(&props, "bootindex", hostdev->info.boot_order);
    steps_props(steps, STEP_DEVICE, &props);
    return 0;
}

static int build(const DeviceContext *context, const void *device, DeviceSteps *steps,
                 Error **reterr) {
    const HostdevDef *hostdev = device;

    if (hostdev->mode == HOSTDEV_SUBSYSTEM && hostdev->type == HOSTDEV_USB)
        return build_usb(context, hostdev, steps, reterr);
    if (hostdev->mode == HOSTDEV_SUBSYSTEM && hostdev->type == HOSTDEV_PCI)
        return build_pci(context, hostdev, steps, reterr);
    if (hostdev->mode == HOSTDEV_SUBSYSTEM && hostdev->type == HOSTDEV_MDEV)
        return build_mdev(context, hostdev, steps, reterr);
    return device_refuse(context, reterr, "a <hostdev> of type '%s' cannot be started",
                         words_name(&hostdev_types, hostdev->type));
}

const DeviceKind hostdev_kind = {DEVICE_KIND_LIST("hostdev", hostdevs, n_hostdevs, HostdevDef),
                                 .build = build};
