/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <crypto>. */
#pragma once

#include "conf/device-info.h"

typedef struct CryptoDef {
    char *model, *type, *backend;
    unsigned queues;
    VirtioOptions virtio;
    DeviceInfo info;
} CryptoDef;

extern const Element crypto_element;
