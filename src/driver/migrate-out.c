/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The source's half of a migration. */
#include <fcntl.h>
#include <unistd.h>

#include "domain/files.h"
#include "domain/vcpu-change.h"
#include "driver/driver.h"
#include "driver/migrate-out-internal.h"
#include "driver/postcopy.h"
#include "driver/run-end.h"
#include "driver/run-state.h"
#include "driver/save-settle.h"
#include "driver/saved.h"
#include "driver/transfer.h"
#include "util/libvirt-numbers.h"
#include "util/log.h"

#define FINISH_USEC (300 * USEC_PER_SEC) /* from the end of Perform to the destination's word */
#define LAST_WORD_USEC (10 * USEC_PER_SEC)

/* ---- Perform ---- */

/* Nothing that the destination was made for has changed since Begin. */
static int check_unchanged(const MigrateOut *out, Error **reterr) {
    CLEANUP_FREE char *xml = NULL;
    uint32_t check = 0;
    int r = migrate_format_domain(out->domain, &xml, &check, reterr);

    if (r >= 0 && check != out->cookie.check)
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                         "domain '%s' was changed while its migration was prepared; try again",
                         domain_name(out->domain));
    return r;
}

static int connect_out(MigrateOut *out, int *ret_state, Error **reterr) {
    int words = -1, r;

    if (!out->cookie.has_token)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "the migration's cookie has no token");
    r = migrate_wire_connect(out->uri, out->cookie.token, ret_state, &words, reterr);
    if (r < 0)
        return r;
    if (migrate_link_open(&out->link, words, &out->cond) < 0) {
        close(TAKE_FD(*ret_state));
        return error_no_memory(reterr);
    }
    return 0;
}

static int move(MigrateOut *out, Error **reterr) {
    Domain *domain = out->domain;
    CLEANUP_CLOSE int state = -1;
    CLEANUP_ERROR Error *error = NULL;
    int r = migrate_check_domain(domain, out->flags, reterr);

    if (r >= 0)
        r = check_unchanged(out, reterr);
    if (r >= 0)
        r = connect_out(out, &state, reterr);
    if (r >= 0)
        r = domain_check_active(domain, reterr);
    if (r < 0)
        return r;
    out->n_vcpus = vcpu_map_online(&domain->run->vcpus);
    out->was_running = domain->state == DOMAIN_RUNNING;
    r = migrate_out_set_intent(domain, SAVE_OUT, out->was_running, reterr);
    if (r < 0)
        return r;
    saved_crash_point("migrate-begun");
    if (out->flags & MIGRATE_POSTCOPY)
        out->state_fd = fcntl(state, F_DUPFD_CLOEXEC, 0); /* none: an abort comes too late sooner */
    domain->run->pause_reason = PAUSED_MIGRATION;         /* what QEMU's STOP at the end means */
    r = transfer_migrate(domain, TRANSFER_MIGRATE_OUT,
                         &(TransferMigration){.fd_consume = TAKE_FD(state),
                                              .settings = &out->settings,
                                              .look = migrate_out_look,
                                              .cut = out->state_fd >= 0 ? migrate_out_cut : NULL,
                                              .userdata = out,
                                              .ret_stats = &out->stats},
                         &error);
    if (out->state_fd >= 0)
        close(TAKE_FD(out->state_fd)); /* the other end shall see QEMU's end */
    if (r < 0 && out->spoilt)
        error_report(&error, FROM_QEMU, ERROR_OPERATION_FAILED, "%s", error_message(out->spoilt));
    else if (r < 0 && out->deserted)
        error_report(
            &error, FROM_QEMU, ERROR_OPERATION_FAILED,
            "domain '%s' stays here: the vireod that it was on its way to has given it up, or "
            "has gone",
            domain_name(domain));
    if (error)
        error_propagate(reterr, TAKE_PTR(error));
    if (domain->run)
        domain->run->pause_reason = PAUSED_UNKNOWN;
    if (r > 0)
        return r;
    if (r >= 0 && out->was_running &&
        (domain->state == DOMAIN_RUNNING ||
         (domain->state == DOMAIN_PAUSED && domain->reason == PAUSED_POSTCOPY)))
        run_state_set_paused(domain, PAUSED_MIGRATION);
    saved_crash_point("migrate-moved");
    return r < 0 ? r : migrate_out_check_guest(out, reterr);
}

/* ---- who has it? ---- */

static bool was_paused_by_it(const Domain *domain) {
    return domain->state == DOMAIN_PAUSED &&
           (domain->reason == PAUSED_MIGRATION || domain->reason == PAUSED_POSTCOPY ||
            domain->reason == PAUSED_POSTCOPY_FAILED);
}

