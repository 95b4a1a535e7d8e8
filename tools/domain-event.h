/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kinds of domain events: their names, and how each is printed. */
#pragma once

#include "watch.h"

typedef struct DomainEventType {
    const char *name; /* NULL ends the table */
    int id;           /* virDomainEventID; -1: of Vireo's own program */
    int message;      /* the procedure that brings it */
    bool (*print)(Watch *watch, const struct DomainEventType *type, const RpcEvent *event);
} DomainEventType;

extern const DomainEventType domain_event_types[];

/* Prints the event when it is one of domain_event_types. */
bool domain_event_print(Watch *watch, const RpcEvent *event);
