/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guests on their way, by direction. Each belongs to its fiber, which takes it out of the list; who
 * waits for it holds a reference. */
#pragma once

#include "driver/migrate-wire.h"
#include "driver/migrate.h"

struct Migrations {
    struct MigrateOut *out;
    struct MigrateIn *in;
};

/* This host as a cookie names it; -ENOMEM. */
int migrate_fill_host(MigrateCookie *cookie);
/* Whether both see the same files and sockets. */
bool migrate_is_same_host(const MigrateCookie *a, const MigrateCookie *b);
/* Refuses what is not done here, naming it. `services` NULL: of a domain that is gone. */
int migrate_check_flags(const Services *services, const MigrateParams *params, Error **reterr);
/* Whether the guest can go away: its devices, its state, its disks. On a fiber. */
int migrate_check_domain(const Domain *domain, unsigned flags, Error **reterr);

/* The domain's definition as it is now (caller frees; set on failure, too, or NULL), and a number
 * that another one has not, nor one of which something else is asked. */
int migrate_format_domain(const Domain *domain, char **ret, uint32_t *ret_check, Error **reterr);
void migrate_out_owner_gone(Migrations *migrations, const void *owner);
