/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "conf/device-info.h"

#include <ctype.h>

#include <stdio.h>

const Words device_address_types = WORDS("", "pci", "drive", "virtio-serial", "ccid", "usb",
                                         "spapr-vio", "virtio-s390", "ccw", "virtio-mmio", "isa",
                                         "dimm", "unassigned");

static const Field zpci_fields[] = {
    FIELD_UINT("@uid", PciAddress, zpci_uid, 0, 0xffff, .hex = 4, .flags = FIELD_ANY_BASE,
               FIELD_GIVEN(PciAddress, has_zpci_uid)),
    FIELD_UINT("@fid", PciAddress, zpci_fid, 0, UINT32_MAX, .hex = 8, .flags = FIELD_ANY_BASE,
               FIELD_GIVEN(PciAddress, has_zpci_fid)),
    FIELD_END};

#define PCI_PART(name, member, high, digits)                                                       \
    FIELD_UINT(name, PciAddress, member, 0, high, .hex = digits,                                   \
               .flags = FIELD_ANY_BASE | FIELD_ALWAYS)

const Field pci_address_fields[] = {
    PCI_PART("@domain", domain, 0xffffffffu, 4),
    PCI_PART("@bus", bus, 0xff, 2),
    PCI_PART("@slot", slot, 0x1f, 2),
    PCI_PART("@function", function, 7, 1),
    FIELD_ON_OFF("@multifunction", PciAddress, multifunction),
    FIELD_GROUP("zpci", zpci_fields, FIELD_GIVEN(PciAddress, has_zpci)),
    FIELD_END};

static const Field pci_fields[] = {FIELD_PART(NULL, DeviceAddress, pci, pci_address_fields),
                                   FIELD_END};

#define NUMBER(name, member)                                                                       \
    FIELD_UINT(name, DeviceAddress, member, 0, UINT32_MAX, .flags = FIELD_ANY_BASE | FIELD_ALWAYS)

static const Field drive_fields[] = {NUMBER("@controller", controller), NUMBER("@bus", bus),
                                     NUMBER("@target", target), NUMBER("@unit", unit), FIELD_END};
static const Field virtio_serial_fields[] = {NUMBER("@controller", controller), NUMBER("@bus", bus),
                                             NUMBER("@port", port), FIELD_END};
static const Field ccid_fields[] = {NUMBER("@controller", controller), NUMBER("@slot", slot),
                                    FIELD_END};
static const Field usb_fields[] = {NUMBER("@bus", bus),
                                   FIELD_TEXT("@port", DeviceAddress, usb_port), FIELD_END};
static const Field spapr_fields[] = {FIELD_UINT("@reg", DeviceAddress, reg, 0, UINT64_MAX, .hex = 8,
                                                .flags = FIELD_ANY_BASE,
                                                FIELD_GIVEN(DeviceAddress, has_reg)),
                                     FIELD_END};
static const Field ccw_fields[] = {
    FIELD_UINT("@cssid", DeviceAddress, cssid, 0, 0xfe, .hex = 1, .flags = FIELD_ANY_BASE,
               FIELD_GIVEN(DeviceAddress, has_ccw)),
    FIELD_UINT("@ssid", DeviceAddress, ssid, 0, 3, .hex = 1, .flags = FIELD_ANY_BASE,
               FIELD_GIVEN(DeviceAddress, has_ccw)),
    FIELD_UINT("@devno", DeviceAddress, devno, 0, 0xffff, .hex = 4, .flags = FIELD_ANY_BASE,
               FIELD_GIVEN(DeviceAddress, has_ccw)),
    FIELD_END};
static const Field isa_fields[] = {
    FIELD_UINT("@iobase", DeviceAddress, iobase, 0, UINT32_MAX, .hex = 1, .flags = FIELD_ANY_BASE),
    FIELD_UINT("@irq", DeviceAddress, irq, 0, UINT32_MAX, .hex = 1, .flags = FIELD_ANY_BASE),
    FIELD_END};
static const Field dimm_fields[] = {NUMBER("@slot", slot),
                                    FIELD_UINT("@base", DeviceAddress, base, 0, UINT64_MAX,
                                               .hex = 1, .flags = FIELD_ANY_BASE,
                                               FIELD_GIVEN(DeviceAddress, has_base)),
                                    FIELD_END};

