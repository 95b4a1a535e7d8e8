/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <vsock>. */
#pragma once

#include "conf/device-info.h"

typedef struct VsockDef {
    char *model;
    Tristate automatic;
    unsigned cid;
    VirtioOptions virtio;
    DeviceInfo info;
} VsockDef;

extern const Element vsock_element;
