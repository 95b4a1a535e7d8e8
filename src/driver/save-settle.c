/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Saves and restores that a daemon's end has interrupted: where is the guest? */

#include <sys/stat.h>

#include "domain/events.h"
#include "domain/files.h"
#include "domain/store.h"
#include "driver/migrate.h"
#include "driver/postcopy.h"
#include "driver/run-end.h"
#include "driver/run-state.h"
#include "driver/save-settle.h"
#include "driver/saved.h"
#include "driver/transfer.h"
#include "qemu/migrate.h"
#include "util/file.h"
#include "util/directory.h"
#include "util/log.h"
#include "util/worker.h"

#define CANCEL_USEC (60 * USEC_PER_SEC)
#define POLL_USEC (20 * USEC_PER_MSEC)
#define AGAIN_FIRST_USEC USEC_PER_SEC /* between two tries; doubles */
#define AGAIN_LAST_USEC (30 * USEC_PER_SEC)

/* 1: the complete file of that very save is there; 0: there is none; < 0: nobody can tell now. */
static int has_file(const SaveIntent *intent, Error **reterr) {
    return intent->path && intent->id ? save_look(intent->path, intent->id, reterr) : 0;
}

/* QEMU went on writing while nobody waited for it. */
static int stop_writing(Domain *domain, Error **reterr) {
    const uint64_t deadline = deadline_in(CANCEL_USEC);
    MigrateProgress progress = {0};
    bool told = false;
    int r = migrate_query(domain->run->monitor, &progress, reterr);

    while (r >= 0 && progress.phase == MIGRATE_ACTIVE && now_usec() < deadline) {
        if (!told) /* a "no": it may be over by now, or is told again */
            told = migrate_cancel(domain->run->monitor, NULL) >= 0;
        fiber_sleep(POLL_USEC);
        r = domain_check_active(domain, reterr);
        if (r >= 0)
            r = migrate_query(domain->run->monitor, &progress, reterr);
    }
    return r;
}

static int go_on(Domain *domain, int reason, Error **reterr) {
    int r = transfer_let_run(domain, reterr);

    if (r >= 0)
        run_state_set_running(domain, reason);
    return r;
}

int save_settle_back(Domain *domain, int reason, Error **reterr) {
    int r;

    assert(domain_job_is_mine(domain));
    r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = stop_writing(domain, reterr);
    return r >= 0 && domain->run->save.running ? go_on(domain, reason, reterr) : r;
}

/* After a save that is complete, the run state is not "postmigrate" any more once somebody has let
 * the guest run. 1, and whether that is so. */
static int has_left(Domain *domain, bool *ret_ran, Error **reterr) {
    char status[RUN_STATE_SIZE];
    int r = run_state_query(domain, status, reterr);

    *ret_ran = r >= 0 && !streq(status, "postmigrate") && !streq(status, "finish-migrate");
    return r < 0 ? r : 1;
}

static int run_remove_regular(void *path) {
    struct stat info;

    if (lstat(path, &info) < 0)
        return errno == ENOENT ? 0 : -errno;
    return !S_ISREG(info.st_mode) ? 0 : unlink(path) < 0 ? -errno : saved_sync_directory(path);
}

/* Somebody has let a guest run that was saved: the file is of its past. */
static int keep_running(Domain *domain, Error **reterr) {
    CLEANUP_FREE char *path = strdup(domain->run->save.path);
    int r = path ? worker_run(run_remove_regular, path) : -ENOMEM;

    if (r < 0)
        return error_system(reterr, FROM_QEMU, r,
                            "somebody has let the guest run since it was saved to '%s', which "
                            "cannot be removed; remove it",
                            path ? path : domain->run->save.path);
    log_warning("domain '%s' was saved to '%s' when vireod ended, but somebody has let it run "
                "since: it goes on, and the file is removed",
                domain_name(domain), path);
    return run_state_sync(domain, reterr);
}

