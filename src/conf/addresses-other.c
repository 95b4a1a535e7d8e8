/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses on buses that controllers make: drives, virtio-serial ports, USB ports, CCID slots. The
 * controllers themselves are added where a device needs one. */
#include <stdio.h>

#include "conf/addresses.h"
#include "util/file.h"

#define CONTROLLER_LAST 255u

static int need(DomainDef *def, ControllerType type, unsigned index, const char *model,
                Error **reterr) {
    if (index > CONTROLLER_LAST)
        return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                            "a device has an address on the %s controller number %u: controller "
                            "number %u is too high, the last one is %u",
                            words_name(&controller_types, type), index, index, CONTROLLER_LAST);
    for (unsigned i = 0; i <= index; i++)
        if (!domain_def_controller(def, type, (int)i) &&
            !domain_def_add_controller(def, type, (int)i, model))
            return error_no_memory(reterr);
    return 0;
}

/* ---- drives ---- */

/* libvirt's place of a disk by the letters of its target. */
static void place_drive(DiskDef *disk, unsigned n) {
    DeviceAddress *address = &disk->info.address;

    *address = (DeviceAddress){.type = ADDRESS_DRIVE};
    switch (disk->bus) {
    case DISK_BUS_IDE:
        address->controller = n / 4;
        address->bus = n % 4 / 2;
        address->unit = n % 2;
        break;
    case DISK_BUS_SATA:
        address->controller = n / 6;
        address->unit = n % 6;
        break;
    case DISK_BUS_FDC:
        address->controller = n / 2;
        address->unit = n % 2;
        break;
    default: /* scsi: 7 is the controller's own id on a narrow bus */
        address->controller = n / 7;
        address->unit = n % 7;
    }
}

static bool same_drive(const DiskDef *a, const DiskDef *b) {
    const DeviceAddress *x = &a->info.address, *y = &b->info.address;

    return a->bus == b->bus && x->type == ADDRESS_DRIVE && y->type == ADDRESS_DRIVE &&
           x->controller == y->controller && x->bus == y->bus && x->target == y->target &&
           x->unit == y->unit;
}

static bool drive_is_taken(const DomainDef *def, const DiskDef *disk) {
    for (size_t i = 0; i < def->n_disks; i++)
        if (&def->disks[i] != disk && same_drive(&def->disks[i], disk))
            return true;
    return false;
}

static bool is_drive(const DiskDef *disk) {
    return disk->bus == DISK_BUS_IDE || disk->bus == DISK_BUS_SATA || disk->bus == DISK_BUS_SCSI ||
           disk->bus == DISK_BUS_FDC;
}

static int check_drives(const DomainDef *def, Error **reterr) {
    for (size_t i = 0; i < def->n_disks; i++)
        for (size_t k = 0; k < i; k++)
            if (same_drive(&def->disks[i], &def->disks[k])) {
                const DeviceAddress *at = &def->disks[i].info.address;

                return error_report(
                    reterr, FROM_DOMAIN, ERROR_XML,
                    "Found duplicate drive address: the disks '%s' and '%s' are both controller "
                    "%u, bus %u, target %u, unit %u",
                    def->disks[k].target, def->disks[i].target, at->controller, at->bus, at->target,
                    at->unit);
            }
    return 0;
}

static int assign_drives(DomainDef *def, Error **reterr) {
    static const ControllerType types[DISK_BUS_MAX_] = {[DISK_BUS_IDE] = CONTROLLER_IDE,
                                                        [DISK_BUS_SATA] = CONTROLLER_SATA,
                                                        [DISK_BUS_SCSI] = CONTROLLER_SCSI,
                                                        [DISK_BUS_FDC] = CONTROLLER_FDC};
    int r = 0;

    for (size_t i = 0; i < def->n_disks && r >= 0; i++) {
        DiskDef *disk = &def->disks[i];
        int n = disk_target_index(disk->target);

        if (!is_drive(disk))
            continue;
        if (disk->info.address.type == ADDRESS_NONE) {
            n = n < 0 ? 0 : n;
            place_drive(disk, (unsigned)n);
            for (unsigned tries = 0; drive_is_taken(def, disk) && tries <= def->n_disks; tries++)
                place_drive(disk, (unsigned)++n);
        }
        r = need(def, types[disk->bus], disk->info.address.controller, NULL, reterr);
    }
    return r < 0 ? r : check_drives(def, reterr);
}

/* ---- virtio-serial ---- */

static bool is_virtio_port(const ChardevDef *chardev) {
    return (chardev->kind == CHARDEV_CHANNEL || chardev->kind == CHARDEV_CONSOLE) &&
           streq_ptr(chardev->target_type, "virtio");
}

