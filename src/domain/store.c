/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/store.h"

static size_t hash_bytes(const void *bytes, size_t n) {
    const uint8_t *at = bytes;
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */

    for (size_t i = 0; i < n; i++)
        hash = (hash ^ at[i]) * 0x100000001b3u;
    return (hash ^ hash >> 32) % STORE_BUCKETS;
}

static size_t uuid_bucket(const uint8_t uuid[16]) {
    return hash_bytes(uuid, 16);
}

static size_t name_bucket(const char *name) {
    return hash_bytes(name, strlen(name));
}

static size_t id_bucket(int id) {
    return (unsigned)id % STORE_BUCKETS;
}

DomainStore *store_new(void) {
    DomainStore *store = calloc(1, sizeof(DomainStore));

    if (store)
        store->next_id = 1;
    return store;
}

void store_free(DomainStore *store) {
    if (!store)
        return;
    while (store->domains)
        store_remove(store, store->domains);
    free(store);
}

/* Takes the domain out of the chain that `link` (the offset of a Domain's member) makes. */
static void unchain(Domain **head, const Domain *domain, size_t link) {
    Domain **at = head;

    while (*at && *at != domain)
        at = (Domain **)((char *)*at + link);
    if (*at)
        *at = *(Domain **)((char *)*at + link);
}

void store_add(DomainStore *store, Domain *domain, Services *services) {
    const DomainDef *def = domain_def(domain);
    Domain **uuid = &store->by_uuid[uuid_bucket(def->uuid)],
           **name = &store->by_name[name_bucket(def->name)];

    assert(!domain->services && services);
    domain_ref(domain);
    domain->services = services;
    *(store->last ? &store->last->next : &store->domains) = domain;
    store->last = domain;
    store->n++;
    domain->next_of_uuid = *uuid;
    *uuid = domain;
    domain->next_of_name = *name;
    *name = domain;
    if (domain->run)
        store_note_run(store, domain);
}

static void forget_run(DomainStore *store, Domain *domain) {
    if (domain->listed_id > 0)
        unchain(&store->by_id[id_bucket(domain->listed_id)], domain, offsetof(Domain, next_of_id));
    domain->listed_id = 0;
    domain->next_of_id = NULL;
}

void store_remove(DomainStore *store, Domain *domain) {
    const DomainDef *def = domain_def(domain);
    Domain *before = NULL;

    if (!domain->services)
        return;
    for (Domain *at = store->domains; at != domain; at = at->next) {
        assert(at);
        before = at;
    }
    *(before ? &before->next : &store->domains) = domain->next;
    if (store->last == domain)
        store->last = before;
    store->n--;
    unchain(&store->by_uuid[uuid_bucket(def->uuid)], domain, offsetof(Domain, next_of_uuid));
    unchain(&store->by_name[name_bucket(def->name)], domain, offsetof(Domain, next_of_name));
    forget_run(store, domain);
    domain->next = domain->next_of_uuid = domain->next_of_name = NULL;
    domain->services = NULL;
    domain_unref(domain);
}

void store_note_run(DomainStore *store, Domain *domain) {
    Domain **at;

    assert(domain->run && domain->run->id > 0);
    forget_run(store, domain);
    at = &store->by_id[id_bucket(domain->run->id)];
    domain->listed_id = domain->run->id;
    domain->next_of_id = *at;
    *at = domain;
}

void store_reserve(DomainStore *store, StoreReservation *reservation) {
    assert(reservation->name);
    reservation->next = store->reserved;
    store->reserved = reservation;
}

void store_release(DomainStore *store, StoreReservation *reservation) {
    StoreReservation **at = &store->reserved;

    while (*at && *at != reservation)
        at = &(*at)->next;
    assert(*at == reservation);
    *at = reservation->next;
}

bool store_is_reserved(const DomainStore *store, const char *name) {
    for (const StoreReservation *at = store->reserved; at; at = at->next)
        if (streq(at->name, name))
            return true;
    return false;
}

int store_take_id(DomainStore *store) {
    return store->next_id++;
}

void store_pass_id(DomainStore *store, int id) {
    store->next_id = MAX_OF(store->next_id, id + 1);
}

Domain *store_uuid(const DomainStore *store, const uint8_t uuid[16]) {
    for (Domain *at = store->by_uuid[uuid_bucket(uuid)]; at; at = at->next_of_uuid)
        if (memcmp(domain_def(at)->uuid, uuid, 16) == 0)
            return at;
    return NULL;
}

Domain *store_name(const DomainStore *store, const char *name) {
    for (Domain *at = store->by_name[name_bucket(name)]; at; at = at->next_of_name)
        if (streq(domain_name(at), name))
            return at;
    return NULL;
}

Domain *store_id(const DomainStore *store, int id) {
    for (Domain *at = id > 0 ? store->by_id[id_bucket(id)] : NULL; at; at = at->next_of_id)
        if (domain_id(at) == id)
            return at;
    return NULL;
}
