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

typedef struct Transfer {
    TransferKind kind;
    uint64_t began; /* CLOCK_MONOTONIC, in microseconds */
    MigrateProgress progress;
    bool cancel; /* somebody wants it to end */
    FiberCond wake;
} Transfer;

/* Writes the state of a paused guest to the file, or has it read from there, and waits for the end.
 * ERROR_OPERATION_ABORTED when it was cancelled. Job held; the domain runs. */
int transfer_run(Domain *domain, TransferKind kind, int fd, Error **reterr);
/* The same over a socket, which is closed in every case as soon as QEMU has it: the other end shall
 * see QEMU's end. `settings` are those of TRANSFER_MIGRATE_OUT. */
int transfer_migrate(Domain *domain, TransferKind kind, int fd_consume,
                     const MigrateSettings *settings, Error **reterr);
/* The same for a core file. */
int transfer_dump(Domain *domain, int fd, DumpFormat format, Error **reterr);
/* Asks the one under way to end; ERROR_OPERATION_INVALID when there is none, or it cannot be. */
int transfer_cancel(Domain *domain, Error **reterr);