static bool port_is_taken(const DomainDef *def, unsigned controller, unsigned port) {
    for (size_t i = 0; i < def->n_chardevs; i++) {
        const DeviceAddress *at = &def->chardevs[i].info.address;

        if (at->type == ADDRESS_VIRTIO_SERIAL && at->controller == controller && at->port == port)
            return true;
    }
    return false;
}

/* Port 0 is for consoles: channels begin with 1. */
static int assign_ports(DomainDef *def, Error **reterr) {
    for (size_t i = 0; i < def->n_chardevs; i++) {
        ChardevDef *chardev = &def->chardevs[i];
        DeviceAddress *address = &chardev->info.address;
        int r;

        if (!is_virtio_port(chardev))
            continue;
        if (address->type == ADDRESS_NONE && chardev->kind == CHARDEV_CHANNEL)
            *address = (DeviceAddress){.type = ADDRESS_VIRTIO_SERIAL};
        if (address->type != ADDRESS_VIRTIO_SERIAL && address->type != ADDRESS_NONE)
            continue;
        r = need(def, CONTROLLER_VIRTIO_SERIAL, address->controller, NULL, reterr);
        if (r < 0)
            return r;
        if (address->port || chardev->kind == CHARDEV_CONSOLE)
            continue;
        for (unsigned port = 1; !address->port; port++)
            if (!port_is_taken(def, address->controller, port))
                address->port = port;
    }
    return 0;
}

/* ---- usb ---- */

typedef struct UsbMap {
    bool used[16][32]; /* by controller and port */
    unsigned n_behind; /* ports of hubs that are given away */
    unsigned n_wanting;
} UsbMap;

static unsigned usb_ports(const ControllerDef *controller) {
    if (controller->has_ports)
        return controller->ports;
    if (!controller->model)
        return 2;
    return streq(controller->model, "ich9-ehci1")  ? 6
           : streq(controller->model, "ehci")      ? 6
           : streq(controller->model, "nec-xhci")  ? 4
           : streq(controller->model, "qemu-xhci") ? 4
           : streq(controller->model, "pci-ohci")  ? 3
                                                   : 2;
}

static int for_usb(DomainDef *def, int (*each)(DomainDef *, DeviceInfo *, void *), void *data) {
    int r = 0;

    for (size_t i = 0; i < def->n_hubs && r >= 0; i++)
        r = each(def, &def->hubs[i].info, data);
    for (size_t i = 0; i < def->n_disks && r >= 0; i++)
        if (def->disks[i].bus == DISK_BUS_USB)
            r = each(def, &def->disks[i].info, data);
    for (size_t i = 0; i < def->n_inputs && r >= 0; i++)
        if (def->inputs[i].bus == INPUT_BUS_USB)
            r = each(def, &def->inputs[i].info, data);
    for (size_t i = 0; i < def->n_sounds && r >= 0; i++)
        if (def->sounds[i].model == SOUND_USB)
            r = each(def, &def->sounds[i].info, data);
    for (size_t i = 0; i < def->n_hostdevs && r >= 0; i++)
        if (def->hostdevs[i].type == HOSTDEV_USB)
            r = each(def, &def->hostdevs[i].info, data);
    for (size_t i = 0; i < def->n_redirdevs && r >= 0; i++)
        r = each(def, &def->redirdevs[i].info, data);
    for (size_t i = 0; i < def->n_chardevs && r >= 0; i++)
        if (def->chardevs[i].kind == CHARDEV_SERIAL &&
            streq_ptr(def->chardevs[i].target_type, "usb-serial"))
            r = each(def, &def->chardevs[i].info, data);
    return r;
}

static int note_usb(DomainDef *def, DeviceInfo *info, void *data) {
    UsbMap *map = data;
    unsigned long port = info->address.usb_port ? strtoul(info->address.usb_port, NULL, 10) : 0;

    if (info->address.type == ADDRESS_USB && info->address.bus < 16 && port < 32)
        map->used[info->address.bus][port] = true;
    map->n_wanting += info->address.type != ADDRESS_USB || !info->address.usb_port;
    if (info->address.usb_port && strchr(info->address.usb_port, '.'))
        map->n_behind++;
    return 0;
}

#define HUB_PORTS 8u

