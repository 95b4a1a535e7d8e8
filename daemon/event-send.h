/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sending of domain events. */
#pragma once

#include "registration.h"

typedef struct EventKind {
    int id; /* EVENT_ID_* */
    int procedure;
    xdrproc_t xdr;
} EventKind;

/* To all who registered for it; `callback_id` lies in the message and is set for each. The message
 * stays the caller's. */
void event_send(Daemon *daemon, const Domain *domain, const EventKind *kind, void *message,
                int *callback_id);