/* The guest goes on here as it did; the destination gets no 'Y' any more. */
static void go_back(MigrateOut *out) {
    Domain *domain = out->domain;
    CLEANUP_ERROR Error *error = NULL;
    int r = domain_check_active(domain, NULL);

    if (r >= 0 && !out->given)
        migrate_link_say(&out->link, MIGRATE_KEPT);
    migrate_link_close(&out->link);
    if (r < 0)
        return;
    save_forget(domain->run);
    domain->run->postcopy = false;
    r = run_state_sync(domain, &error);
    if (r >= 0 && out->was_running && was_paused_by_it(domain) && !domain->run->resetting &&
        domain_check_active(domain, NULL) >= 0) {
        r = transfer_let_run(domain, &error);
        if (r >= 0)
            run_state_set_running(domain, RUNNING_MIGRATION_CANCELED);
    }
    if (r < 0)
        log_warning("domain '%s' stays as it is after a migration that failed: %s",
                    domain_name(domain), error_message(error));
    if (domain->run)
        domain_save_status(domain, NULL);
}

static void leave(MigrateOut *out) {
    const char *where = out->cookie.host && *out->cookie.host ? out->cookie.host : "another host";

    if (!out->domain->run)
        return;
    log_info("domain '%s' has moved to '%s'", domain_name(out->domain), where);
    transfer_complete(out->domain, &out->stats);
    vcpu_change_leaving(out->domain, where);
    run_end(out->domain, SHUTOFF_MIGRATED, STOPPED_MIGRATED);
}

static void stay_paused(MigrateOut *out) {
    Domain *domain = out->domain;

    log_warning("domain '%s' was handed over to '%s', which does not say whether it runs there: it "
                "stays paused here. Destroy it if it runs there, resume it if it does not",
                domain_name(domain), out->cookie.host ? out->cookie.host : "another host");
    if (domain->run)
        domain_save_status(domain, NULL); /* its <save> says so after a restart, too */
}

/* 'Y': from the status file on, a daemon that comes later does not run it by itself. What cannot be
 * given away is this side's again, in memory at once: the file follows when it can be written. */
static void give(MigrateOut *out) {
    CLEANUP_ERROR Error *error = NULL;
    int r = migrate_out_set_intent(out->domain, SAVE_GIVEN, out->was_running, &error);

    if (r < 0)
        log_warning("domain '%s' is not handed over: %s", domain_name(out->domain),
                    error_message(error));
    if (r >= 0) {
        saved_crash_point("migrate-given");
        /* The other daemon may have gone while the file was written. */
        r = out->link.ended ? -EPIPE : migrate_out_say_refused(out);
        if (r >= 0)
            r = migrate_link_say(&out->link, MIGRATE_YOURS);
    }
    out->given = r >= 0;
    if (out->given)
        return;
    out->link.ended = true; /* nothing that it says counts */
    if (out->domain->run)
        out->domain->run->save.kind = SAVE_OUT;
}

/* What is known by now. */
typedef enum Verdict { WAIT, HERE, THERE, NOBODY_KNOWS } Verdict;

static Verdict judge(const MigrateOut *out, bool late) {
    if (out->link.heard & MIGRATE_LANDED)
        return THERE;
    if (out->link.heard & MIGRATE_LOST || out->lost)
        return HERE;
    if (out->confirmed && !out->cancelled && out->given)
        return THERE;
    if (!out->given) /* nobody was told that it may run it, whatever a client says */
        return out->confirmed || out->owner_gone || out->link.ended || late ? HERE : WAIT;
    return late || (out->link.ended && (out->confirmed || out->owner_gone)) ? NOBODY_KNOWS : WAIT;
}

/* A QEMU whose monitor has broken is there still, and what was given away may land yet. */
static bool may_settle(const MigrateOut *out) {
    const DomainRun *run = out->domain->run;

    return domain_check_active(out->domain, NULL) >= 0 ||
           (out->given && run && !run->stopping && qemu_process_alive(&run->pid));
}

/* Its QEMU cannot be asked: whoever connects again, or has noticed its end, goes on from what is
 * written down. */
static void settle_unasked(MigrateOut *out, Verdict verdict) {
    Domain *domain = out->domain;

    if (!domain->run || domain->run->stopping)
        return;
    if (verdict == THERE) {
        leave(out);
    } else if (verdict == HERE) {
        domain->run->save.kind = SAVE_OUT;
        domain_save_status(domain, NULL);
    }
}