/* The root's ports are full: those of the hubs are next. */
static int place_behind_hub(const DomainDef *def, DeviceInfo *info, UsbMap *map) {
    for (size_t i = 0; i < def->n_hubs; i++) {
        const DeviceAddress *hub = &def->hubs[i].info.address;

        if (hub->type != ADDRESS_USB || !hub->usb_port || &def->hubs[i].info == info)
            continue;
        if (map->n_behind >= HUB_PORTS * (i + 1))
            continue;
        info->address.type = ADDRESS_USB;
        info->address.bus = hub->bus;
        info->address.usb_port = strf("%s.%u", hub->usb_port, map->n_behind % HUB_PORTS + 1);
        map->n_behind++;
        return info->address.usb_port ? 0 : -ENOMEM;
    }
    return 0;
}

static int place_usb(DomainDef *def, DeviceInfo *info, void *data) {
    UsbMap *map = data;

    if (info->address.type == ADDRESS_USB && info->address.usb_port)
        return 0;
    for (unsigned bus = 0; bus < 16; bus++) {
        const ControllerDef *controller = domain_def_controller(def, CONTROLLER_USB, (int)bus);
        unsigned ports = controller ? usb_ports(controller) : 0;

        if (info->address.type == ADDRESS_USB && info->address.bus != bus)
            continue;
        for (unsigned port = 1; port <= ports && port < 32; port++) {
            if (map->used[bus][port])
                continue;
            map->used[bus][port] = true;
            info->address.type = ADDRESS_USB;
            info->address.bus = bus;
            info->address.usb_port = strf("%u", port);
            return info->address.usb_port ? 0 : -ENOMEM;
        }
    }
    return place_behind_hub(def, info, map);
}

/* As many as it takes: each gives eight ports for one. */
static int add_hubs(DomainDef *def, const UsbMap *map) {
    unsigned n_free = 0;

    for (unsigned bus = 0; bus < 16; bus++) {
        const ControllerDef *controller = domain_def_controller(def, CONTROLLER_USB, (int)bus);
        unsigned ports = controller ? usb_ports(controller) : 0;

        for (unsigned port = 1; port <= ports && port < 32; port++)
            n_free += !map->used[bus][port];
    }
    if (!n_free || map->n_behind)
        return 0;
    for (unsigned n = n_free; n < map->n_wanting; n += HUB_PORTS - 1) {
        HubDef *hub = array_append(&def->hubs, &def->n_hubs, sizeof(HubDef));

        if (!hub || !(hub->type = strdup("usb")))
            return -ENOMEM;
    }
    return 0;
}

static int assign_usb(DomainDef *def, Error **reterr) {
    UsbMap map = {0};

    for_usb(def, note_usb, &map);
    if (add_hubs(def, &map) < 0)
        return error_no_memory(reterr);
    return for_usb(def, place_usb, &map) < 0 ? error_no_memory(reterr) : 0;
}

/* ---- ccid ---- */

static int assign_ccid(DomainDef *def, Error **reterr) {
    for (size_t i = 0; i < def->n_smartcards; i++) {
        DeviceAddress *address = &def->smartcards[i].info.address;
        int r;

        if (address->type == ADDRESS_NONE) {
            address->type = ADDRESS_CCID;
            address->slot = (unsigned)i;
        }
        r = address->type == ADDRESS_CCID
                ? need(def, CONTROLLER_CCID, address->controller, NULL, reterr)
                : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

/* ---- ccw ---- */

static bool devno_is_taken(const DeviceRef *refs, size_t n, unsigned devno) {
    for (size_t i = 0; i < n; i++) {
        const DeviceAddress *at = &refs[i].info->address;

        if (at->type == ADDRESS_CCW && at->has_ccw && at->cssid == 0xfe && at->ssid == 0 &&
            at->devno == devno)
            return true;
    }
    return false;
}

static int assign_ccw(DomainDef *def, Error **reterr) {
    CLEANUP_FREE DeviceRef *refs = NULL;
    size_t n = 0;
    unsigned devno = 0;

    if (!domain_def_is_s390(def))
        return 0;
    if (domain_def_pci_devices(def, &refs, &n) < 0)
        return error_no_memory(reterr);
    for (size_t i = 0; i < n; i++) {
        DeviceAddress *address = &refs[i].info->address;

        if (address->type != ADDRESS_NONE || !(refs[i].connect))
            continue;
        while (devno_is_taken(refs, n, devno))
            devno++;
        *address = (DeviceAddress){
            .type = ADDRESS_CCW, .has_ccw = true, .cssid = 0xfe, .devno = devno};
    }
    return 0;
}

int addresses_assign_others(DomainDef *def, Error **reterr) {
    int r = assign_drives(def, reterr);

    if (r >= 0)
        r = assign_ports(def, reterr);
    if (r >= 0)
        r = assign_ccid(def, reterr);
    if (r >= 0)
        r = assign_usb(def, reterr);
    return r < 0 ? r : assign_ccw(def, reterr);
}
