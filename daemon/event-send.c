/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event-send.h"

#include "access-view.h"

void event_send(Daemon *daemon, const Domain *domain, const EventKind *kind, void *message,
                int *callback_id) {
    for (Client *client = daemon->clients; client; client = client->next)
        for (Registration *at = client->registrations; at; at = at->next)
            if (registration_matches(at, kind->id, domain)) {
                *callback_id = at->callback_id;
                access_send_event(client, &(AccessEvent){.uuid = domain_def(domain)->uuid,
                                                         .name = domain_name(domain),
                                                         .program = REMOTE_PROGRAM,
                                                         .version = REMOTE_VERSION,
                                                         .procedure = kind->procedure,
                                                         .xdr = kind->xdr,
                                                         .payload = message});
            }
}