static int settle_to(Domain *domain, Error **reterr) {
    SaveIntent *intent = &domain->run->save;
    CLEANUP_FREE char *part = NULL;
    bool ran = false;
    int r = has_file(intent, reterr);

    if (r > 0)
        r = has_left(domain, &ran, reterr);
    if (r < 0)
        return r;
    if (ran)
        return keep_running(domain, reterr);
    if (r > 0) {
        log_info("domain '%s': it was saved to '%s' when vireod ended, ending its QEMU",
                 domain_name(domain), intent->path);
        run_end(domain, SHUTOFF_SAVED, STOPPED_SAVED);
        return 0;
    }
    log_info("domain '%s': its save was interrupted, the guest goes on", domain_name(domain));
    part = intent->path && intent->id ? domain_save_part_path(intent->path, intent->id) : NULL;
    r = save_settle_back(domain, RUNNING_SAVE_CANCELED, reterr);
    if (part)
        file_remove_worker(part);
    return r;
}

/* QEMU's word for "runs, or did": then the guest is there whatever the file says. */
static int has_run(Domain *domain, bool *ret, Error **reterr) {
    char status[RUN_STATE_SIZE];
    int r = run_state_query(domain, status, reterr);

    if (r >= 0)
        *ret = !(streq(status, "paused") || streq(status, "prelaunch") ||
                 streq(status, "inmigrate"));
    return MIN_OF(r, 0);
}

/* Its guest has not run, and the managed save has the name of one that was taken. */
static int settle_taken(Domain *domain, Error **reterr) {
    CLEANUP_FREE char *path = strdup(domain->run->save.path);
    CLEANUP_FREE char *taken = path ? save_taken_path(path) : NULL;
    int r = path ? 0 : error_no_memory(reterr);

    if (r >= 0 && domain->run->save.running)
        r = go_on(domain, RUNNING_RESTORED, reterr);
    if (r >= 0) {
        save_drop_taken(path);
    } else if (taken && r != -ETIMEDOUT && domain_check_active(domain, NULL) >= 0 &&
               save_look(taken, domain->run->save.id, NULL) > 0 &&
               domain_check_active(domain, NULL) >= 0) {
        log_warning("domain '%s': QEMU does not let its restored guest run, ending its QEMU; the "
                    "saved guest is still there: %s",
                    domain_name(domain), error_message(*reterr));
        save_give_back(path);
        run_end(domain, SHUTOFF_FAILED, STOPPED_FAILED);
        return 0;
    }
    return r;
}

/* It was given to this side, so nobody else has it; but a person may have resumed it over there. */
static int keep_yours(Domain *domain, Error **reterr) {
    int r = run_state_sync(domain, reterr);

    if (r < 0)
        return r;
    if (!domain->run->save.running) {
        log_info("domain '%s' has moved here, and is paused as it was to be", domain_name(domain));
        return 0;
    }
    run_state_set_paused(domain, PAUSED_MIGRATION);
    log_warning("domain '%s' was handed over to this host when vireod ended, and did not run yet: "
                "it stays paused. Resume it if it does not run at the host that it came from, "
                "destroy it if it does",
                domain_name(domain));
    return 0;
}

static int settle_from(Domain *domain, Error **reterr) {
    SaveIntent *intent = &domain->run->save;
    bool ran = false;
    int r = has_run(domain, &ran, reterr);

    if (r >= 0 && !ran)
        r = has_file(intent, reterr);
    if (r < 0)
        return r;
    if (ran) {
        if (intent->path)
            save_drop_taken(intent->path);
        r = domain_check_active(domain, reterr);
        return r < 0 ? r : run_state_sync(domain, reterr);
    }
    if (intent->yours)
        return keep_yours(domain, reterr);
    if (!intent->path || r > 0) {
        log_info("domain '%s': its restore was interrupted before it ran, ending its QEMU; the "
                 "saved guest is still there",
                 domain_name(domain));
        run_end(domain, SHUTOFF_FAILED, STOPPED_FAILED);
        return 0;
    }
    return settle_taken(domain, reterr);
}