/* Until it is known, or cannot be. */
static void settle(MigrateOut *out) {
    uint64_t deadline = deadline_in(FINISH_USEC);
    bool late = false, asked = false;
    Verdict verdict;

    while ((verdict = judge(out, late)) == WAIT && may_settle(out)) {
        if (out->link.heard & MIGRATE_READY && !out->given) {
            give(out);
            continue;
        }
        if (out->given && out->cancelled && !asked) {
            asked = true;
            deadline = deadline_in(LAST_WORD_USEC);
        }
        late = fiber_cond_wait(&out->cond, MIN_OF(deadline, deadline_in(USEC_PER_SEC))) < 0 &&
               now_usec() >= deadline;
    }
    if (verdict == HERE && out->confirmed && !out->cancelled)
        error_report(&out->late, FROM_QEMU, ERROR_OPERATION_FAILED,
                     "domain '%s' goes on here: '%s' has not asked for it",
                     domain_name(out->domain),
                     out->cookie.host ? out->cookie.host : "the other host");
    if (domain_check_active(out->domain, NULL) < 0)
        settle_unasked(out, verdict);
    else if (verdict == THERE)
        leave(out);
    else if (verdict == HERE)
        go_back(out);
    else
        stay_paused(out);
}

/* ---- post-copy ---- */

/* One that has failed, over another connection: move's place. */
static int move_again(MigrateOut *out, Error **reterr) {
    int state = -1, r = postcopy_check_failed(out->domain, SAVE_POSTCOPY_OUT, reterr);

    if (r >= 0)
        r = connect_out(out, &state, reterr);
    if (r >= 0)
        r = postcopy_check_failed(out->domain, SAVE_POSTCOPY_OUT, reterr);
    if (r < 0) {
        if (state >= 0)
            close(state);
        return r;
    }
    r = postcopy_leave_again(out->domain, state, reterr);
    return r < 0 ? r : 1;
}

/* QEMU has given it up after the switch, and has all that it had. Whether the guest has run at the
 * destination is for the destination to say. */
static void settle_failed(MigrateOut *out) {
    const uint64_t deadline = deadline_in(FINISH_USEC);
    bool late = false;

    while (!(out->link.heard & (MIGRATE_LANDED | MIGRATE_LOST)) && !out->link.ended && !late &&
           domain_check_active(out->domain, NULL) >= 0)
        late = fiber_cond_wait(&out->cond, MIN_OF(deadline, deadline_in(USEC_PER_SEC))) < 0 &&
               now_usec() >= deadline;
    if (domain_check_active(out->domain, NULL) < 0 || (out->link.heard & MIGRATE_LANDED))
        return;
    if (out->link.heard & MIGRATE_LOST)
        go_back(out);
    else
        postcopy_leave_unknown(out->domain);
}

/* The destination lets it run by its own QEMU's word; this side's is for one that has missed that.
 */
static void settle_postcopy(MigrateOut *out) {
    const MigratePhase *phase = &out->stats.progress.phase;

    migrate_link_say(&out->link, MIGRATE_YOURS);
    if (postcopy_leave(out->domain, &out->stats, &out->late) >= 0)
        leave(out);
    else if (*phase == MIGRATE_FAILED || *phase == MIGRATE_CANCELLED)
        settle_failed(out);
}

/* Its QEMU cannot be asked any more, or says that it has not come to it. */
static void settle_unmoved(MigrateOut *out) {
    const Domain *domain = out->domain;

    if (!domain->run || !domain->run->save.seen) {
        go_back(out);
        return;
    }
    migrate_link_say(&out->link, MIGRATE_YOURS);
    postcopy_leave_failed(out->domain);
}

/* ---- the fiber ---- */

static void tell(MigrateOut *out, int r) {
    out->result = r;
    out->performed = true;
    fiber_cond_broadcast(&out->cond);
}

static void out_fiber(void *userdata) {
    CLEANUP_OUT MigrateOut *out = userdata;
    DomainJob job;
    int r = domain_job_begin(out->domain, &job, "migration", &out->error);

    if (r < 0) {
        migrate_out_unlist(out);
        out->over = true;
        tell(out, r);
        return;
    }
    r = out->flags & MIGRATE_POSTCOPY_RESUME ? move_again(out, &out->error)
                                             : move(out, &out->error);
    if (r < 0 && (out->flags & MIGRATE_POSTCOPY_RESUME))
        migrate_link_close(&out->link); /* it is as it was */
    else if (r < 0)
        settle_unmoved(out);
    else if (r == 0)
        log_info("domain '%s': its state is sent, waiting for '%s' to take it",
                 domain_name(out->domain), out->cookie.host ? out->cookie.host : "the other host");
    if (r >= 0) {
        tell(out, 0);
        if (r > 0)
            settle_postcopy(out);
        else
            settle(out);
    }
    domain_job_end(out->domain, &job);
    migrate_out_unlist(out);
    out->over = true;
    tell(out, out->performed ? out->result : r);
}

