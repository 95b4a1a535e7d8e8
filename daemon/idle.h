/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A daemon that ends by itself once it has had nothing to do for a while: no client was connected,
 * no domain ran and none was changed. Off until it is asked for. */
#pragma once

#include "daemon.h"

/* From now on after so many seconds; 0: never. -ENOMEM: as before. */
int idle_set(Daemon *daemon, unsigned seconds);
/* Takes NULL. */
void idle_free(struct Idle *idle);
