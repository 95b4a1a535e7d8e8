/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Addresses of guests on the host's vsock. */
#pragma once

#include "util/macro.h"

/* Takes an address that no other guest has, for as long as the descriptor is open: `wanted`, or,
 * when that is 0, the first that is free from 3 on. -ENOENT when the kernel has no vhost-vsock,
 * -EADDRINUSE, -errno. */
int vsock_open(unsigned wanted, unsigned *ret_cid, int *ret_fd);
