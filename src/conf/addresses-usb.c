/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* USB ports. A controller has some, a hub eight more; hubs are added when the devices are more than
 * the ports. The order in which devices get theirs is libvirt's. */
#include <stdio.h>

#include "conf/addresses-internal.h"
#include "util/file.h"

#define HUB_PORTS 8u
#define LEVELS_MAX 4u
#define PATH_SIZE 32u

/* A controller (path "") or a hub at its port. */
typedef struct UsbHub {
    unsigned bus, ports, level;
    char path[PATH_SIZE];
    uint32_t used; /* by port */
} UsbHub;

typedef struct UsbMap {
    DomainDef *def;
    UsbHub *hubs;
    size_t n, n_devices;
    Error **reterr;
} UsbMap;

typedef int (*UsbEach)(UsbMap *, const char *, DeviceInfo *);

static unsigned controller_ports(const ControllerDef *controller) {
    static const struct {
        const char *model;
        unsigned ports;
    } rows[] = {{"ich9-ehci1", 6}, {"ehci", 6},       {"pci-ohci", 3},   {"nec-xhci", 4},
                {"qemu-xhci", 4},  {"ich9-uhci1", 0}, {"ich9-uhci2", 0}, {"ich9-uhci3", 0},
                {"none", 0},       {"qusb1", 8},      {"qusb2", 8}};

    if (controller->type != CONTROLLER_USB)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (streq_ptr(controller->model, rows[i].model)) {
            bool counted = controller->has_ports && rows[i].ports && strchr(rows[i].model, 'x');

            return MIN_OF(counted ? controller->ports : rows[i].ports, 31u);
        }
    return 2;
}

static int for_devices(UsbMap *map, UsbEach each) {
    DomainDef *def = map->def;
    int r = 0;

    for (size_t i = 0; i < def->n_hostdevs && r >= 0; i++)
        if (def->hostdevs[i].type == HOSTDEV_USB)
            r = each(map, "hostdev", &def->hostdevs[i].info);
    for (size_t i = 0; i < def->n_interfaces && r >= 0; i++)
        if (def->interfaces[i].type == INTERFACE_HOSTDEV &&
            def->interfaces[i].hostdev.type == ADDRESS_USB)
            r = each(map, "interface", &def->interfaces[i].info);
    for (size_t i = 0; i < def->n_disks && r >= 0; i++)
        if (def->disks[i].bus == DISK_BUS_USB)
            r = each(map, "disk", &def->disks[i].info);
    for (size_t i = 0; i < def->n_controllers && r >= 0; i++)
        if (def->controllers[i].type == CONTROLLER_CCID)
            r = each(map, "controller", &def->controllers[i].info);
    for (size_t i = 0; i < def->n_inputs && r >= 0; i++)
        if (def->inputs[i].bus == INPUT_BUS_USB)
            r = each(map, "input", &def->inputs[i].info);
    for (size_t i = 0; i < def->n_chardevs && r >= 0; i++)
        if (def->chardevs[i].kind == CHARDEV_SERIAL &&
            streq_ptr(def->chardevs[i].target_type, "usb-serial"))
            r = each(map, "serial", &def->chardevs[i].info);
    for (size_t i = 0; i < def->n_sounds && r >= 0; i++)
        if (def->sounds[i].model == SOUND_USB)
            r = each(map, "sound", &def->sounds[i].info);
    for (size_t i = 0; i < def->n_redirdevs && r >= 0; i++)
        r = each(map, "redirdev", &def->redirdevs[i].info);
    return r;
}

static bool has_port(const DeviceInfo *info) {
    return info->address.type == ADDRESS_USB && info->address.usb_port;
}

static int count_device(UsbMap *map, const char *kind, DeviceInfo *info) {
    map->n_devices++;
    return 0;
}

static int add_hub(UsbMap *map, unsigned bus, const char *path, unsigned level, unsigned ports) {
    UsbHub *hub = array_append(&map->hubs, &map->n, sizeof(UsbHub));

    if (!hub)
        return error_no_memory(map->reterr);
    *hub = (UsbHub){.bus = bus, .level = level, .ports = ports};
    snprintf(hub->path, sizeof(hub->path), "%s", path);
    return 0;
}

static UsbHub *find_hub(const UsbMap *map, unsigned bus, const char *path, size_t len) {
    for (size_t i = 0; i < map->n; i++)
        if (map->hubs[i].bus == bus && strlen(map->hubs[i].path) == len &&
            strncmp(map->hubs[i].path, path, len) == 0)
            return &map->hubs[i];
    return NULL;
}

/* The port that a given address speaks of. */
static int reserve(UsbMap *map, const char *kind, DeviceInfo *info) {
    const DeviceAddress *at = &info->address;
    const char *dot, *last;
    UsbHub *hub;
    unsigned port;

    if (!has_port(info))
        return 0;
    dot = strrchr(at->usb_port, '.');
    last = dot ? dot + 1 : at->usb_port;
    port = (unsigned)strtoul(last, NULL, 10);
    hub = find_hub(map, at->bus, at->usb_port, dot ? (size_t)(dot - at->usb_port) : 0);
    if (!hub)
        return error_report(map->reterr, FROM_DOMAIN, ERROR_XML,
                            "a <%s> is at port %s of USB bus %u: there is no such %s", kind,
                            at->usb_port, at->bus, dot ? "hub" : "bus");
    if (port < 1 || port > hub->ports)
        return error_report(map->reterr, FROM_DOMAIN, ERROR_XML,
                            "requested USB port %s not present on USB bus %u: a <%s> asks for it",
                            at->usb_port, at->bus, kind);
    if (hub->used & 1u << port)
        return error_report(map->reterr, FROM_DOMAIN, ERROR_XML,
                            "Duplicate USB address bus %u port %s: a <%s> and another device have "
                            "it",
                            at->bus, at->usb_port, kind);
    hub->used |= 1u << port;
    return 0;
}

