/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TCP ports of this host: whether a server that is about to start can listen at one. */
#pragma once

#include "util/macro.h"

/* Binds and closes a socket. 1: free; 0: somebody has it. `address` is numeric, IPv4 or IPv6; a
 * name is not looked up, its ports are those of all IPv4 addresses. -EADDRNOTAVAIL: this host has
 * no such address; else -errno. Does not block. */
int tcp_port_is_free(const char *address, unsigned port);