static MigrateSettings settings_of(const Domain *domain, const MigrateParams *params) {
    const uint64_t speed = params->bandwidth ? params->bandwidth : domain->migrate_speed;

    return (MigrateSettings){
        .bandwidth = MIN_OF(speed, UINT64_MAX >> 20) << 20,
        .auto_converge = params->flags & MIGRATE_AUTO_CONVERGE,
        .compress = params->flags & MIGRATE_COMPRESSED,
        .postcopy = params->flags & MIGRATE_POSTCOPY,
        .postcopy_bandwidth = MIN_OF(params->postcopy_bandwidth, UINT64_MAX >> 20) << 20,
        .cache = params->cache,
        .throttle_first = params->throttle_first,
        .throttle_more = params->throttle_more};
}

static int make(Domain *domain, const MigrateParams *params, MigrateOut **ret, Error **reterr) {
    CLEANUP_OUT MigrateOut *out = calloc(1, sizeof(MigrateOut));
    int r;

    if (!out)
        return error_no_memory(reterr);
    out->n_refs = 1;
    out->state_fd = -1;
    out->domain = domain_ref(domain);
    out->list = domain->services->migrations;
    out->owner = params->owner;
    out->flags = params->flags;
    out->settings = settings_of(domain, params);
    out->uri = params->uri ? strdup(params->uri) : NULL;
    if (params->uri && !out->uri)
        return error_no_memory(reterr);
    r = migrate_cookie_parse(params->cookie, params->cookie_len, &out->cookie, reterr);
    if (r < 0)
        return r;
    if (!out->uri)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "it is not said where to: the migration has no URI");
    *ret = TAKE_PTR(out);
    return 0;
}

int driver_migrate_perform(Domain *domain, const MigrateParams *params, Error **reterr) {
    CLEANUP_OUT MigrateOut *out = NULL;
    int r = migrate_check_flags(domain->services, params, reterr);

    if (r >= 0 && !domain->services)
        r = domain_check_active(domain, reterr);
    if (r < 0)
        return r;
    if (migrate_out_find(domain))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain '%s' is being migrated already", domain_name(domain));
    r = make(domain, params, &out, reterr);
    if (r < 0)
        return r;
    out->next = out->list->out;
    out->list->out = out;
    if (fiber_start("migrate", out_fiber, migrate_out_ref(out)) < 0) {
        migrate_out_unlist(out);
        migrate_out_unref(out);
        return error_no_memory(reterr);
    }
    while (!out->performed)
        fiber_cond_wait(&out->cond, USEC_FOREVER);
    if (out->result >= 0)
        return 0;
    return error_propagate(reterr, TAKE_PTR(out->error));
}

bool driver_migrate_in_postcopy(const Domain *domain) {
    return migrate_is_out(domain) && domain->run && domain->run->postcopy;
}

/* ---- Confirm ---- */

/* Its definition has gone with it. */
static void undefine(Domain *domain) {
    CLEANUP_ERROR Error *error = NULL;

    if (domain->services && domain->config && !domain->run &&
        driver_undefine(domain, UNDEFINE_MANAGED_SAVE | UNDEFINE_KEEP_NVRAM | UNDEFINE_KEEP_TPM,
                        &error) < 0)
        log_warning("domain '%s' stays defined after its migration: %s", domain_name(domain),
                    error_message(error));
}

/* A daemon that came after the handing over has no more than the state. */
static int confirm_found(Domain *domain, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, "confirmation of a migration", reterr);

    if (r < 0)
        return r;
    if (domain->run && domain->run->save.kind == SAVE_GIVEN && domain->state == DOMAIN_PAUSED)
        run_end(domain, SHUTOFF_MIGRATED, STOPPED_MIGRATED);
    else if (domain->run)
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                         "domain '%s' is not being migrated", domain_name(domain));
    domain_job_end(domain, &job);
    return r;
}

int driver_migrate_confirm(Domain *domain, const MigrateParams *params, bool cancelled,
                           Error **reterr) {
    MigrateOut *found = migrate_out_find(domain);
    CLEANUP_OUT MigrateOut *out = found ? migrate_out_ref(found) : NULL;
    int r = 0;

    if (out && out->owner != params->owner && !out->owner_gone)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "the migration of domain '%s' under way is another client's",
                            domain_name(domain));
    if (out) {
        out->confirmed = true;
        out->cancelled = cancelled;
        out->lost = cancelled && params->lost;
        fiber_cond_broadcast(&out->cond);
        while (!out->over)
            fiber_cond_wait(&out->cond, USEC_FOREVER);
        if (out->late)
            r = error_propagate(reterr, TAKE_PTR(out->late));
    } else {
        if (domain->run && domain->run->save.tried)
            save_settle_soon(domain); /* whoever asks may have mended what was in the way */
        if (!cancelled && domain->run)
            r = confirm_found(domain, reterr);
    }
    if (r >= 0 && !cancelled && (params->flags & MIGRATE_UNDEFINE_SOURCE))
        undefine(domain);
    return r;
}