/* QEMU has not sent all of it, or nobody was told to run it: it goes on here. */
static int settle_out(Domain *domain, Error **reterr) {
    int r = stop_writing(domain, reterr);

    log_info("domain '%s': its migration was interrupted, the guest goes on", domain_name(domain));
    if (r >= 0)
        r = run_state_sync(domain, reterr);
    if (r >= 0 && domain->run->save.running && domain->state == DOMAIN_PAUSED)
        r = go_on(domain, RUNNING_MIGRATION_CANCELED, reterr);
    return r;
}

/* Its <save> stays, so that a client may still confirm. */
static int settle_given(Domain *domain, Error **reterr) {
    int r = run_state_sync(domain, reterr);

    if (r < 0 || domain->state != DOMAIN_PAUSED) { /* somebody has let it run */
        if (domain->run)
            save_forget(domain->run);
        return r;
    }
    run_state_set_paused(domain, PAUSED_MIGRATION);
    log_warning("domain '%s' was handed over to another host when vireod ended: it stays paused. "
                "Destroy it if the guest runs there, resume it if it does not",
                domain_name(domain));
    return 0;
}

/* Until QEMU is in post-copy, or whatever it comes to instead: no clock says that a guest which is
 * on its way does not come. */
static int await_postcopy(Domain *domain, MigratePhase *ret, Error **reterr) {
    MigrateProgress progress = {.phase = MIGRATE_ACTIVE};
    int r = domain_check_active(domain, reterr);

    while (r >= 0 && progress.phase == MIGRATE_ACTIVE && !domain->run->save.seen) {
        if (migrate_query(domain->run->monitor, &progress, NULL) < 0)
            progress.phase = MIGRATE_ACTIVE; /* asked again, of a QEMU that is there */
        if (progress.phase == MIGRATE_ACTIVE)
            fiber_sleep(POLL_USEC);
        r = domain_check_active(domain, reterr);
    }
    if (r >= 0 && migrate_was_in_postcopy(&progress))
        domain->run->save.seen = true;
    *ret = progress.phase;
    return r;
}

/* It has left, and QEMU has come to its end with it, or will, or has given it up. */
static int settle_left(Domain *domain, Error **reterr) {
    TransferStats stats = {0};
    int r = run_state_sync(domain, reterr);

    if (r >= 0)
        r = postcopy_leave(domain, &stats, reterr);
    if (r >= 0) {
        run_end(domain, SHUTOFF_MIGRATED, STOPPED_MIGRATED);
        return 0;
    }
    if (domain_check_active(domain, NULL) >= 0 &&
        (stats.progress.phase == MIGRATE_FAILED || stats.progress.phase == MIGRATE_CANCELLED)) {
        postcopy_leave_unknown(domain);
        return 0;
    }
    return r;
}

/* The switch was decided, so it is done: a QEMU that was asked for it cannot be stopped any more.
 *
 * A guest that runs has not left: it is stopped before QEMU is asked. Neither has one that this
 * daemon has seen on its way to its end without post-copy: the destination lets none run without
 * this side's word. What was over before this daemon came may have been either. */
static int settle_postcopy_out(Domain *domain, Error **reterr) {
    MigratePhase phase = MIGRATE_ACTIVE;
    MigrateProgress first = {0};
    char status[RUN_STATE_SIZE] = "";
    int r = run_state_query(domain, status, reterr);
    const bool ran = streq(status, "running");

    if (r >= 0)
        r = transfer_pause(domain, reterr); /* nobody else may let it run meanwhile */
    if (r >= 0)
        r = migrate_query(domain->run->monitor, &first, reterr);
    if (r >= 0 && first.phase == MIGRATE_ACTIVE && !domain->run->save.seen)
        migrate_start_postcopy(domain->run->monitor, NULL); /* again, or too late */
    if (r >= 0)
        r = await_postcopy(domain, &phase, reterr);
    if (r < 0)
        return r;
    if (domain->run->save.seen)
        return settle_left(domain, reterr);
    if (ran || first.phase == MIGRATE_ACTIVE || first.phase == MIGRATE_IDLE) {
        domain->run->save.kind = SAVE_OUT;
        return settle_out(domain, reterr);
    }
    domain->run->save.kind = SAVE_GIVEN; /* with it or without */
    return settle_given(domain, reterr);
}

