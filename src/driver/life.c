/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's life, as a client asks for it: start, stop, pause, reset. */
#include "domain/files.h"
#include "domain/removal.h"
#include "driver/driver.h"
#include "driver/run-end.h"
#include "driver/run-link.h"
#include "driver/run-state.h"
#include "driver/run-watch.h"
#include "driver/saved.h"
#include "driver/start-domain.h"
#include "driver/transfer.h"
#include "util/directory.h"
#include "util/file.h"
#include "util/log.h"

#define COMMAND_USEC (30 * USEC_PER_SEC)
#define KILL_GRACE_USEC (2 * USEC_PER_SEC)
#define GRACEFUL_USEC (15 * USEC_PER_SEC)

int driver_start(Domain *domain, unsigned flags, Error **reterr) {
    return start_domain(domain, flags, reterr);
}

int driver_destroy(Domain *domain, bool graceful, Error **reterr) {
    DomainJob job;
    QemuPid pid;
    int r, id;

    if (!domain->run)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain is not running");
    /* Whoever holds the job may be waiting for this QEMU: end it first, then queue. The run may be
     * gone after the wait, so the kill has a pid of its own. */
    domain->run->stopping = true;
    pid = domain->run->pid;
    id = domain->run->id;
    qemu_process_kill(&pid, graceful ? GRACEFUL_USEC : KILL_GRACE_USEC);
    if (domain_id(domain) == id)
        removal_wake(domain);
    r = domain_job_begin(domain, &job, "destroy", reterr);
    if (r < 0) {
        if (domain_id(domain) == id) { /* its end was passed over: it is looked at now */
            domain->run->stopping = false;
            run_watch_gone(domain);
        }
        return r;
    }
    if (domain_id(domain) == id)
        run_end(domain, SHUTOFF_DESTROYED, STOPPED_DESTROYED);
    domain_job_end(domain, &job);
    return 0;
}

void driver_remove_log(Domain *domain) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *path = NULL;
    DomainJob job;
    int r;

    if (domain_job_begin(domain, &job, "removal of the log", &error) < 0) {
        log_warning("domain '%s': its log stays: %s", domain_name(domain), error_message(error));
        return;
    }
    path = domain->run || !domain->services
               ? NULL
               : domain_log_path(&domain->services->paths, domain_name(domain));
    r = path ? file_remove_worker(path) : 0;
    if (r < 0 && r != -ENOENT)
        log_warning("domain '%s': its log '%s' stays: %s", domain_name(domain), path, strerror(-r));
    domain_job_end(domain, &job);
}

/* One argument-less QMP command under a job. */
static int simple_command(Domain *domain, const char *what, const char *command, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, what, reterr);

    if (r < 0)
        return r;
    r = domain_check_active(domain, reterr);
    if (r >= 0 && streq(command, "system_reset"))
        r = domain_check_survives(domain, "reset the guest", reterr);
    if (r >= 0)
        r = monitor_run(domain->run->monitor, command, NULL, deadline_in(COMMAND_USEC), NULL,
                        reterr);
    domain_job_end(domain, &job);
    return r;
}

int driver_reset(Domain *domain, Error **reterr) {
    return simple_command(domain, "reset", "system_reset", reterr);
}

static int press_button(Domain *domain, Error **reterr) {
    return monitor_run(domain->run->monitor, "system_powerdown", NULL, deadline_in(COMMAND_USEC),
                       NULL, reterr);
}

/* What the power-off is to mean, then the button. */
static int shut_down(Domain *domain, Error **reterr) {
    int r = domain->state == DOMAIN_RUNNING
                ? 0
                : error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain is not running");

    if (r >= 0)
        r = run_state_intend_nothing(domain, reterr);

    if (r >= 0)
        r = domain_save_status(domain, reterr);
    return r < 0 ? r : press_button(domain, reterr);
}

static int reboot(Domain *domain, Error **reterr) {
    const bool is_new = !domain->run->rebooting;
    int r = domain_check_survives(domain, "reboot the guest", reterr);

    if (r >= 0)
        r = run_state_intend_reboot(domain, reterr);
    if (r < 0)
        return r;
    r = press_button(domain, reterr);
    /* Without an answer it may still be pressed: then the intent ends with its time. */
    if (r < 0 && r != -ETIMEDOUT && is_new)
        run_state_take_back_reboot(domain);
    return r;
}

static int power(Domain *domain, const char *what, int (*func)(Domain *domain, Error **reterr),
                 Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, what, reterr);

    if (r < 0)
        return r;
    r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = func(domain, reterr);
    domain_job_end(domain, &job);
    return r;
}

int driver_shutdown(Domain *domain, Error **reterr) {
    return power(domain, "shutdown", shut_down, reterr);
}

int driver_reboot(Domain *domain, Error **reterr) {
    return power(domain, "reboot", reboot, reterr);
}

