/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* USDT probes (sys/sdt.h): places at which gdb, bpftrace, systemtap or perf can look at a running
 * vireod. The monitor's have the names and arguments of libvirt's, with the provider "vireo"
 * instead of "libvirt"; the list is in HACKING.md. A probe nobody watches is one no-op instruction.
 *
 * PROBE_WANTED(name) says whether somebody watches, for arguments that cost something; the tools
 * count that in a semaphore, which DEFINE_PROBE gives each probe of a file. */
#pragma once

#define _SDT_HAS_SEMAPHORES 1
#include <sys/sdt.h>

#define DEFINE_PROBE(name)                                                                         \
    __extension__ static volatile unsigned short vireo_##name##_semaphore                          \
        __attribute__((used, section(".probes")))

#define PROBE_WANTED(name) __builtin_expect(vireo_##name##_semaphore != 0, 0)
#define PROBE2(name, a, b) STAP_PROBE2(vireo, name, a, b)
#define PROBE3(name, a, b, c) STAP_PROBE3(vireo, name, a, b, c)
#define PROBE5(name, a, b, c, d, e) STAP_PROBE5(vireo, name, a, b, c, d, e)
