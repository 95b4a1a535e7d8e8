/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From QEMU's words to libvirt's states. */
#include "driver/run-state.h"

#include "domain/events.h"
#include "domain/files.h"
#include "domain/services.h"
#include "domain/vcpu-change.h"
#include "driver/run-end.h"
#include "util/json.h"
#include "util/log.h"

#define COMMAND_USEC (30 * USEC_PER_SEC)
#define INTENT_USEC (300 * USEC_PER_SEC)

/* ---- setting ---- */

/* libvirt's detail of SUSPENDED for a reason of PAUSED. */
static int suspended_detail(int reason) {
    switch (reason) {
    case PAUSED_MIGRATION:
        return SUSPENDED_MIGRATED;
    case PAUSED_POSTCOPY:
        return SUSPENDED_POSTCOPY;
    case PAUSED_POSTCOPY_FAILED:
        return SUSPENDED_POSTCOPY_FAILED;
    case PAUSED_IOERROR:
        return SUSPENDED_IOERROR;
    case PAUSED_WATCHDOG:
        return SUSPENDED_WATCHDOG;
    default:
        return SUSPENDED_PAUSED;
    }
}

void run_state_set_paused(Domain *domain, int reason) {
    if (domain->state == DOMAIN_PAUSED && domain->reason == reason)
        return;
    domain_set_state(domain, DOMAIN_PAUSED, reason);
    events_lifecycle(domain, EVENT_SUSPENDED, suspended_detail(reason));
}

void run_state_set_running(Domain *domain, int reason) {
    if (domain->state == DOMAIN_RUNNING)
        return;
    domain_set_state(domain, DOMAIN_RUNNING, reason);
    if (reason == RUNNING_WAKEUP)
        events_lifecycle(domain, EVENT_STARTED, STARTED_WAKEUP);
    else
        events_lifecycle(domain, EVENT_RESUMED,
                         reason == RUNNING_MIGRATED ? RESUMED_MIGRATED : RESUMED_UNPAUSED);
    vcpu_change_resumed(domain);
}

static void set_crashed(Domain *domain) {
    if (domain->state == DOMAIN_CRASHED)
        return;
    domain_set_state(domain, DOMAIN_CRASHED, CRASHED_PANICKED);
    events_lifecycle(domain, EVENT_CRASHED, CRASHED_DETAIL_PANICKED);
}

static void set_suspended_by_guest(Domain *domain, int detail) {
    if (domain->state == DOMAIN_PMSUSPENDED)
        return;
    domain_set_state(domain, DOMAIN_PMSUSPENDED, 0);
    events_lifecycle(domain, EVENT_PMSUSPENDED, detail);
}

/* ---- fibers ---- */

static bool start_with(Domain *domain, const char *name, FiberFunc func) {
    domain_ref(domain);
    if (fiber_start(name, func, domain) >= 0)
        return true;
    log_warning("domain '%s': out of memory for '%s'", domain_name(domain), name);
    domain_unref(domain);
    return false;
}

/* Ends a QEMU whose guest has ended, or never began: run->end_reason and _detail say how. */
static void end_run(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    DomainJob job;

    if (domain_job_begin_for_run(domain, &job, "the end of its guest", domain_id(domain)) < 0)
        return;
    if (domain->run->ending)
        run_end(domain, domain->run->end_reason, domain->run->end_detail);
    domain_job_end(domain, &job);
}

static void begin_end(Domain *domain, int reason, int detail) {
    DomainRun *run = domain->run;

    if (run->ending)
        return;
    run->end_reason = reason;
    run->end_detail = detail;
    run->ending = start_with(domain, "end", end_run);
}

/* ---- intents ---- */

static int set_action(Domain *domain, const char *what, const char *action, Error **reterr) {
    CLEANUP_JSON json_object *arguments = json_object_new_object();

    if (!arguments || json_add_string(arguments, what, action) < 0)
        return error_no_memory(reterr);
    return monitor_run(domain->run->monitor, "set-action", TAKE_PTR(arguments),
                       deadline_in(COMMAND_USEC), NULL, reterr);
}

int run_state_pause_at_panic(Domain *domain, Error **reterr) {
    assert(domain_job_is_mine(domain));
    if (!domain->run->caps || !qemu_caps_has_command(domain->run->caps, "set-action"))
        return 0; /* then a panic ends QEMU */
    return set_action(domain, "panic", "pause", reterr);
}

