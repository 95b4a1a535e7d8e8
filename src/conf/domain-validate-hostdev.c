/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices of the host: what belongs to which kind of them, and that none is there twice. */
#include <ctype.h>

#include "conf/addresses.h"
#include "conf/validate-rules.h"

#define WWPN_DIGITS 16u

static bool is_wwpn(const char *text) {
    size_t n = 0;

    if (strncmp(text, "naa.", 4) != 0)
        return false;
    for (text += 4; isxdigit((unsigned char)text[n]); n++)
        ;
    return n == WWPN_DIGITS && !text[n];
}

static bool is_same_hostdev(const HostdevDef *a, const HostdevDef *b) {
    if (a->mode != b->mode || a->type != b->type)
        return false;
    if (a->type == HOSTDEV_PCI)
        return pci_address_equal(&a->pci, &b->pci);
    if (a->type == HOSTDEV_USB)
        return a->usb_bus == b->usb_bus && a->usb_device == b->usb_device &&
               a->vendor == b->vendor && a->product == b->product;
    if (a->type == HOSTDEV_SCSI)
        return a->adapter && streq_ptr(b->adapter, a->adapter) && a->scsi_bus == b->scsi_bus &&
               a->scsi_target == b->scsi_target && a->scsi_unit == b->scsi_unit;
    if (a->type == HOSTDEV_SCSI_HOST)
        return a->wwpn && streq_ptr(b->wwpn, a->wwpn);
    return a->type == HOSTDEV_MDEV && streq_ptr(a->uuid, b->uuid);
}

static bool has_same_before(const DomainDef *def, size_t at) {
    for (size_t i = 0; i < at; i++)
        if (is_same_hostdev(&def->hostdevs[i], &def->hostdevs[at]))
            return true;
    return false;
}

static bool is_same_place(const DeviceAddress *a, const DeviceAddress *b) {
    return a->type == ADDRESS_DRIVE && b->type == ADDRESS_DRIVE && a->controller == b->controller &&
           a->bus == b->bus && a->target == b->target && a->unit == b->unit;
}

/* Whether a disk, or a host's device before it, is in its place. */
static bool has_taken_place(const DomainDef *def, size_t at) {
    const DeviceAddress *mine = &def->hostdevs[at].info.address;

    for (size_t i = 0; i < def->n_disks; i++)
        if (def->disks[i].bus == DISK_BUS_SCSI && is_same_place(&def->disks[i].info.address, mine))
            return true;
    for (size_t i = 0; i < at; i++)
        if (is_same_place(&def->hostdevs[i].info.address, mine))
            return true;
    return false;
}

static bool has_ramfb_before(const DomainDef *def, size_t at) {
    for (size_t i = 0; i < at; i++)
        if (def->hostdevs[i].ramfb == TRISTATE_YES)
            return true;
    return false;
}

static int check_hostdev(const DomainDef *def, size_t at, Error **reterr) {
    const HostdevDef *hostdev = &def->hostdevs[at];
    const DeviceInfo *info = &hostdev->info;
    const AddressType address = info->address.type;
    const bool mdev = hostdev->type == HOSTDEV_MDEV;
    const bool pci = mdev && streq_ptr(hostdev->model, "vfio-pci");
    const bool ap = mdev && streq_ptr(hostdev->model, "vfio-ap");
    const bool ccw = mdev && streq_ptr(hostdev->model, "vfio-ccw");
    const ValidateRule rules[] = {
        {hostdev->mode == HOSTDEV_CAPABILITIES, ERROR_CONFIG_UNSUPPORTED,
         "hostdev mode 'capabilities' is not supported in qemu"},
        {streq_ptr(hostdev->sgio, "unfiltered"), ERROR_CONFIG_UNSUPPORTED,
         "unfiltered sgio is no longer supported"},
        {hostdev->write_filtering != TRISTATE_ABSENT, ERROR_CONFIG_UNSUPPORTED,
         "Write filtering of PCI device configuration space is not supported by qemu"},
        {hostdev->teaming && hostdev->type != HOSTDEV_PCI, ERROR_CONFIG_UNSUPPORTED,
         "teaming is only supported for pci hostdev devices"},
        {hostdev->teaming && !streq(hostdev->teaming, "transient"), ERROR_CONFIG_UNSUPPORTED,
         "teaming hostdev devices must have type='transient'"},
        {hostdev->teaming && !hostdev->teaming_persistent, ERROR_CONFIG_UNSUPPORTED,
         "missing required persistent attribute in hostdev teaming element"},
        {has_same_before(def, at), ERROR_XML, "Hostdev already exists in the domain configuration"},
        {hostdev->type == HOSTDEV_SCSI_HOST && hostdev->wwpn && !is_wwpn(hostdev->wwpn), ERROR_XML,
         "malformed 'wwpn' value: it is 'naa.' and 16 hexadecimal digits"},
        {(ap || ccw) && !domain_def_is_s390(def), ERROR_CONFIG_UNSUPPORTED,
         "this model of mediated device is of s390 only"},
        {hostdev->type == HOSTDEV_MDEV && hostdev->display == TRISTATE_YES && !def->n_graphics,
         ERROR_CONFIG_UNSUPPORTED,
         "graphics device is needed for attribute value 'display=on' in <hostdev>"},
        {hostdev->type == HOSTDEV_PCI && address != ADDRESS_NONE && address != ADDRESS_PCI &&
             address != ADDRESS_UNASSIGNED && address != ADDRESS_VIRTIO_SERIAL,
         ERROR_INTERNAL, "PCI host devices must use 'pci' or 'unassigned' address type"},
        {hostdev->type == HOSTDEV_USB && address != ADDRESS_NONE && address != ADDRESS_USB &&
             address != ADDRESS_VIRTIO_SERIAL,
         ERROR_CONFIG_UNSUPPORTED, "USB host device must use 'usb' address type"},
        {has_taken_place(def, at), ERROR_CONFIG_UNSUPPORTED,
         "the SCSI host address of <address> is in use by another device"},
        {hostdev->type == HOSTDEV_SCSI_HOST && info->boot_order, ERROR_CONFIG_UNSUPPORTED,
         "booting from assigned devices is not supported by vhost SCSI devices"},
        {ap && info->boot_order, ERROR_CONFIG_UNSUPPORTED,
         "booting from assigned devices is not supported by mediated devices of this model"},
        {hostdev->ramfb == TRISTATE_YES && has_ramfb_before(def, at), ERROR_CONFIG_UNSUPPORTED,
         "Only one vgpu device can have 'ramfb' enabled"},
        {(pci && !validate_address_is(info, ADDRESS_PCI) &&
          info->address.type != ADDRESS_UNASSIGNED) ||
             (ccw && !validate_address_is(info, ADDRESS_CCW)),
         ERROR_XML, "Unsupported address type with this model of mediated device"},
    };

    return VALIDATE_RULES(rules, "hostdev", words_name(&hostdev_types, hostdev->type), reterr);
}

int validate_hostdevs(const DomainDef *def, Error **reterr) {
    int r = 0;

    for (size_t i = 0; i < def->n_hostdevs && r >= 0; i++)
        r = check_hostdev(def, i, reterr);
    return r;
}
