/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a URI leads, and the way there. */
#pragma once

#include "util/error.h"

#define RPC_TCP_PORT 16509u /* libvirt's */

typedef struct ClientAddress {
    char *uri;         /* as it was given, or what stands for it */
    char *path;        /* of a unix socket; or NULL: */
    char *host, *port; /* of TCP */
} ClientAddress;

/* "qemu:///system" and "vireo:///", "qemu+unix:///system?socket=PATH",
 * "qemu+tcp://HOST[:PORT]/system" (also with vireo), a bare socket path. NULL takes
 * $VIREO_DEFAULT_URI, then the default socket. Owned also after an error. */
int client_address_read(const char *uri, bool readonly, ClientAddress *ret, Error **reterr);
void client_address_done(ClientAddress *address);
/* A connected socket that does not block. Waits, on a fiber as fibers do. */
int client_address_connect(const ClientAddress *address, int *ret_fd, Error **reterr);