int run_state_prepare(Domain *domain, Error **reterr) {
    return domain->run->live->on_crash == LIFECYCLE_DESTROY
               ? 0
               : run_state_pause_at_panic(domain, reterr);
}

int run_state_set_reboot(Domain *domain, bool ends, Error **reterr) {
    assert(domain_job_is_mine(domain));
    return set_action(domain, "reboot", ends ? "shutdown" : "reset", reterr);
}

static int on_intent_end(sd_event_source *source, uint64_t usec, void *userdata);

/* A timer that cannot be had: then the intent ends with the guest's next power-off. */
static void watch_intent(Domain *domain) {
    DomainRun *run = domain->run;
    const uint64_t asked = domain->services ? domain->services->settings.reboot_usec : 0;
    const uint64_t usec = asked ? asked : INTENT_USEC;

    run->intent_end = sd_event_source_disable_unref(run->intent_end);
    sd_event_add_time_relative(fiber_event(), &run->intent_end, CLOCK_MONOTONIC, usec, 0,
                               on_intent_end, domain);
}

int run_state_intend_nothing(Domain *domain, Error **reterr) {
    DomainRun *run = domain->run;
    int r;

    assert(domain_job_is_mine(domain));
    if (!run->rebooting)
        return 0;
    run->rebooting = false; /* a power-off from now on is one */
    r = set_action(domain, "shutdown", "poweroff", reterr);
    if (r < 0) {
        run->rebooting = true;
        if (!run->intent_end)
            watch_intent(domain);
        return r;
    }
    run->intent_end = sd_event_source_disable_unref(run->intent_end);
    return run->guest_shutdown ? run_state_sync(domain, reterr) : 0; /* and QEMU paused at it */
}

/* What a reset or the time has ended. */
static void drop_intent(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    CLEANUP_ERROR Error *error = NULL;
    DomainJob job;

    if (domain_job_begin_for_run(domain, &job, "end of a reboot", domain_id(domain)) < 0)
        return;
    domain->run->dropping = false;
    if (domain_check_active(domain, NULL) >= 0 && domain->run->rebooting &&
        !domain->run->resetting) {
        if (run_state_intend_nothing(domain, &error) < 0)
            log_warning("domain '%s': %s", domain_name(domain), error_message(error));
        else
            run_state_sync(domain, NULL); /* it may have powered off just then */
        domain_save_status(domain, NULL);
    }
    domain_job_end(domain, &job);
}

/* A guest may reset as often as it likes while others hold the job. */
static void begin_drop(Domain *domain) {
    if (!domain->run->dropping)
        domain->run->dropping = start_with(domain, "drop-intent", drop_intent);
}

static int on_intent_end(sd_event_source *source, uint64_t usec, void *userdata) {
    Domain *domain = userdata;

    log_info("domain '%s': the guest did not follow the reboot", domain_name(domain));
    domain->run->intent_end = sd_event_source_disable_unref(source);
    begin_drop(domain);
    return 0;
}

void run_state_take_back_reboot(Domain *domain) {
    CLEANUP_ERROR Error *error = NULL;

    if (domain_check_active(domain, &error) < 0 || run_state_intend_nothing(domain, &error) < 0)
        log_warning("domain '%s': the reboot is still intended: %s", domain_name(domain),
                    error_message(error));
    else
        domain_save_status(domain, NULL);
}

int run_state_intend_reboot(Domain *domain, Error **reterr) {
    const bool is_new = !domain->run->rebooting;
    int r;

    assert(domain_job_is_mine(domain));
    r = set_action(domain, "shutdown", "pause", reterr);
    if (r < 0)
        return r;
    domain->run->rebooting = true;
    watch_intent(domain);
    r = domain_save_status(domain, reterr);
    if (r < 0 && is_new)
        run_state_take_back_reboot(domain);
    return r;
}

/* The guest has powered off for a reboot, or has crashed and is to start again: reset it and let it
 * go on. */
