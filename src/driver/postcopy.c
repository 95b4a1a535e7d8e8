/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* States, events and the wait of a guest in post-copy. */
#include "driver/postcopy.h"

#include "domain/events.h"
#include "domain/files.h"
#include "driver/run-state.h"
#include "util/log.h"

#define AGAIN_USEC (30 * USEC_PER_SEC)
#define POLL_USEC (20 * USEC_PER_MSEC)

/* ---- once more ---- */

int postcopy_check_failed(const Domain *domain, SaveKind kind, Error **reterr) {
    int r = domain_check_active(domain, reterr);

    if (r < 0)
        return r;
    if (domain->run->save.kind != kind || !domain->run->postcopy || domain->run->transfer)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain '%s' %s in post-copy that has failed: there is nothing to "
                            "resume",
                            domain_name(domain),
                            kind == SAVE_POSTCOPY_OUT ? "is not here" : "is not on its way here");
    return 0;
}

/* QEMU was told, and takes a moment to notice. */
static int await(Domain *domain, Error **reterr) {
    const uint64_t deadline = deadline_in(AGAIN_USEC);
    MigrateProgress progress = {.phase = MIGRATE_STUCK};
    int r = 0;

    while (r >= 0 && progress.phase == MIGRATE_STUCK) {
        r = domain_check_active(domain, reterr);
        if (r >= 0)
            r = migrate_query(domain->run->monitor, &progress, reterr);
        if (r >= 0 && progress.phase == MIGRATE_STUCK && now_usec() >= deadline)
            r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                             "post-copy of domain '%s' does not go on", domain_name(domain));
        if (r >= 0)
            fiber_sleep(POLL_USEC);
    }
    return r;
}

int postcopy_leave_again(Domain *domain, int fd_consume, Error **reterr) {
    CLEANUP_CLOSE int fd = fd_consume;
    int r = migrate_resume_to_fd(domain->run->monitor, fd, reterr);

    close(TAKE_FD(fd));
    return r < 0 ? r : await(domain, reterr);
}

int postcopy_arrive_again(Domain *domain, int fd_consume, Error **reterr) {
    CLEANUP_CLOSE int fd = fd_consume;
    int r = migrate_recover_from_fd(domain->run->monitor, fd, reterr);

    close(TAKE_FD(fd));
    return r < 0 ? r : await(domain, reterr);
}

/* ---- the source ---- */

void postcopy_leave_failed(Domain *domain) {
    if (domain_check_active(domain, NULL) < 0)
        return;
    domain->run->postcopy = true;
    if (domain->state == DOMAIN_PAUSED && domain->reason != PAUSED_USER)
        run_state_set_paused(domain, PAUSED_POSTCOPY_FAILED);
    log_warning("domain '%s': post-copy has failed, parts of its memory are here and its guest is "
                "at the other host; destroy it when that one is given up",
                domain_name(domain));
    domain_save_status(domain, NULL);
}

int postcopy_leave(Domain *domain, TransferStats *stats, Error **reterr) {
    int r = domain_check_active(domain, reterr);

    if (r < 0)
        return r;
    domain->run->postcopy = true;
    if (domain->state == DOMAIN_RUNNING ||
        (domain->state == DOMAIN_PAUSED &&
         (domain->reason == PAUSED_MIGRATION || domain->reason == PAUSED_POSTCOPY_FAILED)))
        run_state_set_paused(domain, PAUSED_POSTCOPY);
    log_info("domain '%s' is in post-copy: it goes on at the other host", domain_name(domain));
    r = transfer_postcopy(domain, TRANSFER_MIGRATE_OUT, stats, reterr);
    if (r < 0)
        postcopy_leave_failed(domain);
    return r;
}

/* ---- the destination ---- */

static void set_running(Domain *domain, int reason, int resumed) {
    if (domain->state != DOMAIN_RUNNING || domain->reason == reason)
        return;
    domain_set_state(domain, DOMAIN_RUNNING, reason);
    events_lifecycle(domain, EVENT_RESUMED, resumed);
}

static void arrive_failed(Domain *domain) {
    if (domain_check_active(domain, NULL) < 0)
        return;
    set_running(domain, RUNNING_POSTCOPY_FAILED, RESUMED_POSTCOPY_FAILED);
    log_warning("domain '%s': post-copy has failed, parts of its memory are still at the host that "
                "it came from; its guest stands still when it needs them",
                domain_name(domain));
    domain_save_status(domain, NULL);
}

int postcopy_arrive(Domain *domain, Error **reterr) {
    TransferStats stats = {0};
    int r = domain_check_active(domain, reterr);

    if (r < 0)
        return r;
    domain->run->postcopy = true;
    set_running(domain, RUNNING_POSTCOPY, RESUMED_POSTCOPY);
    log_info("domain '%s' is here, the rest of its memory comes in post-copy", domain_name(domain));
    r = transfer_postcopy(domain, TRANSFER_MIGRATE_IN, &stats, reterr);
    if (r < 0) {
        arrive_failed(domain);
        return r;
    }
    domain->run->postcopy = false;
    set_running(domain, RUNNING_MIGRATED, RESUMED_MIGRATED);
    return 0;
}
