/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The admin program (libvirt's; virt-admin is its client): who is connected to this daemon, what
 * its clients may use, what it logs. It has a server and a socket of its own: its clients are no
 * clients of the machines, have limits of their own, and are root or the daemon's user; anybody
 * else is closed without an answer, whatever the socket's mode. */
#pragma once

#include "daemon.h"

/* The server for its connections; the daemon must outlive it. -ENOMEM. */
int admin_server_new(Daemon *daemon, RpcServer **ret);