static int reset_and_go_on(Domain *domain, Error **reterr) {
    const uint64_t deadline = deadline_in(COMMAND_USEC);
    int r = domain_check_active(domain, reterr);

    if (r >= 0)
        r = domain_check_survives(domain, "reset the guest", reterr);
    if (r >= 0)
        r = monitor_run(domain->run->monitor, "system_reset", NULL, deadline, NULL, reterr);
    if (r >= 0)
        domain->run->guest_shutdown = false;
    if (r >= 0)
        r = run_state_intend_nothing(domain, reterr);
    if (r >= 0)
        r = monitor_run(domain->run->monitor, "cont", NULL, deadline, NULL, reterr);
    return r;
}

static void finish_reboot(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    CLEANUP_ERROR Error *error = NULL;
    DomainJob job;
    int r;

    if (domain_job_begin_for_run(domain, &job, "reboot", domain_id(domain)) < 0)
        return;
    r = reset_and_go_on(domain, &error);
    domain->run->resetting = false;
    if (r >= 0)
        r = run_state_sync(domain, &error);
    if (r >= 0)
        domain_save_status(domain, NULL);
    else
        log_warning("domain '%s': reboot failed: %s", domain_name(domain), error_message(error));
    domain_job_end(domain, &job);
}

static void begin_reset(Domain *domain) {
    if (domain->run->resetting)
        return;
    domain->run->resetting = start_with(domain, "reboot", finish_reboot);
}

/* ---- events ---- */

static void on_shutdown(Domain *domain, json_object *data) {
    DomainRun *run = domain->run;

    if (run->rebooting || run->resetting) {
        begin_reset(domain);
        return;
    }
    if (domain->state == DOMAIN_CRASHED) /* what QEMU does of it: it ends */
        return;
    if (run->guest_shutdown)
        return;
    run->guest_shutdown = true;
    domain_set_state(domain, DOMAIN_SHUTTING_DOWN, 0);
    events_lifecycle(domain, EVENT_SHUTDOWN,
                     json_member_bool(data, "guest", false) ? SHUTDOWN_GUEST : SHUTDOWN_HOST);
}

static void on_stop(Domain *domain, json_object *data) {
    if (domain->state == DOMAIN_RUNNING && !domain->run->resetting)
        run_state_set_paused(domain, domain->run->pause_reason);
}

/* A start and a reset set what follows themselves. */
static void on_resume(Domain *domain, json_object *data) {
    domain->run->resumed = true;
    if (domain->state == DOMAIN_PAUSED && domain->reason == PAUSED_STARTING_UP)
        return;
    if (domain->state == DOMAIN_PAUSED || domain->state == DOMAIN_CRASHED)
        run_state_set_running(domain, RUNNING_UNPAUSED);
}

static void on_reset(Domain *domain, json_object *data) {
    events_reboot(domain);
    if (domain->run->rebooting && !domain->run->resetting)
        begin_drop(domain);
}

/* "run": QEMU was told not to care. "pause": what is next is ours to decide. Else QEMU ends. */
static void on_panicked(Domain *domain, json_object *data) {
    const LifecycleAction policy = domain->run->live->on_crash;
    const char *action = json_member_string(data, "action");

    if (action && streq(action, "run"))
        return;
    set_crashed(domain);
    if (action && !streq(action, "pause"))
        return;
    if (policy == LIFECYCLE_RESTART || policy == LIFECYCLE_RENAME_RESTART ||
        policy == LIFECYCLE_COREDUMP_RESTART)
        begin_reset(domain);
    else if (policy != LIFECYCLE_PRESERVE)
        begin_end(domain, SHUTOFF_CRASHED, STOPPED_CRASHED);
}

static void on_io_error(Domain *domain, json_object *data) {
    const char *action = json_member_string(data, "action");

    if (action && streq(action, "stop") && domain->state == DOMAIN_RUNNING)
        run_state_set_paused(domain, PAUSED_IOERROR);
}

static void on_watchdog(Domain *domain, json_object *data) {
    const char *action = json_member_string(data, "action");

    if (action && streq(action, "pause") && domain->state == DOMAIN_RUNNING)
        run_state_set_paused(domain, PAUSED_WATCHDOG);
}

static void on_suspend(Domain *domain, json_object *data) {
    set_suspended_by_guest(domain, PMSUSPENDED_MEMORY);
}

static void on_suspend_disk(Domain *domain, json_object *data) {
    set_suspended_by_guest(domain, PMSUSPENDED_DISK);
}

static void on_wakeup(Domain *domain, json_object *data) {
    if (domain->state == DOMAIN_PMSUSPENDED)
        run_state_set_running(domain, RUNNING_WAKEUP);
}

