/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <shmem>: memory shared with other guests or with the host. */
#pragma once

#include "conf/device-info.h"

typedef struct ShmemDef {
    char *name, *role, *model;
    uint64_t size; /* bytes */
    char *server;
    bool has_server;
    unsigned vectors;
    Tristate ioeventfd;
    bool has_msi;
    DeviceInfo info;
} ShmemDef;

extern const Element shmem_element;
