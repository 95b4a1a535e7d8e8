/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sockets clients come to: made or taken over early, so that nobody is refused while the daemon
 * starts, and served once the guests have been found again. */
#pragma once

#include "daemon.h"

typedef struct Door {
    int fd;
    bool readonly;
} Door;

typedef struct Sockets {
    Door *doors;
    size_t n;
} Sockets;

/* Those that systemd hands over (sd_listen_fds(3); "*-ro" paths are read-only), else its own. */
int sockets_bind(const Config *config, Sockets *ret, Error **reterr);
/* Clients are accepted from here on; the server has the descriptors. */
int sockets_serve(Sockets *sockets, RpcServer *server, Error **reterr);
/* Closes what is not served. */
void sockets_done(Sockets *sockets);
