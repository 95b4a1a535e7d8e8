/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How the host's CPUs are arranged, from sysfs, as libvirt counts it. */
#pragma once

#include "util/error.h"

typedef struct HostTopology {
    unsigned online;  /* CPUs */
    unsigned nodes;   /* of memory */
    unsigned sockets; /* of a node, of the one with the most; so the two below */
    unsigned cores;   /* of a socket */
    unsigned threads; /* of a core */
} HostTopology;

/* Reads it below `sysfs` ("/sys" when NULL); blocks: on a worker. Where the product of the four is
 * not the number of CPUs that are present, as with one that is offline, the host is said to have
 * one node and one socket with so many cores. What cannot be read counts as 1; no error but
 * -ENOMEM. */
int host_topology_read(const char *sysfs, HostTopology *ret);
