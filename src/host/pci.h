/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PCI devices of the host that are given to a guest: taken from their driver and bound to vfio-pci,
 * and back (the kernel's Documentation/ABI/testing/sysfs-bus-pci). Waits for drivers: on the worker
 * pool.
 *
 * Addresses are "0000:01:00.0". */
#pragma once

#include "util/error.h"

#define PCI_DRIVER_SIZE 64u

typedef struct PciHost {
    const char *root; /* "/sys" */
    /* Writes the text to a file below the root; -errno. NULL: really. */
    int (*write)(const char *path, const char *text, void *userdata);
    void *userdata;
} PciHost;

extern const PciHost pci_this_host;

/* The driver of a device, "" when it has none. -ENODEV: there is no such device. */
int pci_driver(const PciHost *host, const char *address, char ret[PCI_DRIVER_SIZE]);
/* Binds it to vfio-pci; one that is bound so already stays as it is. What a failure of a later step
 * leaves is taken back. ERROR_CONFIG_UNSUPPORTED for a device or a driver that is not there. */
int pci_detach(const PciHost *host, const char *address, Error **reterr);
/* Gives it back to `driver`, or to none when that is "". A device that vfio-pci does not have
 * stays. */
int pci_reattach(const PciHost *host, const char *address, const char *driver);
