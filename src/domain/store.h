/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The domains that are listed, in the order of their definition, and found by uuid, name and id
 * without a walk.
 *
 * Ownership: the store holds one reference on each. What is found is borrowed: take a reference
 * before suspending. */
#pragma once

#include "domain/domain.h"

#define STORE_BUCKETS 1024u /* of each table; 10,000 domains make chains of ten */

/* A name that a domain is about to get, and nobody else gets meanwhile. The caller's; so is the
 * name. */
typedef struct StoreReservation {
    const char *name;
    struct StoreReservation *next;
} StoreReservation;

typedef struct DomainStore {
    Domain *domains, *last; /* by Domain.next */
    StoreReservation *reserved;
    unsigned n;
    int next_id; /* of the next run */
    Domain *by_uuid[STORE_BUCKETS], *by_name[STORE_BUCKETS], *by_id[STORE_BUCKETS];
} DomainStore;

/* Empty; NULL: out of memory. */
DomainStore *store_new(void);
/* Lets go of all domains. NULL is fine. */
void store_free(DomainStore *store);

/* Lists it, with its definition or its run; its name and uuid do not change any more. */
void store_add(DomainStore *store, Domain *domain, Services *services);
/* Nothing happens if it is not listed. */
void store_remove(DomainStore *store, Domain *domain);
/* The domain has got a run, or another one: it is found by that one's id. */
void store_note_run(DomainStore *store, Domain *domain);
/* An id that no run has had. */
int store_take_id(DomainStore *store);
/* That id is somebody's: the next ones are above it. */
void store_pass_id(DomainStore *store, int id);

/* Keeps the name from others until it is released; it must not be reserved already. */
void store_reserve(DomainStore *store, StoreReservation *reservation);
void store_release(DomainStore *store, StoreReservation *reservation);
bool store_is_reserved(const DomainStore *store, const char *name);

/* NULL: there is none. */
Domain *store_uuid(const DomainStore *store, const uint8_t uuid[16]);
Domain *store_name(const DomainStore *store, const char *name);
Domain *store_id(const DomainStore *store, int id);
