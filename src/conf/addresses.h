/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which place each device has: PCI, drive, virtio-serial, USB, CCID, CCW. Given addresses are
 * honoured, the others get the lowest free ones in a fixed order, so that they do not change from
 * one start to the next. Controllers that are missing are added. */
#pragma once

#include "conf/domain-def.h"

/* A device in the order in which addresses are given. */
typedef struct DeviceRef {
    DeviceInfo *info;
    const char *kind; /* "disk", "interface", ... */
    size_t index;     /* in its list */
    unsigned connect; /* PCI_CONNECT_*; 0: no PCI device */
} DeviceRef;

typedef enum PciConnect {
    PCI_CONNECT_DEVICE = 1 << 0,         /* conventional PCI */
    PCI_CONNECT_EXPRESS = 1 << 1,        /* PCI Express */
    PCI_CONNECT_ROOT_PORT = 1 << 2,      /* goes on pcie-root itself */
    PCI_CONNECT_BRIDGE = 1 << 3,         /* a pci-bridge */
    PCI_CONNECT_EXPRESS_BRIDGE = 1 << 4, /* pcie-to-pci-bridge */
    PCI_CONNECT_DMI_BRIDGE = 1 << 5,     /* dmi-to-pci-bridge */
    PCI_CONNECT_SWITCH = 1 << 6,         /* upstream port of a switch */
    PCI_CONNECT_DOWNSTREAM = 1 << 7,
    PCI_CONNECT_EXPANDER = 1 << 8,
    PCI_CONNECT_EXPRESS_EXPANDER = 1 << 9,
    PCI_CONNECT_INTEGRATED = 1 << 10, /* with one of those above: on bus 0 only */
    PCI_CONNECT_FLAGS = PCI_CONNECT_INTEGRATED,
} PciConnect;

/* By os.machine and os.arch, as written or filled in. */
bool domain_def_is_q35(const DomainDef *def);
bool domain_def_is_i440fx(const DomainDef *def);
bool domain_def_is_x86(const DomainDef *def);
bool domain_def_is_s390(const DomainDef *def);
/* The machine 'virt' of ARM and RISC-V, with PCI Express. */
bool domain_def_is_virt(const DomainDef *def);

/* All devices that can have a PCI address (on s390 also those with a CCW one), in libvirt's order.
 * Caller frees. -ENOMEM. */
int domain_def_pci_devices(DomainDef *def, DeviceRef **ret, size_t *ret_n);
/* Whether a virtio disk, a model of a card ... is a PCI device at all: its address type is free. */
int addresses_assign_pci(DomainDef *def, Error **reterr);
/* SCSI devices of the host, and their controllers: before all others, as in libvirt. */
int addresses_assign_hostdevs(DomainDef *def, Error **reterr);
/* Drives, virtio-serial ports, USB, CCID. */
int addresses_assign_others(DomainDef *def, Error **reterr);
/* Buses that only certain machines have: CCW, spapr-vio, virtio-mmio. After the models of
 * controllers are filled in, and before PCI. */
int addresses_assign_system(DomainDef *def, Error **reterr);

/* A controller of this type and index, NULL when there is none. */
ControllerDef *domain_def_controller(const DomainDef *def, ControllerType type, int index);
/* Those of a type are in the order of their indexes. */
void domain_def_sort_controllers(DomainDef *def);
/* Adds it at the end. NULL: out of memory. model may be NULL. */
ControllerDef *domain_def_add_controller(DomainDef *def, ControllerType type, int index,
                                         const char *model);
