/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unix stream sockets by path. A path has at most 107 bytes (unix(7)): longer is -ENAMETOOLONG. */
#pragma once

#include <sys/types.h>

#include "util/macro.h"

#define UNIX_SOCKET_PATH_MAX 107u

/* A connected socket with close-on-exec, and `flags` (SOCK_NONBLOCK or 0). With SOCK_NONBLOCK a
 * listener whose queue is full is -EAGAIN. -errno of socket(2) or connect(2). */
int unix_socket_connect(const char *path, int flags, int *ret);
/* A socket with close-on-exec that does not block, listening in the place of whatever is at `path`,
 * with that file mode from the first connection on. The caller unlinks the path when it is no
 * longer wanted, also after an error. -errno. */
int unix_socket_listen(const char *path, mode_t mode, int backlog, int *ret);
