/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PCI buses: what fits where, what is taken, and which controller is missing for what does not fit.
 * The rules, and the order in which places are looked for, are libvirt's. */
#include <stdio.h>

#include "conf/addresses-internal.h"
#include "conf/machine.h"

void pci_bus_init(PciBus *bus, const char *model) {
    static const struct {
        const char *model;
        unsigned first, last, accepts;
        bool assignable;
    } rows[] = {
        {"pci-root", 1, 31, PCI_CONNECT_DEVICE | PCI_CONNECT_BRIDGE | PCI_CONNECT_EXPANDER, true},
        {"pcie-root", 1, 31,
         PCI_CONNECT_EXPRESS | PCI_CONNECT_ROOT_PORT | PCI_CONNECT_DMI_BRIDGE |
             PCI_CONNECT_EXPRESS_EXPANDER,
         false},
        {"pci-bridge", 1, 31, PCI_CONNECT_DEVICE | PCI_CONNECT_BRIDGE, true},
        {"dmi-to-pci-bridge", 0, 31, PCI_CONNECT_DEVICE | PCI_CONNECT_BRIDGE, false},
        {"pcie-to-pci-bridge", 1, 31, PCI_CONNECT_DEVICE | PCI_CONNECT_BRIDGE, true},
        {"pcie-root-port", 0, 0,
         PCI_CONNECT_EXPRESS | PCI_CONNECT_EXPRESS_BRIDGE | PCI_CONNECT_SWITCH, true},
        {"pcie-switch-upstream-port", 0, 31, PCI_CONNECT_DOWNSTREAM, false},
        {"pcie-switch-downstream-port", 0, 0,
         PCI_CONNECT_EXPRESS | PCI_CONNECT_EXPRESS_BRIDGE | PCI_CONNECT_SWITCH, true},
        {"pci-expander-bus", 0, 31, PCI_CONNECT_DEVICE | PCI_CONNECT_BRIDGE, true},
        {"pcie-expander-bus", 0, 31, PCI_CONNECT_ROOT_PORT | PCI_CONNECT_DMI_BRIDGE, false}};

    bus->model = model;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (streq_ptr(model, rows[i].model)) {
            bus->accepts = rows[i].accepts;
            bus->first = rows[i].first;
            bus->last = rows[i].last;
            bus->assignable = rows[i].assignable;
        }
}

bool pci_bus_is_full(const PciBus *bus) {
    for (unsigned slot = bus->first; slot <= bus->last; slot++)
        if (!bus->used[slot])
            return false;
    return true;
}

bool pci_slot_is_free(const PciMap *map, unsigned bus, unsigned slot) {
    return bus < map->n && map->buses[bus].model && !map->buses[bus].used[slot];
}

static void describe(const DeviceRef *ref, char text[64]) {
    if (ref)
        snprintf(text, 64, "<%s> number %zu", ref->kind, ref->index + 1);
    else
        snprintf(text, 64, "the machine itself");
}

static int clash(PciMap *map, const DeviceRef *ref, const PciAddress *address,
                 const DeviceRef *other) {
    char place[PCI_ADDRESS_TEXT_SIZE], mine[64], theirs[64];

    pci_address_format(address, place);
    describe(ref, mine);
    describe(other, theirs);
    return error_report(map->reterr, FROM_DOMAIN, ERROR_XML,
                        "Attempted double use of PCI Address %s: %s and %s both have it", place,
                        mine, theirs);
}

/* ---- controllers that are missing ---- */

const char *pci_bridge_model(const DomainDef *def) {
    const char *model = machine_traits(def)->pci_bridge;

    return model ? model : "pci-bridge";
}

static bool has_bus_for(const PciMap *map, unsigned connect) {
    for (unsigned bus = 0; bus < map->n; bus++)
        if (map->buses[bus].model && map->buses[bus].accepts & connect)
            return true;
    return false;
}

static int no_bus(PciMap *map, const DeviceRef *ref) {
    char mine[64];

    describe(ref, mine);
    return error_report(map->reterr, FROM_DOMAIN, ERROR_INTERNAL,
                        "a PCI slot is needed for %s, but none is available, and no controller "
                        "that has one can be added automatically",
                        mine);
}

/* Adds buses until there is bus number *bus. The first bridge of a PCI Express machine has a root
 * port to itself, before it, and *bus is one more then. */
static int grow(PciMap *map, const DeviceRef *ref, unsigned connect, unsigned *bus) {
    const char *model;

    if (connect & PCI_CONNECT_DEVICE) {
        model = pci_bridge_model(map->def);
        if (!has_bus_for(map, PCI_CONNECT_BRIDGE) && map->n + 1 < PCI_BUSES_MAX) {
            if (*bus == map->n)
                ++*bus;
            pci_bus_init(&map->buses[map->n], "pcie-root-port");
            map->buses[map->n++].accepts = PCI_CONNECT_EXPRESS_BRIDGE; /* for no other */
            pci_bus_init(&map->buses[map->n++], "pcie-to-pci-bridge");
        }
    } else if (connect & (PCI_CONNECT_EXPRESS | PCI_CONNECT_SWITCH)) {
        model = "pcie-root-port";
    } else {
        return no_bus(map, ref);
    }
    while (map->n <= *bus && map->n < PCI_BUSES_MAX)
        pci_bus_init(&map->buses[map->n++], model);
    return map->n > *bus ? 0 : no_bus(map, ref);
}

