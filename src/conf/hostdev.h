/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <hostdev>: a device of the host given to the guest. */
#pragma once

#include "conf/storage.h"

typedef enum HostdevMode { HOSTDEV_SUBSYSTEM, HOSTDEV_CAPABILITIES, HOSTDEV_MODE_MAX_ } HostdevMode;

typedef enum HostdevType {
    HOSTDEV_NONE_,
    HOSTDEV_USB,
    HOSTDEV_PCI,
    HOSTDEV_SCSI,
    HOSTDEV_SCSI_HOST,
    HOSTDEV_MDEV,
    HOSTDEV_STORAGE,
    HOSTDEV_MISC,
    HOSTDEV_NET,
    HOSTDEV_TYPE_MAX_
} HostdevType;

typedef struct HostdevDef {
    HostdevMode mode;
    HostdevType type;
    Tristate managed; /* written as yes or no always */
    char *sgio, *rawio;
    char *model;             /* mdev: vfio-pci, ...; scsi_host: virtio, ... */
    Tristate display, ramfb; /* mdev */
    char *driver;            /* pci: vfio, kvm */
    char *startup_policy;
    char *guest_reset;        /* usb */
    Tristate missing;         /* usb: it was not there at the start, and may be so */
    Tristate auto_address;    /* usb: the address is where it was found by its ids */
    bool usb_is_ours;         /* usb: it was found for this guest; in no text */
    Tristate write_filtering; /* pci */
    PciAddress pci;
    unsigned vendor, product; /* usb */
    bool has_vendor, has_product, has_usb_address;
    unsigned usb_bus, usb_device;
    char *adapter; /* scsi */
    unsigned scsi_bus, scsi_target, scsi_unit;
    bool has_scsi_address;
    char *protocol, *name, *wwpn; /* scsi iscsi; scsi_host vhost */
    StorageHost *hosts;
    size_t n_hosts;
    char *initiator;
    StorageAuth *auth;
    char *uuid;                          /* mdev */
    char *block, *character, *interface; /* capabilities */
    char *teaming, *teaming_persistent;
    bool readonly, shareable;
    DeviceInfo info;
} HostdevDef;

extern const Words hostdev_types;
extern const Element hostdev_element;
