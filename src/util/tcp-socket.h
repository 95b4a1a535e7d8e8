/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TCP stream sockets by host and port. All have close-on-exec, send small packets at once, and
 * notice within two minutes that the other host has gone without a word. */
#pragma once

#include "util/macro.h"

/* A numeric address, IPv4 or IPv6, of this host alone. */
bool tcp_socket_is_loopback(const char *address);
/* A socket that does not block, listening at a numeric address. -EINVAL: it is none; -errno of
 * bind(2) or listen(2). */
int tcp_socket_listen(const char *address, unsigned port, int backlog, int *ret);
/* Blocks, so many seconds for each address of the host at most. The socket blocks, too.
 * -EADDRNOTAVAIL with *ret_why: the host is not known, in getaddrinfo's words; -errno of connect(2)
 * otherwise. */
int tcp_socket_connect(const char *host, const char *port, unsigned seconds, int *ret,
                       const char **ret_why);
/* What is said above, of a socket that was accepted. */
void tcp_socket_tune(int fd);
/* Has it notice within half a minute: of one on which little is said and much is waited for. */
void tcp_socket_tune_impatient(int fd);
