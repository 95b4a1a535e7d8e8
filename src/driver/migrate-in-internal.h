/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One guest that comes, for migrate-in.c and its parts. */
#pragma once

#include "domain/save-image.h"
#include "driver/migrate-internal.h"

/* One guest that comes. Its fiber takes it out of the list and drops the first reference. */
typedef struct MigrateIn {
    unsigned n_refs;
    struct MigrateIn *next;
    Services *services;
    Domain *domain;      /* NULL before it is listed */
    const void *owner;   /* compared only */
    char *uri, *address; /* asked for; or NULL */
    char *socket;        /* for a source on this host; or NULL */
    unsigned flags;
    DomainDef *def, *persistent; /* persistent: to be kept; or NULL */
    SaveImage image;
    MigrateCookie cookie; /* the source's */
    MigrateDoor door;
    MigrateLink link;
    bool prepared;         /* the door is open, or it is over */
    bool asked, cancelled; /* Finish has come, and what it says */
    bool owner_gone;
    bool released; /* it runs here, or may have */
    bool kept;     /* its start has failed, and its QEMU was left as it is */
    bool landed;   /* it is here, whatever becomes of the rest of its memory */
    bool ready;    /* 'R' has been said */
    bool unknown;  /* nobody here can say whether it is */
    bool is_new;   /* the domain was not listed before */
    bool over;
    int result;
    Error *error;
    FiberCond cond;
} MigrateIn;

MigrateIn *migrate_in_ref(MigrateIn *in);
void migrate_in_unref(MigrateIn *in);
DEFINE_CLEANUP(MigrateIn *, migrate_in_unref)
#define CLEANUP_IN CLEANUP(migrate_in_unrefp)

/* Out of the list; the reference stays. */
void migrate_in_unlist(MigrateIn *in);
/* By the domain's name; NULL: none is on its way. Borrowed. */
MigrateIn *migrate_in_find(const Services *services, const char *name);
/* The whole of an offline migration, from Prepare to Finish (migrate-in-offline.c). */
int migrate_take_definition(MigrateIn *in, Error **reterr);
/* From what Prepare says: not in the list yet; a reference. */
int migrate_in_make(Services *services, const MigrateParams *params, MigrateIn **ret,
                    Error **reterr);
