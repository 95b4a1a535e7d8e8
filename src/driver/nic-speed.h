/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The <bandwidth> of an interface. */
#pragma once

#include "conf/interface.h"
#include "domain/domain.h"

#define NIC_SPEEDS 7u

/* Names and places, in libvirt's order. */
typedef struct NicSpeed {
    const char *name; /* "inbound.average" */
    size_t offset;    /* in InterfaceDef, of 64 bits */
} NicSpeed;
extern const NicSpeed nic_speeds[NIC_SPEEDS];

typedef struct NicSpeedChange {
    const char *device; /* its MAC address or its host's end */
    bool given[NIC_SPEEDS];
    unsigned value[NIC_SPEEDS]; /* KiB/s, KiB */
} NicSpeedChange;

/* KiB/s, of a burst KiB; 0: no limit. */
uint64_t nic_speed(const InterfaceDef *nic, size_t i);
/* The interface of the definition that the flags mean; borrowed. */
int driver_find_nic(Domain *domain, const char *device, unsigned flags, const InterfaceDef **ret,
                    Error **reterr);
/* Takes the domain's job, on a fiber. */
int driver_set_nic_speed(Domain *domain, const NicSpeedChange *change, unsigned flags,
                         Error **reterr);
