/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's devices as sysfs has them: read only. Names are libvirt's: "pci_0000_00_02_0",
 * "net_eth0_52_54_00_11_11_11", "block_sda_SERIAL"; whatever is not a letter or digit is '_'.
 * All of it reads many files: on a worker. */
#pragma once

#include "util/macro.h"

/* virConnectListAllNodeDeviceFlags: bit n is that of kind n. */
typedef enum NodeDeviceKind {
    NODE_DEVICE_SYSTEM = 0,
    NODE_DEVICE_PCI = 1,
    NODE_DEVICE_USB = 2,
    NODE_DEVICE_USB_INTERFACE = 3,
    NODE_DEVICE_NET = 4,
    NODE_DEVICE_SCSI_HOST = 5,
    NODE_DEVICE_SCSI_TARGET = 6,
    NODE_DEVICE_SCSI = 7,
    NODE_DEVICE_STORAGE = 8,
    NODE_DEVICE_SCSI_GENERIC = 11,
    NODE_DEVICE_DRM = 12,
    NODE_DEVICE_KIND_MAX = 22, /* with those that are never found here */
} NodeDeviceKind;

typedef struct NodeDevice {
    char *name;
    char *path; /* "/sys/devices/..."; the computer itself: "" */
    NodeDeviceKind kind;
} NodeDevice;

typedef struct NodeDevices {
    NodeDevice *list; /* by name; the computer is always there */
    size_t n;
} NodeDevices;

/* Words of the kinds: "pci", "usb_device". */
extern const char *const node_device_kinds[NODE_DEVICE_KIND_MAX];

/* root: "" of this host, or the directory that has its "sys". -ENOMEM; a class that is not there
 * has no devices. */
int node_devices_read(const char *root, NodeDevices *ret);
void node_devices_done(NodeDevices *devices);
#define CLEANUP_NODE_DEVICES CLEANUP(node_devices_done)
/* Borrowed, or NULL. */
const NodeDevice *node_devices_find(const NodeDevices *devices, const char *name);
/* The device it is plugged into, at last the computer; NULL of that one. */
const NodeDevice *node_devices_parent(const NodeDevices *devices, const NodeDevice *device);

/* The text of a file of the device without white space at its end; NULL when there is none, or no
 * memory. Caller frees. */
char *node_device_attribute(const NodeDevice *device, const char *name);
/* The last part of where a link of the device leads ("driver"); NULL as above. Caller frees. */
char *node_device_link(const NodeDevice *device, const char *name);
/* A value of the device's "uevent" ("DEVNAME"), else of udev's data base ("ID_SERIAL"); NULL as
 * above. Caller frees. */
char *node_device_property(const NodeDevice *device, const char *key);
