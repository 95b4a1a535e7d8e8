/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for QEMU's work on a guest's state. */
#include "driver/transfer.h"

#include "domain/events.h"
#include "driver/run-state.h"
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

/* QEMU's event says it, or its answer. Latched: a short post-copy is over before anybody asks. */
static void note_phase(Domain *domain, MigratePhase phase) {
    SaveIntent *intent = &domain->run->save;

    if (intent->kind != SAVE_NONE && (phase == MIGRATE_IN_POSTCOPY || phase == MIGRATE_STUCK))
        intent->seen = true;
}

static int judge(Domain *domain, const Transfer *transfer, Error **reterr) {
    const char *what = name_of(transfer->stats.kind);

    if (domain->run->save.seen && !transfer->postcopy)
        return 1; /* whatever has become of it since */
    if (transfer->stats.progress.phase == MIGRATE_DONE)
        return 0;
    if (transfer->postcopy)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "post-copy of domain '%s' was interrupted: %s", domain_name(domain),
                            transfer->stats.progress.error[0]
                                ? transfer->stats.progress.error
                                : "the connection of the two QEMUs has ended");
    if (transfer->cancel)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_ABORTED,
                            "%s job: canceled by client", what);
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED, "%s of domain '%s' failed: %s",
                        what, domain_name(domain),
                        transfer->stats.progress.error[0]
                            ? transfer->stats.progress.error
                            : "QEMU does not say why; see whether the disk is full, and its log");
}

static bool is_over(const Domain *domain, const Transfer *transfer) {
    const MigratePhase phase = transfer->stats.progress.phase;

    if (domain->run->save.seen && !transfer->postcopy)
        return true;
    return phase != MIGRATE_ACTIVE && phase != MIGRATE_IDLE && phase != MIGRATE_IN_POSTCOPY;
}

/* One whose guest may be at the other side already: QEMU's silence is no answer. */
static bool is_patient(const Domain *domain, const Transfer *transfer) {
    return transfer->stats.kind == TRANSFER_MIGRATE_OUT ||
           domain->run->save.kind == SAVE_POSTCOPY_IN;
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
    if (streq(name, "MIGRATION")) {
        note_phase(domain, migrate_event_phase(data));
        transfer_look_soon(domain);
        return true;
    }
    if (!streq(name, "MIGRATION_PASS"))
        return false;
    if (domain->run->transfer && domain->run->transfer->stats.kind == TRANSFER_MIGRATE_OUT)
        events_migration_iteration(domain, (int)json_member_int(data, "pass", 0));
    return true;
}

/* Until QEMU says that it is over. QEMU takes note of a cancel when it writes the next time. */
static int wait_for(Domain *domain, Transfer *transfer, const TransferMigration *what,
                    Error **reterr) {
    uint64_t pause = POLL_FIRST_USEC;
    bool told = false;

    for (;;) {
        CLEANUP_ERROR Error *error = NULL;
        int r = query(domain, transfer, &error);

        if (r < 0 && (domain_check_active(domain, NULL) < 0 || !is_patient(domain, transfer)))
            return error_propagate(reterr, TAKE_PTR(error));
        if (r >= 0)
            note_phase(domain, transfer->stats.progress.phase);
        if (is_over(domain, transfer))
            return judge(domain, transfer, reterr);
        if (what && what->look) {
            r = what->look(what->userdata, reterr);
            if (r >= 0)
                r = domain_check_active(domain, reterr);
            if (r < 0)
                return r;
        }
        if (transfer->cancel && !told && !transfer->one_way) {
            r = migrate_cancel(domain->run->monitor, NULL);
            told = r >= 0; /* else it may be over by now, or is told again */
        }
        fiber_cond_wait(&transfer->wake, deadline_in(pause));
        pause = MIN_OF(2 * pause, POLL_LAST_USEC);
    }
}

/* The wait of what has been begun. */
static int follow(Domain *domain, Transfer *transfer, const TransferMigration *what,
                  Error **reterr) {
    int r;

    assert(domain_job_is_mine(domain) && domain->run && !domain->run->transfer);
    transfer->began = now_usec() - transfer->stats.usec;
    transfer->stats.progress.phase = MIGRATE_ACTIVE;
    transfer->what = what;
    domain->run->transfer = transfer;
    r = wait_for(domain, transfer, what, reterr);
    transfer->stats.usec = now_usec() - transfer->began;
    if (domain->run)
        domain->run->transfer = NULL;
    if (r == 0 && transfer->stats.kind != TRANSFER_MIGRATE_OUT)
        transfer_complete(domain, &transfer->stats);
    fiber_cond_done(&transfer->wake);
    return r;
}

