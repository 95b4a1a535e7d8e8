/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PCI addresses. */
#include <stdio.h>

#include "conf/addresses.h"
#include "util/file.h"

#define BUSES_MAX 256u
#define SLOTS 32u

typedef struct Bus {
    unsigned accepts; /* PCI_CONNECT_*, without being asked for this very bus */
    unsigned first, last;
    uint8_t used[SLOTS];              /* a bit per function */
    bool aggregated[SLOTS];           /* of root ports that share the slot */
    const DeviceRef *owner[SLOTS][8]; /* NULL with the bit set: reserved */
    bool exists;
} Bus;

typedef struct Map {
    DomainDef *def;
    Bus *buses;
    unsigned n;
    bool express;
    DeviceRef *refs; /* all that have a PCI address, or need one */
    size_t n_refs;
    DeviceAddress *had; /* by each before the try */
    Error **reterr;
} Map;

static void map_done(Map *map) {
    free(map->buses);
    free(map->refs);
    free(map->had);
}

static void set_bus(Bus *bus, const char *model) {
    static const struct {
        const char *model;
        unsigned first, last, accepts;
    } rows[] = {
        {"pci-root", 1, 31, PCI_CONNECT_DEVICE | PCI_CONNECT_BRIDGE | PCI_CONNECT_EXPANDER},
        {"pcie-root", 1, 31, PCI_CONNECT_ROOT_PORT | PCI_CONNECT_DMI_BRIDGE | PCI_CONNECT_EXPANDER},
        {"pci-bridge", 1, 31, PCI_CONNECT_DEVICE | PCI_CONNECT_BRIDGE},
        {"dmi-to-pci-bridge", 0, 31, PCI_CONNECT_DEVICE | PCI_CONNECT_BRIDGE},
        {"pcie-to-pci-bridge", 1, 31, PCI_CONNECT_DEVICE | PCI_CONNECT_BRIDGE},
        {"pcie-root-port", 0, 0,
         PCI_CONNECT_EXPRESS | PCI_CONNECT_EXPRESS_BRIDGE | PCI_CONNECT_SWITCH},
        {"pcie-switch-upstream-port", 0, 31, PCI_CONNECT_DOWNSTREAM},
        {"pcie-switch-downstream-port", 0, 0, PCI_CONNECT_EXPRESS | PCI_CONNECT_EXPRESS_BRIDGE},
        {"pci-expander-bus", 0, 31, PCI_CONNECT_DEVICE | PCI_CONNECT_BRIDGE},
        {"pcie-expander-bus", 0, 31, PCI_CONNECT_ROOT_PORT | PCI_CONNECT_DMI_BRIDGE}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (streq_ptr(model, rows[i].model)) {
            bus->accepts = rows[i].accepts;
            bus->first = rows[i].first;
            bus->last = rows[i].last;
            bus->exists = true;
        }
}

static void describe(const DeviceRef *ref, char text[64]) {
    if (ref)
        snprintf(text, 64, "<%s> number %zu", ref->kind, ref->index + 1);
    else
        snprintf(text, 64, "the machine itself");
}

static int clash(Map *map, const DeviceRef *ref, const PciAddress *address,
                 const DeviceRef *other) {
    char place[PCI_ADDRESS_TEXT_SIZE], mine[64], theirs[64];

    pci_address_format(address, place);
    describe(ref, mine);
    describe(other, theirs);
    return error_report(map->reterr, FROM_DOMAIN, ERROR_XML,
                        "Attempted double use of PCI Address %s: %s and %s both have it", place,
                        mine, theirs);
}

static int reserve(Map *map, const DeviceRef *ref, const PciAddress *address) {
    char place[PCI_ADDRESS_TEXT_SIZE], mine[64];
    Bus *bus = address->bus < map->n ? &map->buses[address->bus] : NULL;

    pci_address_format(address, place);
    describe(ref, mine);
    if (address->domain || !bus || !bus->exists)
        return error_report(map->reterr, FROM_DOMAIN, ERROR_XML,
                            "Invalid PCI address %s of %s: there is no such bus", place, mine);
    if (address->slot < bus->first || address->slot > bus->last)
        return error_report(map->reterr, FROM_DOMAIN, ERROR_XML,
                            "Invalid PCI address %s of %s: slot must be 0x%02x to 0x%02x", place,
                            mine, bus->first, bus->last);
    if (bus->used[address->slot] & 1u << address->function)
        return clash(map, ref, address, bus->owner[address->slot][address->function]);
    bus->used[address->slot] |= (uint8_t)(1u << address->function);
    bus->owner[address->slot][address->function] = ref;
    if (ref && ref->connect & PCI_CONNECT_ROOT_PORT)
        bus->aggregated[address->slot] = true;
    return 0;
}

static bool is_free(const Map *map, unsigned bus, unsigned slot, unsigned function) {
    return bus < map->n && map->buses[bus].exists && !(map->buses[bus].used[slot] & 1u << function);
}

/* Reserves and writes it down. */
static int place(Map *map, const DeviceRef *ref, unsigned bus, unsigned slot, unsigned function) {
    PciAddress *address = &ref->info->address.pci;

    ref->info->address.type = ADDRESS_PCI;
    address->bus = bus;
    address->slot = slot;
    address->function = function;
    return reserve(map, ref, address);
}

static void reserve_quietly(Map *map, unsigned slot, unsigned function) {
    if (is_free(map, 0, slot, function))
        map->buses[0].used[slot] |= (uint8_t)(1u << function);
}

static bool needs_address(const DeviceRef *ref) {
    return ref->info->address.type != ADDRESS_PCI || pci_address_is_empty(&ref->info->address.pci);
}

/* ---- the machine's own places ---- */

static const DeviceRef *find_ref(const DeviceRef *refs, size_t n, const DeviceInfo *info) {
    for (size_t i = 0; i < n; i++)
        if (refs[i].info == info)
            return &refs[i];
    return NULL;
}

static int place_if_free(Map *map, const DeviceRef *refs, size_t n, DeviceInfo *info, unsigned slot,
                         unsigned function) {
    const DeviceRef *ref = find_ref(refs, n, info);

    if (!ref || !needs_address(ref) || !is_free(map, 0, slot, function))
        return 0;
    return place(map, ref, 0, slot, function);
}

static int place_ich9_usb(Map *map, const DeviceRef *refs, size_t n, ControllerDef *controller,
                          unsigned slot) {
    static const struct {
        const char *model;
        unsigned function;
    } rows[] = {{"ich9-ehci1", 7}, {"ich9-uhci1", 0}, {"ich9-uhci2", 1}, {"ich9-uhci3", 2}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (streq_ptr(controller->model, rows[i].model)) {
            int r = place_if_free(map, refs, n, &controller->info, slot, rows[i].function);

            if (r >= 0 && rows[i].function == 0 &&
                controller->info.address.pci.multifunction == TRISTATE_ABSENT)
                controller->info.address.pci.multifunction = TRISTATE_YES;
            return r;
        }
    return 0;
}

static int place_i440fx(Map *map, const DeviceRef *refs, size_t n) {
    DomainDef *def = map->def;
    ControllerDef *usb = domain_def_controller(def, CONTROLLER_USB, 0);
    ControllerDef *ide = domain_def_controller(def, CONTROLLER_IDE, 0);
    int r = 0;

    if (ide) {
        ide->info.address.type = ADDRESS_PCI;
        ide->info.address.pci.bus = 0;
        ide->info.address.pci.slot = 1;
        ide->info.address.pci.function = 1;
    }
    if (usb && streq_ptr(usb->model, "piix3-uhci"))
        r = place_if_free(map, refs, n, &usb->info, 1, 2);
    for (unsigned function = 0; function < 8; function++)
        reserve_quietly(map, 1, function);
    if (r >= 0 && def->n_videos)
        r = place_if_free(map, refs, n, &def->videos[0].info, 2, 0);
    return r;
}

static int place_q35(Map *map, const DeviceRef *refs, size_t n) {
    DomainDef *def = map->def;
    int r = 0;

    for (size_t i = 0; r >= 0 && i < def->n_controllers; i++) {
        ControllerDef *controller = &def->controllers[i];

        if (controller->type == CONTROLLER_SATA && controller->index == 0)
            r = place_if_free(map, refs, n, &controller->info, 0x1f, 2);
        else if (controller->type == CONTROLLER_USB)
            r = place_ich9_usb(map, refs, n, controller, controller->index == 0 ? 0x1d : 0x1a);
        else if (controller->type == CONTROLLER_PCI && controller->index == 1 &&
                 streq_ptr(controller->model, "dmi-to-pci-bridge"))
            r = place_if_free(map, refs, n, &controller->info, 0x1e, 0);
    }
    reserve_quietly(map, 0x1f, 0);
    reserve_quietly(map, 0x1f, 3);
    if (r >= 0 && def->n_videos)
        r = place_if_free(map, refs, n, &def->videos[0].info, 1, 0);
    for (size_t i = 0; r >= 0 && i < def->n_sounds; i++)
        if (def->sounds[i].model == SOUND_ICH9) {
            r = place_if_free(map, refs, n, &def->sounds[i].info, 0x1b, 0);
            break;
        }
    return r;
}

/* ---- the others ---- */

/* Root ports share slots, eight to one. */
static bool find_shared(const Map *map, const DeviceRef *ref, PciAddress *ret) {
    if (!(ref->connect & PCI_CONNECT_ROOT_PORT))
        return false;
    for (unsigned bus = 0; bus < map->n; bus++)
        for (unsigned slot = map->buses[bus].first;
             map->buses[bus].accepts & ref->connect && slot <= map->buses[bus].last; slot++) {
            const Bus *at = &map->buses[bus];
            const DeviceRef *first = at->owner[slot][0];

            if (!at->aggregated[slot] || at->used[slot] == 0xff || !first ||
                first->info->address.pci.multifunction == TRISTATE_NO)
                continue;
            for (unsigned function = 0; function < 8; function++)
                if (is_free(map, bus, slot, function)) {
                    *ret = (PciAddress){.bus = bus, .slot = slot, .function = function};
                    return true;
                }
        }
    return false;
}

static bool find_slot(const Map *map, unsigned connect, PciAddress *ret) {
    for (unsigned bus = 0; bus < map->n; bus++) {
        const Bus *at = &map->buses[bus];

        if (!at->exists || !(at->accepts & connect))
            continue;
        for (unsigned slot = at->first; slot <= at->last; slot++)
            if (!at->used[slot]) {
                *ret = (PciAddress){.bus = bus, .slot = slot};
                return true;
            }
    }
    return false;
}

/* A bus that is missing for such a device. */
static const char *missing_bus(const Map *map, unsigned connect) {
    if (!map->express)
        return "pci-bridge";
    return connect & (PCI_CONNECT_DEVICE | PCI_CONNECT_BRIDGE) ? "pcie-to-pci-bridge"
                                                               : "pcie-root-port";
}

/* A bridge wants a port for itself, which is before it. */
static int add_missing(DomainDef *def, const char *model, unsigned bus, bool with_port) {
    if (with_port && !domain_def_add_controller(def, CONTROLLER_PCI, (int)bus++, "pcie-root-port"))
        return -ENOMEM;
    return bus < BUSES_MAX && !domain_def_add_controller(def, CONTROLLER_PCI, (int)bus, model)
               ? -ENOMEM
               : 0;
}

static int count_buses(const DomainDef *def, unsigned *ret, Error **reterr) {
    *ret = 1;
    for (size_t i = 0; i < def->n_controllers; i++) {
        const ControllerDef *controller = &def->controllers[i];

        if (controller->type != CONTROLLER_PCI)
            continue;
        if (controller->index >= (int)BUSES_MAX)
            return error_report(reterr, FROM_DOMAIN, ERROR_XML,
                                "PCI controller index %d is too high, the maximum is %u",
                                controller->index, BUSES_MAX - 1);
        *ret = MAX_OF(*ret, (unsigned)controller->index + 1);
    }
    return 0;
}

static int init_map(Map *map) {
    DomainDef *def = map->def;
    int r = count_buses(def, &map->n, map->reterr);

    if (r < 0)
        return r;
    map->buses = calloc(map->n, sizeof(Bus));
    if (!map->buses || domain_def_pci_devices(def, &map->refs, &map->n_refs) < 0)
        return error_no_memory(map->reterr);
    map->had = calloc(map->n_refs + 1, sizeof(DeviceAddress));
    if (!map->had)
        return error_no_memory(map->reterr);
    for (size_t i = 0; i < map->n_refs; i++)
        map->had[i] = map->refs[i].info->address;
    for (size_t i = 0; i < def->n_controllers; i++)
        if (def->controllers[i].type == CONTROLLER_PCI)
            set_bus(&map->buses[def->controllers[i].index], def->controllers[i].model);
    map->express = map->buses[0].accepts & PCI_CONNECT_ROOT_PORT;
    return 0;
}

/* What a try that comes to nothing has written down. */
static void take_back(Map *map) {
    for (size_t i = 0; map->had && i < map->n_refs; i++)
        map->refs[i].info->address = map->had[i];
}

/* A bus that is between others, or that a given address speaks of, and is not there; or 0. */
static unsigned named_bus(const Map *map, const DeviceRef *refs, size_t n) {
    unsigned max = map->n - 1;

    for (size_t i = 0; i < n; i++)
        if (!needs_address(&refs[i]) && !refs[i].info->address.pci.domain)
            max = MAX_OF(max, refs[i].info->address.pci.bus);
    for (unsigned bus = 1; bus <= max && bus < BUSES_MAX; bus++)
        if (bus >= map->n || !map->buses[bus].exists)
            return bus;
    return 0;
}

/* Functions of one USB 2 controller share a slot. */
static bool find_companion(const Map *map, const DeviceRef *ref, PciAddress *ret) {
    const ControllerDef *controller = map->def->controllers + ref->index;
    const char *model;
    unsigned function;

    if (!streq(ref->kind, "controller") || controller->type != CONTROLLER_USB)
        return false;
    model = controller->model;
    if (!model || strncmp(model, "ich9-", 5) != 0)
        return false;
    function = streq(model, "ich9-ehci1") ? 7 : (unsigned)(model[strlen(model) - 1] - '1');
    for (size_t i = 0; i < map->def->n_controllers; i++) {
        const ControllerDef *other = &map->def->controllers[i];
        const PciAddress *at = &other->info.address.pci;

        if (other != controller && other->type == CONTROLLER_USB &&
            other->index == controller->index && other->info.address.type == ADDRESS_PCI &&
            !pci_address_is_empty(at) && is_free(map, at->bus, at->slot, function)) {
            *ret = (PciAddress){.bus = at->bus, .slot = at->slot, .function = function};
            return true;
        }
    }
    return find_slot(map, ref->connect, ret) && ((ret->function = function), true);
}

/* A slot's first function says whether there are more. */
static void set_multifunction(Map *map) {
    for (unsigned bus = 0; bus < map->n; bus++)
        for (unsigned slot = 0; slot < SLOTS; slot++) {
            const DeviceRef *first = map->buses[bus].owner[slot][0];

            if (first && map->buses[bus].aggregated[slot] && map->buses[bus].used[slot] != 1 &&
                first->info->address.pci.multifunction == TRISTATE_ABSENT)
                first->info->address.pci.multifunction = TRISTATE_YES;
        }
}

/* One try: *ret_model is the controller to add, as *ret_bus, before everything is looked at anew;
 * NULL when all have their places. */
static int try_all(Map *map, bool spare, const char **ret_model, unsigned *ret_bus) {
    int r = init_map(map);
    DeviceRef *refs = map->refs;
    const size_t n = map->n_refs;
    PciAddress at;

    *ret_model = NULL;
    if (r < 0)
        return r;
    *ret_bus = named_bus(map, refs, n);
    if (*ret_bus) {
        *ret_model = map->express ? "pcie-root-port" : "pci-bridge";
        return 0;
    }
    *ret_bus = map->n;
    for (size_t i = 0; i < n && r >= 0; i++)
        if (!needs_address(&refs[i]))
            r = reserve(map, &refs[i], &refs[i].info->address.pci);
    if (r >= 0 && domain_def_is_i440fx(map->def))
        r = place_i440fx(map, refs, n);
    if (r >= 0 && domain_def_is_q35(map->def))
        r = place_q35(map, refs, n);
    for (size_t i = 0; i < n && r >= 0; i++) {
        if (!needs_address(&refs[i]))
            continue;
        if (!find_companion(map, &refs[i], &at) && !find_shared(map, &refs[i], &at) &&
            !find_slot(map, refs[i].connect, &at)) {
            *ret_model = missing_bus(map, refs[i].connect);
            return 0;
        }
        r = place(map, &refs[i], at.bus, at.slot, at.function);
        if (refs[i].info->has_master && at.function == 0)
            refs[i].info->address.pci.multifunction = TRISTATE_YES;
    }
    if (r >= 0 && spare && map->express && !find_slot(map, PCI_CONNECT_EXPRESS, &at))
        *ret_model = "pcie-root-port";
    if (r >= 0 && !*ret_model)
        set_multifunction(map);
    return r;
}

/* QEMU's name of a bridge. */
static int name_model(ControllerDef *controller) {
    static const char *const rows[][2] = {{"pcie-root-port", "pcie-root-port"},
                                          {"pci-bridge", "pci-bridge"},
                                          {"dmi-to-pci-bridge", "i82801b11-bridge"},
                                          {"pcie-to-pci-bridge", "pcie-pci-bridge"},
                                          {"pcie-switch-upstream-port", "x3130-upstream"},
                                          {"pcie-switch-downstream-port", "xio3130-downstream"},
                                          {"pci-expander-bus", "pxb"},
                                          {"pcie-expander-bus", "pxb-pcie"}};

    for (size_t i = 0; i < ARRAY_SIZE(rows) && !controller->pci_model; i++)
        if (streq(controller->model, rows[i][0])) {
            controller->pci_model = strdup(rows[i][1]);
            return controller->pci_model ? 0 : -ENOMEM;
        }
    return 0;
}

static int finish_controllers(DomainDef *def) {
    for (size_t i = 0; i < def->n_controllers; i++) {
        ControllerDef *controller = &def->controllers[i];
        const PciAddress *address = &controller->info.address.pci;

        if (controller->type != CONTROLLER_PCI || !controller->model)
            continue;
        if (name_model(controller) < 0)
            return -ENOMEM;
        if (streq(controller->model, "pcie-root-port") ||
            streq(controller->model, "pcie-switch-downstream-port")) {
            if (!controller->has_chassis)
                controller->chassis = (unsigned)controller->index;
            if (!controller->has_port)
                controller->port = (address->slot << 3) + address->function;
            controller->has_chassis = controller->has_port = true;
        }
        if (streq(controller->model, "pci-bridge") && !controller->has_chassis_nr) {
            controller->chassis_nr = (unsigned)controller->index;
            controller->has_chassis_nr = true;
        }
    }
    return 0;
}

static bool has_only_root(const DomainDef *def) {
    for (size_t i = 0; i < def->n_controllers; i++)
        if (def->controllers[i].type == CONTROLLER_PCI && def->controllers[i].index > 0)
            return false;
    return true;
}

int addresses_assign_pci(DomainDef *def, Error **reterr) {
    bool spare = has_only_root(def); /* then one port is left free for a plug */

    if (!domain_def_controller(def, CONTROLLER_PCI, 0))
        return 0;
    for (unsigned tries = 0; tries <= BUSES_MAX; tries++) {
        CLEANUP(map_done) Map map = {.def = def, .reterr = reterr};
        const char *model = NULL;
        unsigned bus = 0;
        PciAddress free_port;
        int r = try_all(&map, spare, &model, &bus);

        if (r >= 0 && !model)
            return finish_controllers(def) < 0 ? error_no_memory(reterr) : 0;
        take_back(&map);
        if (r < 0)
            return r;
        if (add_missing(def, model, bus,
                        streq(model, "pcie-to-pci-bridge") && bus < BUSES_MAX - 1 &&
                            !find_slot(&map, PCI_CONNECT_EXPRESS_BRIDGE, &free_port)) < 0)
            return error_no_memory(reterr);
    }
    return error_report(reterr, FROM_DOMAIN, ERROR_INTERNAL, "No more available PCI slots");
}
