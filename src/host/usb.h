/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* USB devices of the host, as sysfs has them. */
#pragma once

#include "util/macro.h"

/* Which one is wanted: by its ids, by its place, or by both. */
typedef struct UsbWanted {
    bool has_id, has_place;
    unsigned vendor, product, bus, device;
} UsbWanted;

typedef struct UsbPlace {
    unsigned bus, device; /* /dev/bus/usb/BUS/DEVICE */
} UsbPlace;

/* How many there are; the place of one of them in *ret. root: "" of this host, or the directory
 * that has its "sys". A host without USB has none. -errno of a directory that cannot be read. Reads
 * many files: on a worker. */
int usb_find(const char *root, const UsbWanted *wanted, UsbPlace *ret);
