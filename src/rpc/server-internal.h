/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A connection without a listener, for tests and fuzzing. */
#pragma once

#include "rpc/server.h"

/* Adds one connected socket as if it had been accepted; takes the fd. -EDQUOT: its user has none
 * left. */
int rpc_server_add_connection(RpcServer *server, int fd, bool readonly);
