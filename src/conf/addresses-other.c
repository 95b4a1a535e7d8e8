/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses on buses that controllers make: drives, virtio-serial ports, CCID slots. The
 * controllers themselves are added where a device needs one. */
#include <stdio.h>

#include "conf/addresses-internal.h"
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

static int need_one(DomainDef *def, ControllerType type, unsigned index, Error **reterr) {
    if (domain_def_controller(def, type, (int)index))
        return 0;
    if (index > CONTROLLER_LAST)
        return need(def, type, index, NULL, reterr);
    return domain_def_add_controller(def, type, (int)index, NULL) ? 0 : error_no_memory(reterr);
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

static void assign_drives(DomainDef *def) {
    for (size_t i = 0; i < def->n_disks; i++) {
        DiskDef *disk = &def->disks[i];
        int n = disk_target_index(disk->target);

        if (!is_drive(disk) || disk->info.address.type != ADDRESS_NONE)
            continue;
        n = n < 0 ? 0 : n;
        place_drive(disk, (unsigned)n);
        for (unsigned tries = 0; drive_is_taken(def, disk) && tries <= def->n_disks; tries++)
            place_drive(disk, (unsigned)++n);
    }
}

static int need_drive_controllers(DomainDef *def, Error **reterr) {
    static const struct {
        DiskBus bus;
        ControllerType type;
    } rows[] = {{DISK_BUS_SCSI, CONTROLLER_SCSI},
                {DISK_BUS_FDC, CONTROLLER_FDC},
                {DISK_BUS_IDE, CONTROLLER_IDE},
                {DISK_BUS_SATA, CONTROLLER_SATA}};
    int r = 0;

    for (size_t k = 0; k < ARRAY_SIZE(rows); k++)
        for (size_t i = 0; i < def->n_disks && r >= 0; i++)
            if (def->disks[i].bus == rows[k].bus &&
                def->disks[i].info.address.type == ADDRESS_DRIVE)
                r = need(def, rows[k].type, def->disks[i].info.address.controller, NULL, reterr);
    return r;
}

/* ---- SCSI devices of the host ---- */

#define SCSI_UNITS 7u

static bool scsi_unit_is_taken(const DomainDef *def, unsigned controller, unsigned unit) {
    for (size_t i = 0; i < def->n_disks; i++) {
        const DeviceAddress *at = &def->disks[i].info.address;

        if (def->disks[i].bus == DISK_BUS_SCSI && at->type == ADDRESS_DRIVE &&
            at->controller == controller && !at->bus && !at->target && at->unit == unit)
            return true;
    }
    for (size_t i = 0; i < def->n_hostdevs; i++) {
        const DeviceAddress *at = &def->hostdevs[i].info.address;

        if (def->hostdevs[i].type == HOSTDEV_SCSI && at->type == ADDRESS_DRIVE &&
            at->controller == controller && !at->bus && !at->target && at->unit == unit)
            return true;
    }
    return false;
}

static bool place_on(const DomainDef *def, unsigned controller, DeviceInfo *info) {
    for (unsigned unit = 0; unit < SCSI_UNITS; unit++)
        if (!scsi_unit_is_taken(def, controller, unit)) {
            info->address = (DeviceAddress){
                .type = ADDRESS_DRIVE, .controller = controller, .unit = unit};
            return true;
        }
    return false;
}

/* The first free unit of a controller that is there, or of the next ones. */
static void place_scsi_hostdev(const DomainDef *def, DeviceInfo *info) {
    unsigned n = 0;

    for (size_t i = 0; i < def->n_controllers; i++) {
        if (def->controllers[i].type != CONTROLLER_SCSI)
            continue;
        n++;
        if (place_on(def, (unsigned)def->controllers[i].index, info))
            return;
    }
    while (!place_on(def, n, info))
        n++;
}

static void assign_scsi_hostdevs(DomainDef *def) {
    for (size_t i = 0; i < def->n_hostdevs; i++)
        if (def->hostdevs[i].type == HOSTDEV_SCSI &&
            def->hostdevs[i].info.address.type == ADDRESS_NONE)
            place_scsi_hostdev(def, &def->hostdevs[i].info);
}

/* A controller that is added because another is full is of its model. */
static const char *scsi_model(const DomainDef *def, unsigned before) {
    const char *model = NULL;

    for (size_t i = 0; i < def->n_controllers; i++)
        if (def->controllers[i].type == CONTROLLER_SCSI && def->controllers[i].index >= 0 &&
            (unsigned)def->controllers[i].index < before && def->controllers[i].model)
            model = def->controllers[i].model;
    return model;
}

int addresses_assign_hostdevs(DomainDef *def, Error **reterr) {
    int r = 0;

    assign_scsi_hostdevs(def);
    for (size_t i = 0; i < def->n_hostdevs && r >= 0; i++) {
        const DeviceAddress *at = &def->hostdevs[i].info.address;

        if (def->hostdevs[i].type == HOSTDEV_SCSI && at->type == ADDRESS_DRIVE)
            r = need(def, CONTROLLER_SCSI, at->controller, scsi_model(def, at->controller), reterr);
    }
    return r;
}

/* ---- virtio-serial ---- */

static bool is_virtio_port(const ChardevDef *chardev) {
    return (chardev->kind == CHARDEV_CHANNEL || chardev->kind == CHARDEV_CONSOLE) &&
           streq_ptr(chardev->target_type, "virtio");
}

#define PORTS 31u /* of a controller that does not say */

/* By controller: a bit per port. */
typedef struct PortMap {
    const DomainDef *def;
    uint64_t used[CONTROLLER_LAST + 1];
} PortMap;

static unsigned serial_ports(const PortMap *map, unsigned controller) {
    const ControllerDef *def = domain_def_controller(map->def, CONTROLLER_VIRTIO_SERIAL,
                                                     (int)controller);

    return !def ? 0 : def->has_ports ? MIN_OF(def->ports, 64u) : PORTS;
}

static const char *port_owner(const DomainDef *def, const ChardevDef *mine) {
    for (size_t i = 0; i < def->n_chardevs; i++) {
        const ChardevDef *other = &def->chardevs[i];

        if (other != mine && other->info.address.type == ADDRESS_VIRTIO_SERIAL &&
            other->info.address.controller == mine->info.address.controller &&
            other->info.address.port == mine->info.address.port)
            return other->target_name ? other->target_name : "a console";
    }
    return "another device";
}

static int reserve_port(PortMap *map, const ChardevDef *chardev, Error **reterr) {
    const DeviceAddress *at = &chardev->info.address;
    const char *name = chardev->target_name ? chardev->target_name : "a console";

    if (at->port >= serial_ports(map, at->controller))
        return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                            "virtio serial controller %u does not have port %u, which '%s' is to "
                            "have",
                            at->controller, at->port, name);
    if (map->used[at->controller] & UINT64_C(1) << at->port)
        return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                            "virtio serial port %u on controller %u is already occupied: '%s' and "
                            "'%s' both have it",
                            at->port, at->controller, port_owner(map->def, chardev), name);
    map->used[at->controller] |= UINT64_C(1) << at->port;
    return 0;
}