/* The guest is here: it runs, and the rest of its memory comes. */
static int take_arrived(Domain *domain, Error **reterr) {
    CLEANUP_ERROR Error *refusal = NULL;
    bool ran = false;
    int r = postcopy_await_loaded(domain, reterr);

    if (r < 0 && domain_check_active(domain, NULL) >= 0) {
        log_info("domain '%s': its guest did not get here, ending its QEMU: %s",
                 domain_name(domain), error_message(*reterr));
        run_end(domain, SHUTOFF_FAILED, STOPPED_FAILED);
        return 0;
    }
    if (r >= 0)
        r = has_run(domain, &ran, reterr);
    if (r >= 0)
        r = postcopy_arrive(domain, !ran && domain->run->save.running, &refusal, reterr);
    if (r >= 0 && domain->run)
        save_forget(domain->run);
    if (refusal)
        log_warning("domain '%s' is here with all of its memory, and stands still: its QEMU did "
                    "not let it run: %s; resume it",
                    domain_name(domain), error_message(refusal));
    return r;
}

/* Without post-copy it is as with any that comes, but for one: a guest that is all here may have
 * come either way. */
static int settle_postcopy_in(Domain *domain, Error **reterr) {
    MigratePhase phase = MIGRATE_ACTIVE;
    bool ran = false;
    int r = await_postcopy(domain, &phase, reterr);

    if (r >= 0 && domain->run->save.seen)
        return take_arrived(domain, reterr);
    if (r >= 0)
        r = has_run(domain, &ran, reterr);
    if (r < 0)
        return r;
    if (ran || phase != MIGRATE_DONE)
        return settle_from(domain, reterr);
    run_state_set_paused(domain, PAUSED_MIGRATION);
    log_warning("domain '%s' was all here when vireod ended, and did not run yet: it stays paused. "
                "Resume it if it does not run at the host that it came from, destroy it if it does",
                domain_name(domain));
    save_forget(domain->run);
    return 0;
}

static int settle_kind(Domain *domain, Error **reterr) {
    switch (domain->run->save.kind) {
    case SAVE_NONE:
        return 0;
    case SAVE_TO:
        return settle_to(domain, reterr);
    case SAVE_FROM:
        return settle_from(domain, reterr);
    case SAVE_OUT:
        return settle_out(domain, reterr);
    case SAVE_GIVEN:
        return settle_given(domain, reterr);
    case SAVE_POSTCOPY_OUT:
        return settle_postcopy_out(domain, reterr);
    case SAVE_POSTCOPY_IN:
        return settle_postcopy_in(domain, reterr);
    }
    return 0;
}

/* What came of a try. Job held. */
static void note_try(Domain *domain, int r, const Error *error) {
    DomainRun *run = domain->run;

    if (r < 0 && (!run || !run->unsettled || !streq(run->unsettled, error_message(error))))
        log_warning("domain '%s': its interrupted save or migration is not settled: %s",
                    domain_name(domain), error_message(error));
    if (!run)
        return;
    free(TAKE_PTR(run->unsettled));
    run->save.tried = r < 0;
    if (r < 0)
        run->unsettled = strdup(error_message(error));
    else if (run->save.kind != SAVE_GIVEN && !run->postcopy)
        save_forget(run);
    if (r >= 0)
        domain_save_status(domain, NULL);
}

/* Whether another try may help: not of a post-copy that has failed, which a client takes up again,
 * and not without a monitor, as whoever connects again tries by himself. */
