/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What devices have in common: alias, address, boot order, ROM, virtio options. */
#pragma once

#include "conf/element.h"

typedef enum AddressType {
    ADDRESS_NONE,
    ADDRESS_PCI,
    ADDRESS_DRIVE,
    ADDRESS_VIRTIO_SERIAL,
    ADDRESS_CCID,
    ADDRESS_USB,
    ADDRESS_SPAPR_VIO,
    ADDRESS_VIRTIO_S390,
    ADDRESS_CCW,
    ADDRESS_VIRTIO_MMIO,
    ADDRESS_ISA,
    ADDRESS_DIMM,
    ADDRESS_UNASSIGNED,
    ADDRESS_TYPE_MAX_
} AddressType;

typedef struct PciAddress {
    unsigned domain, bus, slot, function;
    Tristate multifunction;
    bool has_zpci, has_zpci_uid, has_zpci_fid;
    unsigned zpci_uid, zpci_fid;
} PciAddress;

/* Which members count is the type's business. */
typedef struct DeviceAddress {
    AddressType type;
    PciAddress pci;
    unsigned controller, bus, target, unit; /* drive; controller also virtio-serial, ccid */
    unsigned port;                          /* virtio-serial; 0: to be found */
    unsigned slot;                          /* ccid, dimm */
    char *usb_port;                         /* "1.2"; bus is the controller's index */
    bool has_reg, has_ccw, has_base;
    uint64_t reg;                /* spapr-vio */
    unsigned cssid, ssid, devno; /* ccw */
    unsigned iobase, irq;        /* isa */
    uint64_t base;               /* dimm */
} DeviceAddress;

typedef struct DeviceInfo {
    char *alias; /* a person's own, beginning with "ua-", or at run time the generated one */
    DeviceAddress address;
    unsigned boot_order; /* 0: none */
    char *loadparm;
    Tristate rom_bar, rom_enabled;
    char *rom_file;
    bool has_rom;
    unsigned acpi_index;
    bool has_master; /* <master startport=>: companion of a USB controller */
    unsigned master_port;
} DeviceInfo;

/* <driver iommu= ats= packed= page_per_vq=> of virtio devices. */
typedef struct VirtioOptions {
    Tristate iommu, ats, packed, page_per_vq;
} VirtioOptions;

extern const Words device_address_types;
extern const Field pci_address_fields[];      /* of PciAddress: domain to multifunction, zpci */
extern const Field device_info_fields[];      /* alias, address */
extern const Field device_info_boot_fields[]; /* boot, alias, rom, address */
extern const Field device_info_full_fields[]; /* boot, alias, master, rom, acpi, address */
extern const Field virtio_fields[];
#define FIELD_INFO(Type) FIELD_PART(NULL, Type, info, device_info_fields)
#define FIELD_INFO_BOOT(Type) FIELD_PART(NULL, Type, info, device_info_full_fields)
#define FIELD_VIRTIO(Type) FIELD_PART(NULL, Type, virtio, virtio_fields)

/* "0000:01:00.0" */
#define PCI_ADDRESS_TEXT_SIZE 32
void pci_address_format(const PciAddress *address, char text[PCI_ADDRESS_TEXT_SIZE]);
/* Nothing but zeros: to be allocated. */
bool pci_address_is_empty(const PciAddress *address);
bool pci_address_equal(const PciAddress *a, const PciAddress *b); /* domain, bus, slot, function */
bool device_alias_is_users(const char *alias);
