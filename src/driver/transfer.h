/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest's state on its way between QEMU and a file, or another host: what virDomainGetJobInfo
 * tells of, and what virDomainAbortJob ends. It lives on the stack of the fiber that waits for it,
 * which holds the domain's job; others look at run->transfer. */
#pragma once

#include "domain/domain.h"
#include "qemu/migrate.h"

/* libvirt's virDomainJobOperation. */
typedef enum TransferKind {
    TRANSFER_SAVE = 2,
    TRANSFER_RESTORE = 3,
    TRANSFER_MIGRATE_IN = 4,
    TRANSFER_MIGRATE_OUT = 5,
    TRANSFER_DUMP = 8
} TransferKind;

/* How far it is, or was at its end. Plain memory. */
typedef struct TransferStats {
    TransferKind kind;
    uint64_t usec; /* that it took, by the time of the last look */
    MigrateProgress progress;
} TransferStats;

typedef struct Transfer {
    TransferStats stats;
    uint64_t began; /* CLOCK_MONOTONIC, in microseconds */
    bool cancel;    /* somebody wants it to end */
    bool one_way;   /* QEMU is not told so: the guest may be at the other side */
    bool postcopy;  /* that is known */
    const struct TransferMigration *what; /* NULL: a file's */
    FiberCond wake;
} Transfer;

/* The one under way, as it is now; false: there is none. */
bool transfer_stats(const Domain *domain, TransferStats *ret);
/* It has done what it was for: virDomainGetJobStats remembers it, and of one that left QEMU clients
 * are told. That of a migration out is complete when the other side has the guest, and whoever
 * leads it says so; the others say so themselves. */
void transfer_complete(Domain *domain, const TransferStats *stats);
/* A pass over the guest's memory has begun. */
bool transfer_event(Domain *domain, const char *name, json_object *data);

/* Writes the state of a paused guest to the file, or has it read from there, and waits for the end.
 * ERROR_OPERATION_ABORTED when it was cancelled. Job held; the domain runs. */
int transfer_run(Domain *domain, TransferKind kind, int fd, Error **reterr);
/* The same over a socket. */
typedef struct TransferMigration {
    int fd_consume; /* closed in every case as soon as QEMU has it: the other end shall see its end
                     */
    const MigrateSettings *settings; /* of TRANSFER_MIGRATE_OUT */
    /* Called now and then while it is on its way; may suspend, or be NULL. < 0: it is not waited
     * for any longer. */
    int (*look)(void *userdata, Error **reterr);
    /* Ends the connection to the other side, for one that is one-way; never suspends. NULL: it
     * cannot. */
    void (*cut)(void *userdata);
    void *userdata;
    TransferStats *ret_stats; /* may be NULL */
} TransferMigration;

/* 1: the guest is in post-copy, and transfer_postcopy has to follow. */
int transfer_migrate(Domain *domain, TransferKind kind, const TransferMigration *what,
                     Error **reterr);
/* Until the rest of its memory is there. Goes on with the stats. `look` as above. */
int transfer_postcopy(Domain *domain, TransferKind kind, TransferStats *stats,
                      int (*look)(void *userdata, Error **reterr), void *userdata, Error **reterr);
/* Have the look come soon; have it not cancelled any more, or again. Of a transfer under way. */
void transfer_look_soon(const Domain *domain);
void transfer_set_one_way(const Domain *domain, bool yes);
/* The same for a core file. */
int transfer_dump(Domain *domain, int fd, DumpFormat format, Error **reterr);
/* Whether the guest is being sent to another host just now. */
bool transfer_is_out(const Domain *domain);
/* Pauses such a guest, so that it changes no more memory; it goes on at the other side, or here
 * when it stays. Without the job. */
int transfer_pause(Domain *domain, Error **reterr);
/* Lets the guest run after a transfer that did not take it away: "cont", again for at most 30 s
 * while QEMU finishes with it. Errors as of monitor_run. */
int transfer_let_run(Domain *domain, Error **reterr);
/* Interrupts post-copy, which fails by that. */
int transfer_pause_postcopy(Domain *domain, Error **reterr);
/* Asks the one under way to end; ERROR_OPERATION_INVALID when there is none, or it cannot be. One
 * whose QEMU was asked for post-copy and has not said that it is in it loses its connection
 * instead: the guest goes on here, or it was too late, and QEMU's word for what came of it decides.
 */
int transfer_cancel(Domain *domain, Error **reterr);
