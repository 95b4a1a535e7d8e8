/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which domains a caller may see of those that a list or an event would tell him about. With a gate
 * (daemon/access.h) each is a question to polkit, org.vireo.read with the domain's name and uuid,
 * that nobody is bothered with a password for. An answer is believed for VIEW_USEC. */
#pragma once

#include "daemon.h"

#define VIEW_USEC (5 * USEC_PER_SEC)

/* NULL: out of memory. The client outlives it, or calls access_view_end. */
struct AccessView *access_view_new(Client *client);
/* The client goes; what waits for an answer is told to nobody. NULL is fine. */
void access_view_end(struct AccessView *view);

/* Asks about all domains there are: before a handler of a list looks at the first, which never
 * suspends then. Without a gate it does nothing. On a fiber. */
int access_look(Client *client, Error **reterr);
/* Whether the client may see a domain, by what access_look has heard; one that came later he may
 * not. */
bool access_sees(const Client *client, const uint8_t uuid[16]);

/* An event about a domain, which is sent when polkit has said yes, in the order of the events.
 * Never suspends. */
typedef struct AccessEvent {
    const uint8_t *uuid;
    const char *name;
    uint32_t program, version;
    int32_t procedure;
    xdrproc_t xdr;
    void *payload;
} AccessEvent;

void access_send_event(Client *client, const AccessEvent *event);