static const Field *const address_kinds[ADDRESS_TYPE_MAX_] = {
    [ADDRESS_PCI] = pci_fields,   [ADDRESS_DRIVE] = drive_fields,
    [ADDRESS_USB] = usb_fields,   [ADDRESS_VIRTIO_SERIAL] = virtio_serial_fields,
    [ADDRESS_CCID] = ccid_fields, [ADDRESS_SPAPR_VIO] = spapr_fields,
    [ADDRESS_CCW] = ccw_fields,   [ADDRESS_ISA] = isa_fields,
    [ADDRESS_DIMM] = dimm_fields};

static const Field device_address_fields[] = {
    FIELD_WORD("@type", DeviceAddress, type, device_address_types),
    FIELD_SWITCH(NULL, DeviceAddress, type, address_kinds), FIELD_END};

bool device_alias_is_users(const char *alias) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "-_";

    return alias && strncmp(alias, "ua-", 3) == 0 && strspn(alias, allowed) == strlen(alias);
}

static int read_alias(ElementReader *reader, xmlNodePtr node, void *object) {
    DeviceInfo *info = object;
    CLEANUP_FREE char *name = NULL;
    int r = element_attribute(reader, node, "name", &name);

    if (r >= 0 && (reader->live || device_alias_is_users(name))) {
        free(info->alias);
        info->alias = TAKE_PTR(name);
    }
    return r;
}

static void write_alias(ElementWriter *w, const void *object) {
    const DeviceInfo *info = object;

    if (!w->live && !device_alias_is_users(info->alias))
        return;
    writer_open(w, "alias");
    writer_attribute(w, "name", info->alias);
    writer_close(w, false);
}

#define ALIAS                                                                                      \
    FIELD_STORED(DeviceInfo, alias, .flags = FIELD_UNCOMPARED),                                    \
        FIELD_CODE("alias", read_alias, write_alias)
#define ADDRESS FIELD_PART("address", DeviceInfo, address, device_address_fields)

#define ACPI FIELD_UINT("acpi@index", DeviceInfo, acpi_index, 0, UINT32_MAX)

const Field device_info_fields[] = {ALIAS, ACPI, ADDRESS, FIELD_END};

static int check_loadparm(ElementReader *reader, xmlNodePtr node, void *object) {
    for (char *at = ((DeviceInfo *)object)->loadparm; at && *at; at++)
        *at = (char)toupper((unsigned char)*at);
    return 0;
}

static const Field boot_fields[] = {FIELD_UINT("@order", DeviceInfo, boot_order, 1, INT32_MAX),
                                    FIELD_TEXT("@loadparm", DeviceInfo, loadparm),
                                    FIELD_CODE(NULL, check_loadparm, NULL), FIELD_END};
static const Field rom_fields[] = {
    FIELD_YESNO("@enabled", DeviceInfo, rom_enabled), FIELD_ON_OFF("@bar", DeviceInfo, rom_bar),
    FIELD_TEXT("@file", DeviceInfo, rom_file, .flags = FIELD_EMPTY), FIELD_END};

const Field device_info_full_fields[] = {FIELD_GROUP("boot", boot_fields),
                                         ALIAS,
                                         FIELD_UINT("master@startport", DeviceInfo, master_port, 0,
                                                    255, FIELD_GIVEN(DeviceInfo, has_master)),
                                         FIELD_GROUP("rom", rom_fields),
                                         ACPI,
                                         ADDRESS,
                                         FIELD_END};

const Field virtio_fields[] = {FIELD_ON_OFF("@iommu", VirtioOptions, iommu),
                               FIELD_ON_OFF("@ats", VirtioOptions, ats),
                               FIELD_ON_OFF("@packed", VirtioOptions, packed),
                               FIELD_ON_OFF("@page_per_vq", VirtioOptions, page_per_vq), FIELD_END};

void pci_address_format(const PciAddress *address, char text[PCI_ADDRESS_TEXT_SIZE]) {
    snprintf(text, PCI_ADDRESS_TEXT_SIZE, "%04x:%02x:%02x.%x", address->domain, address->bus,
             address->slot, address->function);
}

bool pci_address_is_empty(const PciAddress *address) {
    return !address->domain && !address->bus && !address->slot;
}

bool pci_address_equal(const PciAddress *a, const PciAddress *b) {
    return a->domain == b->domain && a->bus == b->bus && a->slot == b->slot &&
           a->function == b->function;
}
