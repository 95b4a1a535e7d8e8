/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* States, events and the wait of a guest in post-copy. */
#include "driver/postcopy.h"

#include <sys/socket.h>
#include <unistd.h>

#include "domain/events.h"
#include "domain/files.h"
#include "driver/run-state.h"
#include "util/log.h"

#define AGAIN_USEC (30 * USEC_PER_SEC)
#define POLL_USEC (20 * USEC_PER_MSEC)
#define ASK_FIRST_USEC (250 * USEC_PER_MSEC)
#define ASK_LAST_USEC (4 * USEC_PER_SEC)

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

/* One that was given up is not to go on later, with nobody who follows it: the connection ends for
 * QEMU, too. */
static int await_over(Domain *domain, int fd_consume, Error **reterr) {
    int r = await(domain, reterr);

    if (r < 0)
        shutdown(fd_consume, SHUT_RDWR);
    close(fd_consume);
    return r;
}

int postcopy_leave_again(Domain *domain, int fd_consume, Error **reterr) {
    CLEANUP_CLOSE int fd = fd_consume;
    int r = migrate_resume_to_fd(domain->run->monitor, fd, reterr);

    return r < 0 ? r : await_over(domain, TAKE_FD(fd), reterr);
}

int postcopy_arrive_again(Domain *domain, int fd_consume, Error **reterr) {
    CLEANUP_CLOSE int fd = fd_consume;
    int r = migrate_recover_from_fd(domain->run->monitor, fd, reterr);

    return r < 0 ? r : await_over(domain, TAKE_FD(fd), reterr);
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

void postcopy_leave_unknown(Domain *domain) {
    domain->run->postcopy = false;
    domain->run->save.kind = SAVE_GIVEN;
    log_warning(
        "domain '%s' stays paused: resume it if it has not run at the other host, destroy it "
        "if it has",
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
         (domain->reason == PAUSED_MIGRATION || domain->reason == PAUSED_UNKNOWN ||
          domain->reason == PAUSED_POSTCOPY_FAILED)))
        run_state_set_paused(domain, PAUSED_POSTCOPY);
    log_info("domain '%s' is in post-copy: it goes on at the other host", domain_name(domain));
    domain_save_status(domain, NULL); /* from here on QEMU's "completed" means that it has left */
    r = transfer_postcopy(domain, TRANSFER_MIGRATE_OUT, stats, NULL, NULL, reterr);
    if (r < 0)
        postcopy_leave_failed(domain);
    return r;
}

/* ---- the destination ---- */

/* Whether QEMU has the guest's devices, too: in post-copy they come behind its first word of it. 1
 * yes, 0 not yet, or there is no answer; ERROR_OPERATION_FAILED: they will not come. */
static int is_loaded(Domain *domain, Error **reterr) {
    MigrateProgress progress = {0};
    char status[RUN_STATE_SIZE];
    int r = run_state_query(domain, status, NULL);

    if (r < 0)
        return 0;
    if (!streq(status, "inmigrate"))
        return 1;
    r = domain_check_active(domain, NULL);
    if (r >= 0)
        r = migrate_query(domain->run->monitor, &progress, NULL);
    if (r >= 0 && progress.phase == MIGRATE_FAILED)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "the guest of domain '%s' did not get here in post-copy: %s",
                            domain_name(domain),
                            progress.error[0] ? progress.error : "see QEMU's log");
    return 0;
}

int postcopy_await_loaded(Domain *domain, Error **reterr) {
    int r = domain_check_active(domain, reterr);

    while (r >= 0) {
        r = is_loaded(domain, reterr);
        if (r != 0)
            return MIN_OF(r, 0);
        fiber_sleep(POLL_USEC);
        r = domain_check_active(domain, reterr);
    }
    return r;
}

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
    if (domain->state == DOMAIN_PAUSED && domain->reason == PAUSED_POSTCOPY)
        run_state_set_paused(domain, PAUSED_POSTCOPY_FAILED); /* and it was never let run */
    log_warning("domain '%s': post-copy has failed, parts of its memory are still at the host that "
                "it came from; its guest stands still when it needs them",
                domain_name(domain));
    domain_save_status(domain, NULL);
}

/* One that has come and that QEMU does not let run: an image may still be locked. */
typedef struct Held {
    Domain *domain;
    bool waits;
    uint64_t next, pause; /* when QEMU is asked again */
    Error *refusal;
} Held;

/* Whether QEMU has let it run, or it has come to something else that a "cont" would not change. */
static int has_gone_on(Domain *domain, Error **reterr) {
    char status[RUN_STATE_SIZE];
    int r = run_state_query(domain, status, reterr);

    if (r < 0 || streq(status, "paused") || streq(status, "prelaunch") ||
        streq(status, "inmigrate"))
        return MIN_OF(r, 0);
    r = run_state_sync(domain, reterr);
    return r < 0 ? r : 1;
}

static void ask_again(Held *held) {
    Domain *domain = held->domain;
    int r;

    error_free(TAKE_PTR(held->refusal));
    r = has_gone_on(domain, &held->refusal);
    if (r == 0) {
        r = transfer_let_run(domain, &held->refusal);
        if (r >= 0)
            run_state_set_running(domain, RUNNING_UNPAUSED);
    }
    held->waits = r < 0;
    held->pause = held->pause ? MIN_OF(2 * held->pause, ASK_LAST_USEC) : ASK_FIRST_USEC;
    held->next = deadline_in(held->pause);
    if (!held->waits)
        set_running(domain, RUNNING_POSTCOPY, RESUMED_POSTCOPY);
}

static int look(void *userdata, Error **reterr) {
    Held *held = userdata;

    if (held->waits && now_usec() >= held->next)
        ask_again(held);
    return 0;
}

static void begin_held(Held *held) {
    ask_again(held);
    if (!held->waits)
        return;
    log_warning("domain '%s': its QEMU does not let it run, and is asked again while the rest of "
                "its memory comes: %s",
                domain_name(held->domain), error_message(held->refusal));
    if (domain_check_active(held->domain, NULL) >= 0)
        run_state_set_paused(held->domain, PAUSED_POSTCOPY);
}

int postcopy_arrive(Domain *domain, bool held_, Error **ret_refusal, Error **reterr) {
    Held held = {.domain = domain, .waits = held_};
    TransferStats stats = {0};
    int r = domain_check_active(domain, reterr);

    *ret_refusal = NULL;
    if (r < 0)
        return r;
    domain->run->postcopy = true;
    set_running(domain, RUNNING_POSTCOPY, RESUMED_POSTCOPY);
    log_info("domain '%s' is here, the rest of its memory comes in post-copy", domain_name(domain));
    if (held.waits)
        begin_held(&held);
    r = transfer_postcopy(domain, TRANSFER_MIGRATE_IN, &stats, look, &held, reterr);
    if (r >= 0 && held.waits && domain_check_active(domain, NULL) >= 0)
        ask_again(&held);
    if (r < 0) {
        error_free(held.refusal);
        arrive_failed(domain);
        return r;
    }
    if (!domain->run) {
        error_free(held.refusal);
        return domain_check_active(domain, reterr);
    }
    if (held.waits)
        run_state_set_paused(domain, PAUSED_UNKNOWN);
    *ret_refusal = held.refusal;
    domain->run->postcopy = false;
    set_running(domain, RUNNING_MIGRATED, RESUMED_MIGRATED);
    return 0;
}
