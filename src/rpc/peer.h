/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is at the other end of a connection, as the kernel knows him: of a unix socket by its
 * credentials, of TCP by its address. A TCP connection of this host with itself has an owner, too:
 * the user whose socket the other end is. */
#pragma once

#include <netinet/in.h>
#include <sys/types.h>

#include "util/macro.h"

#define RPC_PEER_NOBODY ((uid_t)-1) /* no user's number */
#define RPC_PEER_TEXT_SIZE 80u

typedef struct RpcPeer {
    uid_t uid;                   /* RPC_PEER_NOBODY: not known */
    gid_t gid;                   /* -1: not known */
    pid_t pid;                   /* -1: not known */
    char host[INET6_ADDRSTRLEN]; /* numeric; "" of a unix socket */
    unsigned port;
    char text[RPC_PEER_TEXT_SIZE]; /* "user 1000 (process 4711)", or "192.0.2.1 port 4711" */
} RpcPeer;

/* Asks the kernel now; what it does not say is not known. -ENOTCONN: it has gone already. */
int rpc_peer_look(int fd, RpcPeer *ret);
