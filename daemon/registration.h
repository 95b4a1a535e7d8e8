/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Event registrations of clients: each has a number of its client's own and may be for one domain.
 * A client may register for the same thing twice, and is told twice, as by libvirtd. */
#pragma once

#include <regex.h>

#include "daemon.h"

/* Kinds of event ids: those of domains are libvirt's, the others are ours. */
enum {
    EVENT_OF_DOMAINS = 0,
    EVENT_OF_MONITORS = 1000, /* one id: QEMU's own events */
    EVENT_OF_NETWORKS = 2000, /* and from here those of other objects, which there are none of */
    EVENT_OF_POOLS = 3000,
    EVENT_OF_NODE_DEVICES = 4000,
    EVENT_OF_SECRETS = 5000,
    EVENT_KIND_SIZE = 1000
};

typedef struct Registration {
    struct Registration *next;
    int callback_id;
    int event_id; /* a kind and the number within it */
    bool filtered;
    uint8_t uuid[16];
    char *device;        /* of the host, only that; NULL: all */
    char *monitor_event; /* NULL: all */
    regex_t *pattern;    /* monitor_event is a regular expression */
    bool nocase;
} Registration;

/* filter NULL: every domain. The new one belongs to the client. ERROR_OPERATION_FAILED when the
 * client or its user has too many. */
int registration_add(Client *client, int event_id, const remote_domain *filter, Registration **ret,
                     Error **reterr);
/* Of the kind given; libvirt's sentence when there is none. */
int registration_remove(Client *client, int kind, int callback_id, Error **reterr);
bool registration_matches(const Registration *registration, int event_id, const Domain *domain);
/* All of a client that goes. */
void registration_remove_all(Client *client);
