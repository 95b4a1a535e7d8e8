/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices of the host that come and go: the kernel's news of any are the sign to look at all, and
 * what differs from the last look is told to the clients that registered for it. */
#pragma once

#include "daemon.h"

typedef struct NodeWatch NodeWatch;

/* From the first registration on; later ones find it there. The kernel is listened to before the
 * first look is taken. On a fiber. */
int node_watch_start(Daemon *daemon, Error **reterr);
void node_watch_free(NodeWatch *watch);