/* ---- places ---- */

static int take(PciMap *map, const DeviceRef *ref, unsigned connect, const PciAddress *address) {
    PciBus *bus = &map->buses[address->bus];

    if (bus->used[address->slot] & 1u << address->function)
        return clash(map, ref, address, bus->owner[address->slot][address->function]);
    if (!bus->used[address->slot] && connect & PCI_CONNECT_ROOT_PORT)
        bus->aggregated[address->slot] = true;
    bus->used[address->slot] |= (uint8_t)(1u << address->function);
    bus->owner[address->slot][address->function] = ref;
    return 0;
}

int pci_reserve(PciMap *map, const DeviceRef *ref, PciAddress *address) {
    /* Others may be where a person wants them. */
    static const unsigned only_there = PCI_CONNECT_EXPANDER | PCI_CONNECT_EXPRESS_EXPANDER |
                                       PCI_CONNECT_DMI_BRIDGE;
    char place[PCI_ADDRESS_TEXT_SIZE], mine[64];
    const PciBus *bus;
    int r;

    if (map->growing && !address->domain && address->bus >= map->n &&
        address->bus < PCI_BUSES_MAX) {
        r = grow(map, ref, ref->connect, &address->bus);
        if (r < 0)
            return r;
    }
    bus = address->bus < map->n ? &map->buses[address->bus] : NULL;
    pci_address_format(address, place);
    describe(ref, mine);
    if (address->domain || !bus || !bus->model)
        return error_report(map->reterr, FROM_DOMAIN, ERROR_XML,
                            "Invalid PCI address %s of %s: there is no such bus", place, mine);
    if (address->slot < bus->first || address->slot > bus->last)
        return error_report(map->reterr, FROM_DOMAIN, ERROR_XML,
                            "Invalid PCI address %s of %s: slot must be 0x%02x to 0x%02x", place,
                            mine, bus->first, bus->last);
    if (ref->connect & only_there && !(bus->accepts & ref->connect))
        return error_report(map->reterr, FROM_DOMAIN, ERROR_XML,
                            "The device at PCI address %s cannot be plugged into the PCI "
                            "controller with index='%u': %s needs one of another model",
                            place, address->bus, mine);
    return take(map, ref, ref->connect, address);
}

static void write_down(const DeviceRef *ref, const PciAddress *at) {
    PciAddress *address = &ref->info->address.pci;

    ref->info->address.type = ADDRESS_PCI;
    address->bus = at->bus;
    address->slot = at->slot;
    address->function = at->function;
}

int pci_place(PciMap *map, const DeviceRef *ref, unsigned slot, unsigned function) {
    PciAddress at = {.slot = slot, .function = function};

    write_down(ref, &at);
    return take(map, ref, ref->connect, &at);
}

static bool fits(const PciBus *bus, unsigned number, unsigned connect) {
    if (!bus->model || !(bus->accepts & connect & ~PCI_CONNECT_FLAGS))
        return false;
    if (connect & PCI_CONNECT_INTEGRATED)
        return number == 0;
    return bus->assignable || !(connect & (PCI_CONNECT_DEVICE | PCI_CONNECT_EXPRESS));
}

/* Root ports share slots, eight to one. */
static bool find_place(const PciBus *bus, unsigned connect, PciAddress *at) {
    for (unsigned slot = bus->first; slot <= bus->last; slot++) {
        at->slot = slot;
        if (!bus->used[slot])
            return true;
        if (!(connect & PCI_CONNECT_ROOT_PORT) || !bus->aggregated[slot])
            continue;
        for (unsigned function = 0; function < 8; function++)
            if (!(bus->used[slot] & 1u << function)) {
                at->function = function;
                return true;
            }
    }
    return false;
}

int pci_reserve_next(PciMap *map, const DeviceRef *ref, unsigned connect, unsigned function) {
    PciAddress at = {.function = function};
    bool found = false;
    int r;

    for (at.bus = 0; at.bus < map->n; at.bus++) {
        const PciBus *bus = &map->buses[at.bus];

        found = fits(bus, at.bus, connect) && find_place(bus, connect, &at);
        if (found)
            break;
    }
    if (!found) {
        if (!map->growing)
            return error_report(map->reterr, FROM_DOMAIN, ERROR_INTERNAL,
                                "No more available PCI slots: a root port or a bridge is missing");
        r = grow(map, ref, connect, &at.bus);
        if (r < 0)
            return r;
        at.slot = map->buses[at.bus].first;
    }
    if (ref && !map->growing)
        write_down(ref, &at);
    return take(map, ref, connect, &at);
}