static bool find_port(const PortMap *map, bool given, DeviceAddress *at) {
    for (unsigned controller = given ? at->controller : 0; controller <= CONTROLLER_LAST;
         controller++) {
        unsigned n = serial_ports(map, controller);

        for (unsigned port = 1; port < n; port++)
            if (!(map->used[controller] & UINT64_C(1) << port)) {
                at->controller = controller;
                at->port = port;
                return true;
            }
        if (given)
            return false;
    }
    return false;
}

static int add_serial_controller(DomainDef *def, Error **reterr) {
    unsigned index = 0;

    while (index <= CONTROLLER_LAST &&
           domain_def_controller(def, CONTROLLER_VIRTIO_SERIAL, (int)index))
        index++;
    return need(def, CONTROLLER_VIRTIO_SERIAL, index, NULL, reterr);
}

/* Port 0 is for consoles: what has none yet begins with 1. */
static int assign_port(DomainDef *def, PortMap *map, ChardevDef *chardev, Error **reterr) {
    bool given = chardev->info.address.type == ADDRESS_VIRTIO_SERIAL;
    DeviceAddress at = {.type = ADDRESS_VIRTIO_SERIAL,
                        .controller = chardev->info.address.controller};

    if (!find_port(map, given, &at)) {
        int r = given ? error_report(reterr, FROM_DOMAIN, ERROR_XML,
                                     "Unable to find a free port on virtio-serial controller %u",
                                     at.controller)
                      : add_serial_controller(def, reterr);

        if (r < 0)
            return r;
        if (!find_port(map, false, &at))
            return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                                "Unable to find a free virtio-serial port");
    }
    map->used[at.controller] |= UINT64_C(1) << at.port;
    chardev->info.address = at;
    return 0;
}