bool run_state_on_event(Domain *domain, const char *name, json_object *data) {
    static const struct {
        const char *name;
        void (*func)(Domain *domain, json_object *data);
    } rows[] = {
        {"SHUTDOWN", on_shutdown},
        {"STOP", on_stop},
        {"RESUME", on_resume},
        {"RESET", on_reset},
        {"GUEST_PANICKED", on_panicked},
        {"BLOCK_IO_ERROR", on_io_error},
        {"WATCHDOG", on_watchdog},
        {"SUSPEND", on_suspend},
        {"SUSPEND_DISK", on_suspend_disk},
        {"WAKEUP", on_wakeup},
    };

    assert(domain->run);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (!streq(name, rows[i].name))
            continue;
        if (!domain->run->stopping) /* our own doing */
            rows[i].func(domain, data);
        return true;
    }
    return false;
}

/* ---- asking ---- */

/* The guest has powered off, and QEMU waits. */
static void on_found_shut_down(Domain *domain) {
    on_shutdown(domain, NULL);
    if (!domain->run->resetting)
        begin_end(domain, SHUTOFF_SHUTDOWN, STOPPED_SHUTDOWN);
}

/* QEMU's run state (its qapi/run-state.json). */
static void take_status(Domain *domain, const char *status) {
    if (streq(status, "running"))
        run_state_set_running(domain, domain->reason == PAUSED_STARTING_UP ? RUNNING_BOOTED
                                                                           : RUNNING_UNPAUSED);
    else if (streq(status, "io-error"))
        run_state_set_paused(domain, PAUSED_IOERROR);
    else if (streq(status, "watchdog"))
        run_state_set_paused(domain, PAUSED_WATCHDOG);
    else if (streq(status, "guest-panicked"))
        on_panicked(domain, NULL);
    else if (streq(status, "suspended"))
        set_suspended_by_guest(domain, PMSUSPENDED_MEMORY);
    else if (streq(status, "shutdown"))
        on_found_shut_down(domain);
    else if (streq(status, "prelaunch") && domain->reason == PAUSED_STARTING_UP)
        begin_end(domain, SHUTOFF_FAILED,
                  STOPPED_FAILED); /* a start that did not come to its end */
    else if (domain->state != DOMAIN_PAUSED || domain->reason == PAUSED_STARTING_UP)
        run_state_set_paused(domain, PAUSED_UNKNOWN);
}

int run_state_query(Domain *domain, char ret[RUN_STATE_SIZE], Error **reterr) {
    CLEANUP_JSON json_object *value = NULL;
    const char *status;
    int r = domain_check_active(domain, reterr);

    if (r >= 0)
        r = monitor_run(domain->run->monitor, "query-status", NULL, deadline_in(COMMAND_USEC),
                        &value, reterr);
    if (r < 0)
        return r;
    status = json_member_string(value, "status");
    snprintf(ret, RUN_STATE_SIZE, "%s", status ? status : "");
    return 0;
}

int run_state_sync(Domain *domain, Error **reterr) {
    char status[RUN_STATE_SIZE];
    int r = run_state_query(domain, status, reterr);

    assert(domain_job_is_mine(domain));
    if (r < 0)
        return r;
    if (*status && domain->run && !domain->run->stopping && !domain->run->resetting)
        take_status(domain, status);
    if (domain->run && domain->run->rebooting && !domain->run->intent_end)
        watch_intent(domain);
    return 0;
}

static void sync_fiber(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    CLEANUP_ERROR Error *error = NULL;
    DomainJob job;

    if (domain_job_begin_for_run(domain, &job, "asking QEMU for its state", domain_id(domain)) < 0)
        return;
    domain->run->syncing = false; /* what happens from here on is to be asked for again */
    if (domain_check_active(domain, NULL) >= 0 && run_state_sync(domain, &error) < 0)
        log_warning("domain '%s': %s", domain_name(domain), error_message(error));
    if (domain->run && domain->run->commanded == COMMANDED_UNSAVED &&
        domain_save_status(domain, NULL) >= 0)
        domain->run->commanded = COMMANDED_SAVED;
    domain_job_end(domain, &job);
}

void run_state_sync_soon(Domain *domain) {
    if (domain->run && !domain->run->syncing)
        domain->run->syncing = start_with(domain, "sync", sync_fiber);
}
