/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <hub>, <lease> and <nvram> among the devices. */
#pragma once

#include "conf/device-info.h"

typedef struct HubDef {
    char *type; /* usb */
    DeviceInfo info;
} HubDef;

typedef struct LeaseDef {
    char *lockspace, *key, *path;
    uint64_t offset;
} LeaseDef;

typedef struct NvramDef {
    DeviceInfo info;
} NvramDef;

extern const Element hub_element, lease_element, nvram_element;
