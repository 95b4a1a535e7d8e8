/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest gets of this very host: its PCI devices, an address on its vsock, what its firmware
 * says of it. The errors name the domain. On a fiber. */
#pragma once

#include "driver/start-parts.h"

/* Managed devices are bound to vfio-pci, and noted; the others have to be. */
int prepare_pci_devices(Domain *domain, Error **reterr);
/* One of them, of a device that is attached. */
int prepare_pci(Domain *domain, const PciAddress *pci, bool managed, Error **reterr);
/* The controllers that an nvme disk, and what is below it, are namespaces of. */
int prepare_nvme_disk(Domain *domain, const DiskDef *disk, Error **reterr);
int prepare_vsock(Domain *domain, StartParts *parts, Error **reterr);
/* For <smbios mode='host'>. */
int prepare_sysinfo(Domain *domain, StartParts *parts, Error **reterr);
