/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <rng>. */
#pragma once

#include "conf/chardev.h"

typedef enum RngBackend { RNG_RANDOM, RNG_EGD, RNG_BUILTIN, RNG_BACKEND_MAX_ } RngBackend;

typedef struct RngDef {
    char *model; /* virtio, ... */
    RngBackend backend_model;
    char *backend; /* random: /dev/urandom, /dev/random, ... */
    ChardevSource egd;
    unsigned rate_bytes, rate_period_ms; /* 0: no limit */
    VirtioOptions virtio;
    DeviceInfo info;
} RngDef;

extern const Element rng_element;
