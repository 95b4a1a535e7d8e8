/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bridges of the kernel's, made and given addresses: bridge(8)'s work by the old ioctls, which need
 * no program. On the worker pool. */
#pragma once

#include "util/error.h"

typedef struct BridgeAddress {
    const char *address; /* text, IPv6 when it has a colon */
    unsigned prefix;
} BridgeAddress;

typedef struct BridgeParams {
    const char *name;
    const uint8_t *mac; /* NULL: the kernel's */
    unsigned mtu;       /* 0: the kernel's */
    bool stp;
    unsigned delay; /* seconds */
    const BridgeAddress *addresses;
    size_t n_addresses;
} BridgeParams;

/* Makes it and sets it up; nothing is left after an error. */
int bridge_make(const BridgeParams *params, Error **reterr);
/* 0 also when it is gone. -errno. */
int bridge_remove(const char *name);
