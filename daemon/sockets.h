/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sockets clients come to: made or taken over early, so that nobody is refused while the daemon
 * starts, and served once the guests have been found again. */
#pragma once

#include "daemon.h"

typedef enum DoorKind {
    DOOR_FULL,     /* may do all */
    DOOR_READONLY, /* may look */
    DOOR_ADMIN,    /* of the admin program */
} DoorKind;

typedef struct Door {
    int fd;
    DoorKind kind;
} Door;

typedef struct Sockets {
    Door *doors;
    size_t n;
} Sockets;

/* Those that systemd hands over (sd_listen_fds(3)), else its own. What one of systemd's is, its
 * path says: one that ends in "admin-sock", that of the read-only socket or one that ends in
 * "-sock-ro", or the full one. TCP comes beside them. */
int sockets_bind(const Config *config, Sockets *ret, Error **reterr);
/* Clients are accepted from here on; the servers have the descriptors. */
int sockets_serve(Sockets *sockets, RpcServer *server, RpcServer *admin, Error **reterr);
/* Closes what is not served. */
void sockets_done(Sockets *sockets);
