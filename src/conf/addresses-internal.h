/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The PCI buses of a definition and what of them is taken: a map for one pass over all devices. */
#pragma once

#include "conf/addresses.h"

/* Adds hubs where ports are too few. */
int addresses_assign_usb(DomainDef *def, Error **reterr);

#define PCI_BUSES_MAX 256u
#define PCI_SLOTS 32u

typedef struct PciBus {
    const char *model; /* NULL: there is none */
    unsigned accepts;  /* PCI_CONNECT_*, without being asked for this very bus */
    bool assignable;   /* devices may be placed here that nobody asked to be */
    unsigned first, last;
    uint8_t used[PCI_SLOTS];              /* a bit per function */
    bool aggregated[PCI_SLOTS];           /* of root ports that share the slot */
    const DeviceRef *owner[PCI_SLOTS][8]; /* NULL with the bit set: reserved */
} PciBus;

/* While `growing`, buses are added where a device finds none, and only what the chipset says is
 * written into the devices: it is how one finds out how many controllers are missing. */
typedef struct PciMap {
    DomainDef *def;
    PciBus *buses; /* PCI_BUSES_MAX */
    unsigned n;
    bool express, growing;
    Error **reterr;
} PciMap;

/* model is one of libvirt's words; unknown ones make a bus that accepts nothing. */
void pci_bus_init(PciBus *bus, const char *model);
bool pci_bus_is_full(const PciBus *bus);
/* What is added where slots of conventional PCI are too few. */
const char *pci_bridge_model(const DomainDef *def);
/* Nothing is on the slot. */
bool pci_slot_is_free(const PciMap *map, unsigned bus, unsigned slot);
/* Takes a given address. ERROR_XML when it is not there, or taken (both devices are named). */
int pci_reserve(PciMap *map, const DeviceRef *ref, PciAddress *address);
/* Takes the place on bus 0 and writes it down. */
int pci_place(PciMap *map, const DeviceRef *ref, unsigned slot, unsigned function);
/* Takes the next place for the device, which gets it unless the map is growing; `function` of a
 * slot with nothing on it. ERROR_INTERNAL when there is none. */
int pci_reserve_next(PciMap *map, const DeviceRef *ref, unsigned connect, unsigned function);
