/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for QEMU's work on a guest's state. */
#include "driver/transfer.h"

#include "domain/events.h"
#include "util/json.h"

#define COMMAND_USEC (30 * USEC_PER_SEC)
#define POLL_FIRST_USEC (5 * USEC_PER_MSEC)
#define POLL_LAST_USEC (100 * USEC_PER_MSEC)

static const char *name_of(TransferKind kind) {
    switch (kind) {
    case TRANSFER_SAVE:
        return "save";
    case TRANSFER_RESTORE:
        return "restore";
    case TRANSFER_MIGRATE_IN:
        return "migration in";
    case TRANSFER_MIGRATE_OUT:
        return "migration out";
    case TRANSFER_DUMP:
        return "dump";
    }
    return "job";
}

static int query(Domain *domain, Transfer *transfer, Error **reterr) {
    int r = domain_check_active(domain, reterr);

    if (r < 0)
        return r;
    return transfer->stats.kind == TRANSFER_DUMP
               ? dump_query(domain->run->monitor, &transfer->stats.progress, reterr)
               : migrate_query(domain->run->monitor, &transfer->stats.progress, reterr);
}

static int judge(Domain *domain, const Transfer *transfer, Error **reterr) {
    const char *what = name_of(transfer->stats.kind);

    if (transfer->stats.progress.phase == MIGRATE_DONE)
        return 0;
    if (transfer->cancel)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_ABORTED,
                            "%s job: canceled by client", what);
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED, "%s of domain '%s' failed: %s",
                        what, domain_name(domain),
                        transfer->stats.progress.error[0]
                            ? transfer->stats.progress.error
                            : "QEMU does not say why; see whether the disk is full, and its log");
}

static bool is_over(const Transfer *transfer) {
    return transfer->stats.progress.phase != MIGRATE_ACTIVE &&
           transfer->stats.progress.phase != MIGRATE_IDLE;
}

bool transfer_stats(const Domain *domain, TransferStats *ret) {
    const Transfer *transfer = domain->run ? domain->run->transfer : NULL;

    if (!transfer)
        return false;
    *ret = transfer->stats;
    ret->usec = now_usec() - transfer->began;
    return true;
}

void transfer_complete(Domain *domain, const TransferStats *stats) {
    TransferStats *kept = domain->last_transfer ? domain->last_transfer : malloc(sizeof(*kept));

    if (kept)
        *kept = *stats;
    domain->last_transfer = kept;
    if (stats->kind != TRANSFER_RESTORE && stats->kind != TRANSFER_MIGRATE_IN)
        events_job_completed(domain, stats);
}

bool transfer_event(Domain *domain, const char *name, json_object *data) {
    if (!streq(name, "MIGRATION_PASS"))
        return false;
    if (domain->run->transfer && domain->run->transfer->stats.kind == TRANSFER_MIGRATE_OUT)
        events_migration_iteration(domain, (int)json_member_int(data, "pass", 0));
    return true;
}

/* Until QEMU says that it is over. QEMU takes note of a cancel when it writes the next time. */
static int wait_for(Domain *domain, Transfer *transfer, Error **reterr) {
    uint64_t pause = POLL_FIRST_USEC;
    bool told = false;

    for (;;) {
        int r = query(domain, transfer, reterr);

        if (r < 0)
            return r;
        if (is_over(transfer))
            return judge(domain, transfer, reterr);
        if (transfer->cancel && !told) {
            r = migrate_cancel(domain->run->monitor, reterr);
            if (r < 0)
                return r;
            told = true;
        }
        fiber_cond_wait(&transfer->wake, deadline_in(pause));
        pause = MIN_OF(2 * pause, POLL_LAST_USEC);
    }
}

/* The wait of what has been begun. */
static int follow(Domain *domain, Transfer *transfer, Error **reterr) {
    int r;

    assert(domain_job_is_mine(domain) && domain->run && !domain->run->transfer);
    transfer->began = now_usec();
    transfer->stats.progress.phase = MIGRATE_ACTIVE;
    domain->run->transfer = transfer;
    r = wait_for(domain, transfer, reterr);
    transfer->stats.usec = now_usec() - transfer->began;
    if (domain->run)
        domain->run->transfer = NULL;
    if (r >= 0 && transfer->stats.kind != TRANSFER_MIGRATE_OUT)
        transfer_complete(domain, &transfer->stats);
    fiber_cond_done(&transfer->wake);
    return r;
}

int transfer_run(Domain *domain, TransferKind kind, int fd, Error **reterr) {
    Transfer transfer = {.stats.kind = kind};
    int r = domain_check_active(domain, reterr);

    if (r >= 0)
        r = kind == TRANSFER_RESTORE ? migrate_from_fd(domain->run->monitor, fd, reterr)
                                     : migrate_to_fd(domain->run->monitor, fd, reterr);
    return r < 0 ? r : follow(domain, &transfer, reterr);
}

int transfer_migrate(Domain *domain, TransferKind kind, int fd_consume,
                     const MigrateSettings *settings, TransferStats *ret_stats, Error **reterr) {
    Transfer transfer = {.stats.kind = kind};
    int r = domain_check_active(domain, reterr);

    if (r >= 0)
        r = kind == TRANSFER_MIGRATE_IN
                ? migrate_from_fd(domain->run->monitor, fd_consume, reterr)
                : migrate_live_to_fd(domain->run->monitor, fd_consume, settings, reterr);
    close(fd_consume);
    if (r >= 0)
        r = follow(domain, &transfer, reterr);
    if (r >= 0 && ret_stats)
        *ret_stats = transfer.stats;
    return r;
}

int transfer_dump(Domain *domain, int fd, DumpFormat format, Error **reterr) {
    Transfer transfer = {.stats.kind = TRANSFER_DUMP};
    int r = domain_check_active(domain, reterr);

    if (r >= 0)
        r = dump_to_fd(domain->run->monitor, fd, format, reterr);
    return r < 0 ? r : follow(domain, &transfer, reterr);
}

bool transfer_is_out(const Domain *domain) {
    return domain->run && domain->run->transfer &&
           domain->run->transfer->stats.kind == TRANSFER_MIGRATE_OUT;
}

int transfer_pause(Domain *domain, Error **reterr) {
    int r = domain_check_active(domain, reterr);

    return r < 0 ? r
                 : monitor_run(domain->run->monitor, "stop", NULL, deadline_in(COMMAND_USEC), NULL,
                               reterr);
}

int transfer_cancel(Domain *domain, Error **reterr) {
    Transfer *transfer = domain->run ? domain->run->transfer : NULL;
    int r = domain_check_active(domain, reterr);

    if (r < 0)
        return r;
    if (!transfer)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "no job is active on the domain");
    if (transfer->stats.kind != TRANSFER_SAVE && transfer->stats.kind != TRANSFER_MIGRATE_OUT)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "cannot abort the %s of domain '%s': QEMU cannot stop it half way",
                            name_of(transfer->stats.kind), domain_name(domain));
    transfer->cancel = true;
    fiber_cond_broadcast(&transfer->wake);
    return 0;
}
