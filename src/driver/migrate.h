/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest that moves from this vireod to another one: libvirt's five phases, called by a client
 * that is connected to both.
 *
 *     source        Begin    the definition, and a cookie (conf/migrate-cookie.h)
 *     destination   Prepare  a QEMU that waits, and the place to connect to (driver/migrate-wire.h)
 *     source        Perform  the state is sent; afterwards the guest is paused
 *     destination   Finish   the guest runs there, or its QEMU is ended
 *     source        Confirm  the guest's QEMU here is ended, or goes on
 *
 * On each side one fiber owns the migration from its second phase on, and holds the domain's job
 * until its last. The client's calls only wake it. The destination's is a start from a SaveSource
 * with two hooks; its QEMU is a start that failed until the end.
 *
 * What is known where, when something ends in the middle:
 *
 *     until Perform is over            the source's guest goes on, which it says ('K'); the
 *                                      destination's QEMU is ended
 *     then, until the source's 'Y'     the same: the source notices the end of the connection, of
 *                                      its client, or a Confirm that says so
 *     from 'Y' to 'D' or 'F'           the source's guest stays paused, unless the client confirms,
 *                                      or the source's vireod leads and the destination's Finish
 *                                      has answered: the person who looks at both sides decides
 *     after 'D'                        the guest is the destination's; the source's QEMU is ended
 *     a daemon is killed               the source writes "out" before the first byte and "given"
 *                                      before 'Y' into the status file, the destination "from"
 *                                      (driver/save-settle.c)
 *
 * With MIGRATE_POSTCOPY it may be switched to post-copy on its way (driver/postcopy.h). Then
 * Perform is over at once, the destination lets the guest run without a word, Finish and Confirm
 * wait until all of its memory is there, and what ends in the middle leaves it at the destination,
 * as far as it has come.
 *
 * A change of the domain between Begin and Perform is noticed by Perform, which refuses. */
#pragma once

#include "domain/domain.h"
#include "domain/services.h"

/* What a call says. The strings are the caller's; NULL: nothing is said of it. */
typedef struct MigrateParams {
    const char *uri; /* of the guest's state */
    const char *dest_name, *dest_xml, *persist_xml;
    const char *listen_address;
    uint64_t bandwidth;          /* MiB a second; 0: as the domain has it */
    uint64_t postcopy_bandwidth; /* MiB a second, in post-copy; 0: as fast as it goes */
    uint64_t cache;              /* bytes for pages sent as differences; 0: as QEMU has it */
    unsigned throttle_first, throttle_more; /* percent, of auto-converge; 0: as QEMU has it */
    unsigned flags;                         /* MIGRATE_* of util/libvirt-numbers.h */
    const char *cookie;
    size_t cookie_len;
    const void *owner; /* the connection that the call came by; compared only */
    bool lost; /* of Confirm: the destination itself has said that the guest has not run there */
} MigrateParams;

typedef struct Migrations Migrations;

Migrations *migrations_new(void);
/* NULL is fine. */
void migrations_free(Migrations *migrations);

/* The strings are the caller's to free. All of it on a fiber. */
int driver_migrate_begin(Domain *domain, const MigrateParams *params, char **ret_xml,
                         char **ret_cookie, Error **reterr);
int driver_migrate_prepare(Services *services, const MigrateParams *params, char **ret_uri,
                           char **ret_cookie, Error **reterr);
/* Returns when the whole state is there, or the guest is in post-copy, or it goes on here. */
int driver_migrate_perform(Domain *domain, const MigrateParams *params, Error **reterr);
/* The domain, with a reference. With `cancelled` it is an error in any case:
 * ERROR_MIGRATE_FINISH_OK, or what made the migration fail here. */
int driver_migrate_finish(Services *services, const MigrateParams *params, bool cancelled,
                          Domain **ret, Error **reterr);
/* Whether an error of a Finish says that the guest has not run at the destination and will not; any
 * other, also of whoever had to pass it on, says nothing of that. */
bool migrate_is_lost(const Error *error);
int driver_migrate_confirm(Domain *domain, const MigrateParams *params, bool cancelled,
                           Error **reterr);
/* Whether it is on its way to another host, until it is known who has it. */
bool migrate_is_out(const Domain *domain);
/* Whether Perform has returned because of post-copy, and the rest of the memory still goes. */
bool driver_migrate_in_postcopy(const Domain *domain);
/* Switches a migration that was begun with MIGRATE_POSTCOPY: the guest stops here, goes on there,
 * and the rest of its memory follows (driver/postcopy.h). Returns once QEMU was told. */
int driver_migrate_start_postcopy(Domain *domain, Error **reterr);
/* How it moves: at any time, also during a migration. The speed is in MiB a second, and is the
 * domain's until the daemon ends; the others are QEMU's. */
int driver_migrate_set_speed(Domain *domain, uint64_t speed, Error **reterr);
uint64_t driver_migrate_speed(const Domain *domain);
/* That of post-copy. */
int driver_migrate_set_postcopy_speed(Domain *domain, uint64_t speed, Error **reterr);
int driver_migrate_get_postcopy_speed(Domain *domain, uint64_t *ret, Error **reterr);
int driver_migrate_set_downtime(Domain *domain, uint64_t ms, Error **reterr);
int driver_migrate_get_downtime(Domain *domain, uint64_t *ret, Error **reterr);
int driver_migrate_set_cache(Domain *domain, uint64_t bytes, Error **reterr);
int driver_migrate_get_cache(Domain *domain, uint64_t *ret, Error **reterr);
/* The connection has ended: what it has begun and not finished is given up. */
void driver_migrate_owner_gone(Services *services, const void *owner);