static bool try_once(Domain *domain, int id) {
    CLEANUP_ERROR Error *error = NULL;
    DomainJob job;
    bool again = false;

    if (domain_job_begin_for_run(domain, &job, "the end of an interrupted save", id) < 0)
        return false;
    if (domain_check_active(domain, NULL) >= 0 && domain->run->save.kind != SAVE_NONE) {
        const int r = settle_kind(domain, &error);

        note_try(domain, r, error);
        again = r < 0 && domain_check_active(domain, NULL) >= 0 && !domain->run->postcopy;
    }
    domain_job_end(domain, &job);
    return again;
}

static bool is_same_run(const Domain *domain, int id) {
    return domain->run && domain->run->id == id;
}

static void settle(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    const int id = domain_id(domain);
    uint64_t pause = AGAIN_FIRST_USEC;

    if (!try_once(domain, id) || !is_same_run(domain, id) || domain->run->settling)
        return;
    domain->run->settling = true;
    while (domain->services && !task_sleep(&domain->services->tasks, pause) &&
           is_same_run(domain, id) && domain->run->save.tried && try_once(domain, id))
        pause = MIN_OF(2 * pause, AGAIN_LAST_USEC);
    if (is_same_run(domain, id))
        domain->run->settling = false;
}

void save_settle_soon(Domain *domain) {
    int r;

    if (!domain->run || domain->run->save.kind == SAVE_NONE || !domain->services)
        return;
    r = task_start(&domain->services->tasks, "settle-save", settle, domain_ref(domain));
    if (r == -ENOMEM)
        log_warning("domain '%s': out of memory for its interrupted save", domain_name(domain));
    if (r < 0)
        domain_unref(domain);
}

char *save_settle_describe(const Domain *domain, const char **ret_advice) {
    const DomainRun *run = domain->run;
    const SaveKind kind = run ? run->save.kind : SAVE_NONE;

    if (kind == SAVE_NONE || run->transfer || migrate_is_out(domain))
        return NULL;
    if (run->unsettled && !run->postcopy) {
        *ret_advice = "vireod tries again by itself; look at what it says is in the way";
        return strf("domain '%s': its interrupted %s is not settled: %s", domain_name(domain),
                    kind == SAVE_TO || (kind == SAVE_FROM && run->save.path) ? "save" : "migration",
                    run->unsettled);
    }
    if (run->postcopy) {
        *ret_advice = "'virsh migrate --postcopy --postcopy-resume' at its source goes on; a host "
                      "that is lost takes its half of the memory with it";
        return strf("domain '%s': its post-copy has failed, its memory is at two hosts",
                    domain_name(domain));
    }
    if (kind != SAVE_GIVEN)
        return NULL;
    *ret_advice = "destroy it here if it runs there, resume it if it does not";
    return strf("domain '%s' was handed over to another host, which has not said whether it runs "
                "there: it stays paused",
                domain_name(domain));
}

/* The file of a save that goes on in a QEMU is not one of them. */
static bool is_wanted(const Services *services, const char *path) {
    for (const Domain *domain = services->store->domains; domain; domain = domain->next) {
        const SaveIntent *intent = domain->run ? &domain->run->save : NULL;
        CLEANUP_FREE char *part = intent && intent->kind == SAVE_TO && intent->path && intent->id
                                      ? domain_save_part_path(intent->path, intent->id)
                                      : NULL;

        if (part && streq(part, path))
            return true;
    }
    return false;
}

void save_clean_up(const Services *services) {
    CLEANUP_FREE char *directory = path_join(services->paths.lib, "save");
    CLEANUP_NAMES DirectoryNames names = {0};

    if (!directory || directory_names(directory, ".part", &names) < 0)
        return;
    for (size_t i = 0; i < names.n; i++) {
        CLEANUP_FREE char *path = path_join(directory, names.list[i]);

        if (path && !is_wanted(services, path))
            file_remove_worker(path);
    }
}