static bool find_free(const UsbMap *map, UsbHub *hub, UsbHub **ret, unsigned *ret_port) {
    for (unsigned port = 1; port <= hub->ports; port++)
        if (!(hub->used & 1u << port)) {
            *ret = hub;
            *ret_port = port;
            return true;
        }
    for (unsigned port = 1; hub->level + 1 < LEVELS_MAX && port <= hub->ports; port++) {
        char path[PATH_SIZE + 16];
        UsbHub *inner;

        snprintf(path, sizeof(path), "%s%s%u", hub->path, *hub->path ? "." : "", port);
        inner = find_hub(map, hub->bus, path, strlen(path));
        if (inner && find_free(map, inner, ret, ret_port))
            return true;
    }
    return false;
}

static UsbHub *next_controller(const UsbMap *map, unsigned from) {
    UsbHub *found = NULL;

    for (size_t i = 0; i < map->n; i++)
        if (map->hubs[i].level == 0 && map->hubs[i].bus >= from &&
            (!found || map->hubs[i].bus < found->bus))
            found = &map->hubs[i];
    return found;
}

static int assign(UsbMap *map, const char *kind, DeviceInfo *info) {
    bool given = info->address.type == ADDRESS_USB;
    unsigned from = given ? info->address.bus : 0, port;
    UsbHub *hub;

    if (has_port(info) || (!given && info->address.type != ADDRESS_NONE))
        return 0;
    for (UsbHub *root = next_controller(map, from); root;
         root = next_controller(map, root->bus + 1)) {
        if (given && root->bus != info->address.bus)
            break;
        if (!find_free(map, root, &hub, &port))
            continue;
        hub->used |= 1u << port;
        info->address.type = ADDRESS_USB;
        info->address.bus = hub->bus;
        info->address.usb_port = strf("%s%s%u", hub->path, *hub->path ? "." : "", port);
        return info->address.usb_port ? 0 : error_no_memory(map->reterr);
    }
    return error_report(map->reterr, FROM_DOMAIN, given ? ERROR_XML : ERROR_INTERNAL,
                        "No free USB ports for a <%s>%s", kind,
                        given ? " on the bus that it asks for" : "");
}

/* A hub's own ports, once it has its place. */
static int open_hub(UsbMap *map, const DeviceInfo *info) {
    const char *path = info->address.usb_port;
    unsigned level = 1;

    for (const char *at = path; *at; at++)
        level += *at == '.';
    return add_hub(map, info->address.bus, path, level, HUB_PORTS);
}

/* As many as it takes: each gives eight ports for one. */
static int add_missing_hubs(UsbMap *map) {
    DomainDef *def = map->def;
    size_t n_ports = HUB_PORTS * def->n_hubs, n_hubs = 0;

    for (size_t i = 0; i < def->n_controllers; i++)
        n_ports += controller_ports(&def->controllers[i]);
    if (map->n_devices && !n_ports)
        return error_report(map->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
                            "USB is disabled for this domain, but USB devices are present in the "
                            "domain XML");
    if (map->n_devices > n_ports)
        n_hubs = (map->n_devices - n_ports + HUB_PORTS - 1) / (HUB_PORTS - 1);
    for (size_t i = 0; i < n_hubs; i++) {
        HubDef *hub = array_append(&def->hubs, &def->n_hubs, sizeof(HubDef));

        if (!hub || !(hub->type = strdup("usb")))
            return error_no_memory(map->reterr);
    }
    return 0;
}

static int assign_hubs(UsbMap *map) {
    DomainDef *def = map->def;
    int r = 0;

    for (size_t i = 0; i < def->n_hubs && r >= 0; i++)
        if (!has_port(&def->hubs[i].info)) {
            r = assign(map, "hub", &def->hubs[i].info);
            if (r >= 0 && has_port(&def->hubs[i].info))
                r = open_hub(map, &def->hubs[i].info);
        }
    return r;
}

static int build(UsbMap *map) {
    DomainDef *def = map->def;
    int r = 0;

    for (size_t i = 0; i < def->n_controllers && r >= 0; i++) {
        unsigned ports = controller_ports(&def->controllers[i]);

        if (ports)
            r = add_hub(map, (unsigned)def->controllers[i].index, "", 0, ports);
    }
    for (size_t i = 0; i < def->n_hubs && r >= 0; i++)
        if (has_port(&def->hubs[i].info)) {
            r = reserve(map, "hub", &def->hubs[i].info);
            if (r >= 0)
                r = open_hub(map, &def->hubs[i].info);
        }
    return r;
}

int addresses_assign_usb(DomainDef *def, Error **reterr) {
    UsbMap map = {.def = def, .n_devices = def->n_hubs, .reterr = reterr};
    int r;

    for_devices(&map, count_device);
    r = add_missing_hubs(&map);
    if (r >= 0)
        r = build(&map);
    if (r >= 0)
        r = for_devices(&map, reserve);
    if (r >= 0)
        r = assign_hubs(&map);
    if (r >= 0)
        r = for_devices(&map, assign);
    free(map.hubs);
    return r;
}
