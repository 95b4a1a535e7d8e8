/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One guest that leaves, for migrate-out.c and its parts. */
#pragma once

#include "driver/migrate-internal.h"
#include "driver/transfer.h"

/* One guest that leaves. Its fiber takes it out of the list and drops the first reference. */
typedef struct MigrateOut {
    unsigned n_refs;
    struct MigrateOut *next;
    Migrations *list;
    Domain *domain;
    const void *owner; /* compared only */
    char *uri;
    MigrateCookie cookie; /* the destination's */
    unsigned flags;
    MigrateSettings settings;
    TransferStats stats; /* of the state that was sent */
    MigrateLink link;
    bool was_running;
    bool performed; /* Perform may return: */
    int result;
    Error *error;
    bool given;          /* 'Y' has been said, and the destination has the whole guest */
    bool wants_postcopy; /* somebody does */
    unsigned n_switches; /* times that it was tried to ask QEMU for it */
    int postcopy_result; /* what came of the last one: 0, QEMU was asked */
    Error *postcopy_error;
    int state_fd;     /* until its QEMU is done or in post-copy: to cut the connection; -1: none */
    unsigned n_vcpus; /* that its guest had when it began to move */
    Error *spoilt;    /* it cannot move any more, and stays here */
    bool one_way; /* QEMU is being asked, and the guest stands still until it is known what comes */
    Error *late;  /* what has become of it after Perform, for Confirm */
    bool confirmed, cancelled, lost; /* Confirm has come, and what it says */
    bool owner_gone;
    bool deserted; /* it was cancelled because the other vireod has gone */
    bool over;     /* and the domain's job is free */
    FiberCond cond;
} MigrateOut;

MigrateOut *migrate_out_ref(MigrateOut *out);
void migrate_out_unref(MigrateOut *out);
DEFINE_CLEANUP(MigrateOut *, migrate_out_unref)
#define CLEANUP_OUT CLEANUP(migrate_out_unrefp)

/* Out of the list; the reference stays. */
void migrate_out_unlist(MigrateOut *out);
/* The domain's own; NULL: it is not on its way. Borrowed. */
MigrateOut *migrate_out_find(const Domain *domain);
/* Into the status file. Job held. */
int migrate_out_set_intent(Domain *domain, SaveKind kind, bool running, Error **reterr);
/* Called while it is on its way: switches it to post-copy when somebody wants that. Job held. */
int migrate_out_look(void *userdata, Error **reterr);
/* What the guest has refused since Begin goes before the word that gives it away. -errno: it did
 * not go out. The guest stands still. Job held. */
int migrate_out_say_refused(MigrateOut *out);
/* For an end before QEMU has said that it is in post-copy. */
void migrate_out_cut(void *userdata);
/* The other side has made as many vCPUs and devices as there were, and what has become of the guest
 * meanwhile is nothing that only this side would follow. It stands still. Job held. */
int migrate_out_check_guest(MigrateOut *out, Error **reterr);
