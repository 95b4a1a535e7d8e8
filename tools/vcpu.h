/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vCPU counts and CPU maps, which several commands ask for. */
#pragma once

#include "vireo.h"

#define VCPUS_MAX 16384

/* How many CPUs the host has, which sizes all maps; says what is wrong when negative. */
int vcpu_host_cpus(Tool *tool);
static inline size_t vcpu_map_len(int n_cpus) {
    return ((size_t)n_cpus + 7) / 8;
}

/* How many vCPUs `flags` (VCPU_*) mean. */
int vcpu_get_count(Tool *tool, const remote_domain *dom, unsigned flags, Error **reterr);
/* A call that takes a domain and answers a number; negative when it cannot. */
int vcpu_ask(Tool *tool, int procedure, const remote_domain *dom);

/* The maps that were asked for, of vCPU 0 .. n-1 (fewer when the domain has fewer). Flags: 0, live
 * or config. */
int vcpu_get_pins(Tool *tool, const remote_domain *dom, int n, int n_cpus, unsigned flags,
                  remote_domain_get_vcpu_pin_info_ret *ret, Error **reterr);
/* vCPU `id`'s map in there, or NULL. */
const uint8_t *vcpu_pin_of(const remote_domain_get_vcpu_pin_info_ret *pins, size_t id,
                           size_t map_len);
static inline void vcpu_pins_done(remote_domain_get_vcpu_pin_info_ret *pins) {
    xdr_free((xdrproc_t)xdr_remote_domain_get_vcpu_pin_info_ret, (char *)pins);
}