int transfer_run(Domain *domain, TransferKind kind, int fd, Error **reterr) {
    Transfer transfer = {.stats.kind = kind};
    int r = domain_check_active(domain, reterr);

    if (r >= 0)
        r = kind == TRANSFER_RESTORE
                ? migrate_from_file(domain->run->monitor, domain->run->caps, fd, reterr)
                : migrate_to_file(domain->run->monitor, domain->run->caps, fd, reterr);
    return r < 0 ? r : follow(domain, &transfer, NULL, reterr);
}

int transfer_migrate(Domain *domain, TransferKind kind, const TransferMigration *what,
                     Error **reterr) {
    Transfer transfer = {.stats.kind = kind};
    int r = domain_check_active(domain, reterr);

    if (r >= 0)
        r = kind == TRANSFER_MIGRATE_IN
                ? migrate_from_fd(domain->run->monitor, what->fd_consume, reterr)
                : migrate_live_to_fd(domain->run->monitor, what->fd_consume, what->settings,
                                     reterr);
    close(what->fd_consume);
    if (r >= 0)
        r = follow(domain, &transfer, what, reterr);
    if (r >= 0 && what->ret_stats)
        *what->ret_stats = transfer.stats;
    return r;
}

int transfer_postcopy(Domain *domain, TransferKind kind, TransferStats *stats,
                      int (*look)(void *userdata, Error **reterr), void *userdata, Error **reterr) {
    const TransferMigration what = {.look = look, .userdata = userdata};
    Transfer transfer = {.stats = *stats, .one_way = true, .postcopy = true};
    int r = domain_check_active(domain, reterr);

    transfer.stats.kind = kind;
    if (r >= 0)
        r = follow(domain, &transfer, &what, reterr);
    *stats = transfer.stats;
    return r;
}

void transfer_look_soon(const Domain *domain) {
    if (domain->run && domain->run->transfer)
        fiber_cond_broadcast(&domain->run->transfer->wake);
}

void transfer_set_one_way(const Domain *domain, bool yes) {
    if (domain->run && domain->run->transfer)
        domain->run->transfer->one_way = yes;
}

int transfer_dump(Domain *domain, int fd, DumpFormat format, Error **reterr) {
    Transfer transfer = {.stats.kind = TRANSFER_DUMP};
    int r = domain_check_active(domain, reterr);

    if (r >= 0)
        r = dump_to_fd(domain->run->monitor, fd, format, reterr);
    return r < 0 ? r : follow(domain, &transfer, NULL, reterr);
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

/* While QEMU refuses "cont" for what passes: "completed" is said before the run state has left
 * finish-migrate (its qmp_cont), and from postmigrate on images are to be locked again, which the
 * other side's QEMU may still do until it has ended. */
static bool may_let_it_run_soon(Domain *domain) {
    char status[RUN_STATE_SIZE];

    return run_state_query(domain, status, NULL) >= 0 &&
           (streq(status, "finish-migrate") || streq(status, "postmigrate"));
}

int transfer_let_run(Domain *domain, Error **reterr) {
    const uint64_t deadline = deadline_in(COMMAND_USEC);

    for (uint64_t pause = POLL_FIRST_USEC;; pause = MIN_OF(2 * pause, POLL_LAST_USEC)) {
        CLEANUP_ERROR Error *error = NULL;
        int r = domain_check_active(domain, &error);

        if (r >= 0)
            r = monitor_run(domain->run->monitor, "cont", NULL, deadline, NULL, &error);
        if (r >= 0)
            return 0;
        if (now_usec() >= deadline || !may_let_it_run_soon(domain)) {
            error_propagate(reterr, TAKE_PTR(error));
            return r;
        }
        fiber_sleep(pause);
    }
}

int transfer_pause_postcopy(Domain *domain, Error **reterr) {
    const Transfer *transfer = domain->run ? domain->run->transfer : NULL;
    int r = domain_check_active(domain, reterr);

    if (r < 0)
        return r;
    if (!transfer || !transfer->postcopy)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain '%s' is not in post-copy", domain_name(domain));
    return migrate_pause_postcopy(domain->run->monitor, reterr);
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
    if (transfer->one_way &&
        (transfer->postcopy || domain->run->save.seen || !transfer->what || !transfer->what->cut))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "cannot abort the migration of domain '%s': it is in post-copy, and "
                            "its guest is at the other host",
                            domain_name(domain));
    transfer->cancel = true;
    if (transfer->one_way)
        transfer->what->cut(transfer->what->userdata);
    fiber_cond_broadcast(&transfer->wake);
    return 0;
}