static int need_serial_controllers(DomainDef *def, Error **reterr) {
    int r = 0;

    for (int console = 0; console < 2; console++)
        for (size_t i = 0; i < def->n_chardevs && r >= 0; i++) {
            const ChardevDef *chardev = &def->chardevs[i];
            const DeviceAddress *at = &chardev->info.address;

            if (is_virtio_port(chardev) && (chardev->kind == CHARDEV_CONSOLE) == console)
                r = need_one(def, CONTROLLER_VIRTIO_SERIAL,
                             at->type == ADDRESS_VIRTIO_SERIAL ? at->controller : 0, reterr);
        }
    return r;
}

static int assign_ports(DomainDef *def, Error **reterr) {
    PortMap map = {.def = def};
    int r = 0;

    for (size_t i = 0; i < def->n_chardevs && r >= 0; i++) {
        const ChardevDef *chardev = &def->chardevs[i];

        if (is_virtio_port(chardev) && chardev->info.address.type == ADDRESS_VIRTIO_SERIAL &&
            chardev->info.address.port)
            r = reserve_port(&map, chardev, reterr);
    }
    for (size_t i = 0; i < def->n_chardevs && r >= 0; i++) {
        ChardevDef *chardev = &def->chardevs[i];
        bool channel = chardev->kind == CHARDEV_CHANNEL;

        if (is_virtio_port(chardev) && !chardev->info.address.port &&
            (chardev->info.address.type == ADDRESS_VIRTIO_SERIAL ||
             (chardev->info.address.type == ADDRESS_NONE && channel)))
            r = assign_port(def, &map, chardev, reterr);
    }
    return r;
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
        if (address->type != ADDRESS_CCID)
            continue;
        r = need_one(def, CONTROLLER_CCID, address->controller, reterr);
        if (r < 0)
            return r;
        for (size_t k = 0; k < i; k++) {
            const DeviceAddress *other = &def->smartcards[k].info.address;

            if (other->type == ADDRESS_CCID && other->controller == address->controller &&
                other->slot == address->slot)
                return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                                    "<smartcard> number %zu and <smartcard> number %zu are both in "
                                    "slot %u of CCID controller %u",
                                    k + 1, i + 1, address->slot, address->controller);
        }
    }
    return 0;
}

/* ---- memory ---- */

static bool is_slot_taken(const DomainDef *def, unsigned slot) {
    for (size_t i = 0; i < def->n_memories; i++)
        if (def->memories[i].info.address.type == ADDRESS_DIMM &&
            def->memories[i].info.address.slot == slot)
            return true;
    return false;
}

/* The lowest free ones; where all are taken there is no address. */
static void assign_slots(DomainDef *def) {
    for (size_t i = 0; i < def->n_memories; i++) {
        MemoryDef *memory = &def->memories[i];
        unsigned slot = 0;

        if ((memory->model != MEMORY_DIMM && memory->model != MEMORY_NVDIMM) ||
            memory->info.address.type == ADDRESS_DIMM)
            continue;
        while (slot < def->memory_slots && is_slot_taken(def, slot))
            slot++;
        if (slot >= def->memory_slots)
            continue;
        free(memory->info.address.usb_port);
        memory->info.address = (DeviceAddress){.type = ADDRESS_DIMM, .slot = slot};
    }
}

/* First the addresses, then the controllers that they speak of: in this order they are added. */
int addresses_assign_others(DomainDef *def, Error **reterr) {
    int r;

    assign_slots(def);
    assign_drives(def);
    r = check_drives(def, reterr);
    if (r >= 0)
        r = need_drive_controllers(def, reterr);
    if (r >= 0)
        r = need_serial_controllers(def, reterr);
    if (r >= 0)
        r = assign_ccid(def, reterr);
    if (r >= 0)
        r = assign_ports(def, reterr);
    return r < 0 ? r : addresses_assign_usb(def, reterr);
}