/* Its guest runs, so what it came from is of the past. */
static void drop_saved(Domain *domain) {
    CLEANUP_FREE char *path = TAKE_PTR(domain->run->save.path);

    save_forget(domain->run);
    save_drop_taken(path);
}

static int set_running(Domain *domain, bool run, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, run ? "resume" : "suspend", reterr);

    if (r < 0)
        return r;
    r = domain_check_active(domain, reterr);
    if (r >= 0 && domain->state == DOMAIN_PMSUSPENDED)
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain is pmsuspended");
    if (r >= 0 && domain->run->save.kind == SAVE_POSTCOPY_OUT)
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                         "domain '%s' was in post-copy: its guest is at the other host, and parts "
                         "of its memory are only there; destroy what is left of it here when that "
                         "one is given up",
                         domain_name(domain));
    if (r >= 0 && run && domain->run->save.kind == SAVE_FROM && !domain->run->save.tried)
        r = error_report(
            reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
            "domain '%s' was on its way here when vireod ended, and may run elsewhere: "
            "this vireod is about to find out; try again",
            domain_name(domain));
    if (r >= 0 && run && domain->run->save.kind == SAVE_TO && !domain->run->save.tried)
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                         "the save of domain '%s' was interrupted, and its guest may be in the "
                         "file: this vireod is about to find out; try again",
                         domain_name(domain));
    if (r >= 0 && run && domain->run->save.kind == SAVE_POSTCOPY_IN && !domain->run->postcopy &&
        !domain->run->save.tried)
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                         "domain '%s' is on its way here, and may still be given to its old host",
                         domain_name(domain));
    if (r >= 0 && (domain->state == DOMAIN_RUNNING) != run) {
        domain->run->pause_reason = PAUSED_USER; /* what QEMU's STOP will mean */
        r = monitor_run(domain->run->monitor, run ? "cont" : "stop", NULL,
                        deadline_in(COMMAND_USEC), NULL, reterr);
        domain->run->pause_reason = PAUSED_UNKNOWN;
        if (r >= 0 && run && domain->run->save.kind == SAVE_GIVEN)
            save_forget(domain->run); /* whoever resumes it has decided that it runs here */
        if (r >= 0 && run)
            run_state_set_running(domain, RUNNING_UNPAUSED);
        else if (r >= 0)
            run_state_set_paused(domain, PAUSED_USER);
        if (r >= 0 && (domain->run->save.kind == SAVE_POSTCOPY_IN || domain->run->save.tried))
            domain->run->save.running = run; /* as the next try, or daemon, is to leave it */
        if (r >= 0 && run && domain->run->save.kind == SAVE_FROM && domain->run->save.path)
            drop_saved(domain);
        if (r >= 0 && domain->run)
            domain_save_status(domain, NULL);
    }
    domain_job_end(domain, &job);
    return r;
}

int driver_suspend(Domain *domain, Error **reterr) {
    if (transfer_is_out(domain)) /* which holds the job to its end */
        return transfer_pause(domain, reterr);
    return set_running(domain, false, reterr);
}

int driver_resume(Domain *domain, Error **reterr) {
    return set_running(domain, true, reterr);
}

int driver_monitor_command_with_fds(Domain *domain, const char *command, const int *fds,
                                    unsigned n_fds, char **ret, Error **reterr) {
    int r = domain_check_active(domain, reterr);

    if (r < 0)
        return r;
    if (n_fds > MONITOR_FDS_MAX)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "at most %u files can go with a monitor command", MONITOR_FDS_MAX);
    r = monitor_give_fds(domain->run->monitor, fds, n_fds, deadline_in(COMMAND_USEC));
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot hand QEMU the files");
    return driver_monitor_command(domain, command, false, ret, reterr);
}

/* Whatever a client makes QEMU do, its state is looked at afterwards. */
int driver_monitor_command(Domain *domain, const char *command, bool hmp, char **ret,
                           Error **reterr) {
    const uint64_t deadline = deadline_in(COMMAND_USEC);
    int r = domain_check_active(domain, reterr);

    if (r < 0)
        return r;
    r = hmp ? monitor_run_human(domain->run->monitor, command, -1, deadline, ret, reterr)
            : monitor_passthrough(domain->run->monitor, command, deadline, ret, reterr);
    if (domain->run) {
        if (domain->run->commanded == COMMANDED_NEVER)
            domain->run->commanded = COMMANDED_UNSAVED;
        run_state_sync_soon(domain);
    }
    return r;
}

void driver_set_trace(Driver *driver, bool on) {
    if (driver->services.settings.tracing == on)
        return;
    driver->services.settings.tracing = on;
    for (Domain *domain = driver_domains(driver); domain; domain = domain->next)
        run_link_set_trace(domain, on);
}
