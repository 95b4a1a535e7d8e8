/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's life: start, stop, pause, reset, and what QEMU's events say of it. */
#include <stdio.h>
#include <sys/stat.h>

#include "qemu/agent.h"
#include "domain/audit.h"
#include "qemu/command-line.h"
#include "driver/driver.h"
#include "driver/prepare-undo.h"
#include "driver/prepare.h"
#include "driver/run-state.h"
#include "driver/strays.h"
#include "domain/vcpu-plug.h"
#include "domain/birth.h"
#include "domain/display.h"
#include "domain/placement.h"
#include "domain/removal.h"
#include "domain/vcpu-change.h"
#include "util/file.h"
#include "util/log.h"

#define CONNECT_USEC (30 * USEC_PER_SEC)
#define COMMAND_USEC (30 * USEC_PER_SEC)
#define KILL_GRACE_USEC (2 * USEC_PER_SEC)
#define LOG_TAIL_BYTES 2048
#define END_USEC (2 * USEC_PER_SEC)
#define END_POLL_USEC (10 * USEC_PER_MSEC)

/* ---- the end of a QEMU ---- */

static void remove_run_files(Domain *domain) {
    CLEANUP_FREE char *status = driver_status_path(domain->driver, domain->run->live->name);
    CLEANUP_FREE char *births = strays_birth_directory(domain->driver);

    if (status)
        unlink(status);
    if (births)
        birth_remove(births, domain->run->id);
    if (domain->run->monitor_path)
        unlink(domain->run->monitor_path);
}

/* libvirt's words for it (its src/qemu/qemu_process.c names them in the stop record). */
static const char *audit_reason(int reason) {
    switch (reason) {
    case SHUTOFF_SHUTDOWN:
        return "shutdown";
    case SHUTOFF_DESTROYED:
        return "destroyed";
    case SHUTOFF_CRASHED:
    case SHUTOFF_FAILED:
        return "failed";
    default:
        return "unknown";
    }
}

int driver_resume_limits(Domain *domain, Error **reterr) {
    DomainRun *run = domain->run;
    LimitsSubject subject = domain_subject(domain);
    LimitsFound found = {run->found.partition, run->found.group, run->found.machine};

    return limits_resume(domain->driver->limits, &subject, &found, &run->limits, reterr);
}

void driver_end_run(Domain *domain, int reason, int stopped_detail) {
    DomainRun *run = domain->run;
    LimitsSubject subject;
    bool transient;

    run->stopping = true;
    run->pid_watch = sd_event_source_disable_unref(run->pid_watch);
    qemu_process_kill(&run->pid, KILL_GRACE_USEC);
    removal_wake(domain);
    monitor_free(TAKE_PTR(run->monitor));
    agent_free(TAKE_PTR(run->agent));
    if (!run->limits) /* it ended before it was found again */
        driver_resume_limits(domain, NULL);
    subject = domain_subject(domain);
    limits_end(TAKE_PTR(run->limits), &subject);
    prepare_undo(domain->driver, run->live->uuid);
    audit_domain_stop(domain, audit_reason(reason));
    driver_fail_operations(domain, "the domain stopped");
    remove_run_files(domain);
    domain_set_state(domain, DOMAIN_SHUTOFF, reason);
    run->id = -1; /* libvirt's STOPPED carries id -1 */
    driver_emit_lifecycle(domain, EVENT_STOPPED, stopped_detail);
    transient = !domain->config;
    if (transient)
        domain->config = TAKE_PTR(run->live); /* a name for those who still hold it */
    domain->run = domain_run_free(run);
    if (transient)
        driver_list_remove(domain);
}

/* QEMU closes its monitor a moment before it ends: whether it does is waited for. */
static bool is_ending(const QemuPid *borrowed) {
    const QemuPid pid = *borrowed;
    const uint64_t deadline = deadline_in(END_USEC);

    while (qemu_process_alive(&pid) && now_usec() < deadline)
        fiber_sleep(END_POLL_USEC);
    return !qemu_process_alive(&pid);
}

/* The process is no more. Job held. */
static void after_end(Domain *domain) {
    const bool shut_down = domain->run->guest_shutdown;

    log_info("domain '%s': QEMU ended%s", domain_name(domain),
             shut_down                         ? " after the guest's shutdown"
             : domain->state == DOMAIN_CRASHED ? " after the guest's crash"
                                               : " unexpectedly");
    if (shut_down)
        driver_end_run(domain, SHUTOFF_SHUTDOWN, STOPPED_SHUTDOWN);
    else
        driver_end_run(domain, SHUTOFF_CRASHED,
                       domain->state == DOMAIN_CRASHED ? STOPPED_CRASHED : STOPPED_FAILED);
}

/* What <on_poweroff> says of a QEMU that ended after its guest's power-off. */
static bool wants_restart(const DomainRun *run) {
    return run->guest_shutdown && (run->live->on_poweroff == LIFECYCLE_RESTART ||
                                   run->live->on_poweroff == LIFECYCLE_RENAME_RESTART);
}

/* Monitor or process went away without being asked to; true: the domain is to be started again. Job
 * held. */
static bool clean_up(Domain *domain) {
    DomainRun *run = domain->run;
    bool restart;

    if (!run || (run->monitor && monitor_is_open(run->monitor) && qemu_process_alive(&run->pid)))
        return false;
    if (!is_ending(&run->pid)) {
        log_warning("domain '%s': the monitor of its QEMU (process %d) was closed%s%s; the guest "
                    "stays, trying to connect again",
                    domain_name(domain), (int)run->pid.pid, run->monitor ? ": " : "",
                    run->monitor ? monitor_reason(run->monitor) : "");
        driver_reconnect(domain);
        return false;
    }
    restart = wants_restart(run);
    after_end(domain);
    return restart;
}

/* Whoever holds the job for longer than a call waits has the end of this QEMU before him, too: it
 * is tried until it is done. */
static int begin_clean_up(Domain *domain, DomainJob *job) {
    CLEANUP_ERROR Error *error = NULL;
    int r;

    while ((r = domain_job_begin(domain, job, "clean-up after QEMU's end", &error)) < 0 &&
           domain->driver && !domain->driver->tasks.stopping) {
        log_warning("domain '%s': %s", domain_name(domain), error_message(error));
        error_free(TAKE_PTR(error));
    }
    return r;
}

static void gone(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    CLEANUP_ERROR Error *error = NULL;
    DomainJob job;
    bool restart;

    if (domain->run)
        removal_wake(domain);
    if (begin_clean_up(domain, &job) < 0)
        return;
    restart = clean_up(domain);
    domain_job_end(domain, &job);
    if (restart && domain->driver && driver_start(domain, false, &error) < 0)
        log_warning("domain '%s' cannot be restarted: %s", domain_name(domain),
                    error_message(error));
}

static void start_gone(Domain *domain) {
    if (!domain->run || domain->run->stopping)
        return;
    domain_ref(domain);
    if (fiber_start("gone", gone, domain) < 0)
        domain_unref(domain);
}

static void on_exit_watch(void *userdata) {
    start_gone(userdata);
}

static void on_monitor_closed(Monitor *monitor, int error, void *userdata) {
    start_gone(userdata);
}

/* ---- the monitor ---- */

static void trace_line(Monitor *monitor, char direction, const char *text, size_t len,
                       void *userdata) {
    Domain *domain = userdata;

    if (domain->driver && domain->driver->events && domain->driver->events->trace)
        domain->driver->events->trace(domain, direction, text, len, domain->driver->userdata);
}

int driver_handshake(Domain *domain, uint64_t deadline, Error **reterr) {
    if (domain->driver->tracing)
        monitor_set_trace(domain->run->monitor, trace_line, domain);
    return monitor_handshake(domain->run->monitor, deadline, reterr);
}

void driver_set_trace(Driver *driver, bool on) {
    if (driver->tracing == on)
        return;
    driver->tracing = on;
    for (Domain *domain = driver->domains; domain; domain = domain->next)
        if (domain->run && domain->run->monitor)
            monitor_set_trace(domain->run->monitor, on ? trace_line : NULL, domain);
}

/* ---- events ---- */

static void on_event(Monitor *monitor, const char *name, json_object *data, int64_t seconds,
                     int64_t microseconds, void *userdata) {
    Domain *domain = userdata;
    Driver *driver = domain->driver;

    if (!driver || !domain->run)
        return;
    if (driver->events && driver->events->monitor_event)
        driver->events->monitor_event(domain, name, data, seconds, microseconds, driver->userdata);
    if (run_state_on_event(domain, name, data)) {
        /* it was news of its state */
    } else if (streq(name, "VSERPORT_CHANGE")) {
        driver_agent_event(domain, data);
    } else {
        vcpu_change_event(domain, name, data);
    }
}

const MonitorOps driver_monitor_ops = {.event = on_event, .closed = on_monitor_closed};

int driver_watch(Domain *domain, Error **reterr) {
    int r = qemu_process_watch(&domain->run->pid, on_exit_watch, domain, &domain->run->pid_watch);

    return r < 0 ? error_system(reterr, FROM_QEMU, r, "cannot watch QEMU's process %d",
                                (int)domain->run->pid.pid)
                 : 0;
}

/* ---- start ---- */

static bool is_alive(void *userdata) {
    const Domain *domain = userdata;

    return qemu_process_alive(&domain->run->pid);
}

/* Host ttys of pty devices, for the XML (ttyconsole reads them there). */
static void read_ptys(Domain *domain) {
    json_object *list = NULL;

    if (monitor_run(domain->run->monitor, "query-chardev", NULL, deadline_in(COMMAND_USEC), &list,
                    NULL) < 0)
        return;
    for (size_t i = 0;
         json_object_is_type(list, json_type_array) && i < json_object_array_length(list); i++) {
        json_object *row = json_object_array_get_idx(list, i), *label = NULL, *file = NULL;
        const char *name, *value;

        if (!json_object_object_get_ex(row, "label", &label) ||
            !json_object_object_get_ex(row, "filename", &file))
            continue;
        name = json_object_get_string(label);
        value = json_object_get_string(file);
        if (!name || !value || strncmp(name, "char", 4) != 0 || strncmp(value, "pty:", 4) != 0)
            continue;
        for (size_t k = 0; domain->run && k < domain->run->live->n_chardevs; k++) {
            ChardevDef *chardev = &domain->run->live->chardevs[k];

            if (chardev->source.type == CHARDEV_PTY && chardev->info.alias &&
                streq(chardev->info.alias, name + 4)) {
                free(chardev->source.path);
                chardev->source.path = strdup(value + 4);
            }
        }
    }
    json_object_put(list);
}

static int check_files(const DomainDef *def, Error **reterr) {
    const struct {
        const char *what, *path;
    } files[] = {{"kernel", def->os.kernel}, {"initrd", def->os.initrd}};
    int r = domain_def_check_start(def, reterr);

    if (r < 0)
        return r;
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (files[i].path && access(files[i].path, R_OK) < 0)
            return error_system(reterr, FROM_QEMU, errno, "cannot read the %s '%s' of domain '%s'",
                                files[i].what, files[i].path, def->name);
    for (size_t i = 0; i < def->n_disks; i++)
        if (def->disks[i].source.path && access(def->disks[i].source.path, R_OK) < 0)
            return error_system(reterr, FROM_QEMU, errno,
                                "cannot read the disk '%s' of domain '%s'",
                                def->disks[i].source.path, def->name);
    return 0;
}

/* Appends the end of QEMU's log to an error of a start. */
static void add_log_tail(Domain *domain, off_t offset, Error **error) {
    CLEANUP_FREE char *tail = qemu_log_tail(domain->run->log_path, offset, LOG_TAIL_BYTES);
    CLEANUP_FREE char *cause = strdup(error_message(*error));

    if (tail && *tail)
        error_report(error, FROM_QEMU, ERROR_INTERNAL,
                     "process exited while connecting to monitor: %s", tail);
    else
        error_report(error, FROM_QEMU, ERROR_INTERNAL, "QEMU of domain '%s' did not start: %s",
                     domain_name(domain), cause ? cause : "out of memory");
}

/* All threads but the vCPUs'. */
static int tune_threads(Domain *domain, Error **reterr) {
    LimitsSubject subject = domain_subject(domain);
    LimitsScope scope = {.all_iothreads = true, .emulator = true, .group = true};

    return limits_tune(domain->run->limits, &subject, &scope, reterr);
}

/* From a spawned process to a domain that is ready to run. */
static int bring_up(Domain *domain, Error **reterr) {
    uint64_t deadline = deadline_in(CONNECT_USEC);
    int r;

    r = monitor_connect(domain->run->monitor_path, domain_name(domain), &driver_monitor_ops, domain,
                        is_alive, deadline, &domain->run->monitor, reterr);
    if (r >= 0)
        r = driver_handshake(domain, deadline, reterr);
    if (r >= 0)
        r = driver_watch(domain, reterr);
    if (r >= 0)
        r = display_set_passwords(domain, deadline, reterr);
    if (r >= 0)
        r = prepare_settle(domain, deadline, reterr);
    if (r >= 0)
        r = domain_refresh_iothreads(domain, false, reterr);
    if (r >= 0)
        r = tune_threads(domain, reterr);
    if (r >= 0)
        r = hotplug_boot(domain, reterr);
    if (r >= 0)
        r = driver_agent_open(domain, reterr);
    if (r >= 0)
        read_ptys(domain);
    return r;
}

static int prepare(Domain *domain, StartParts *parts, char ***ret_argv, Error **reterr) {
    Driver *driver = domain->driver;
    CLEANUP_FREE char *channels = path_join(driver->paths.lib, "channel");
    LimitsSubject subject = domain_subject(domain);
    QemuCommandParams params;
    int r;

    r = check_files(domain->run->live, reterr);
    if (r >= 0)
        r = limits_check_start(driver->limits, &subject, reterr);
    if (r < 0)
        return r;
    r = qemu_caps_get(driver->caps, domain->run->live->emulator, &domain->run->caps, reterr);
    if (r < 0)
        return r;
    domain->run->monitor_path = strays_monitor_path(driver, domain->run->id);
    domain->run->log_path = strf("%s/qemu/%s.log", driver->paths.log, domain->run->live->name);
    if (!channels || !domain->run->monitor_path || !domain->run->log_path)
        return error_no_memory(reterr);
    r = qemu_assign_aliases(domain->run->live, channels);
    if (r < 0)
        return error_no_memory(reterr);
    r = display_assign_ports(driver->domains, domain->run->live, reterr);
    if (r >= 0)
        r = prepare_start(domain, parts, reterr);
    if (r < 0)
        return r;
    params = (QemuCommandParams){.def = domain->run->live,
                                 .caps = domain->run->caps,
                                 .channel_dir = channels,
                                 .parts = &parts->parts};
    return qemu_command_line(&params, ret_argv, reterr);
}

/* Undoes a start that failed. */
static void abandon_start(Domain *domain) {
    DomainRun *run = domain->run;
    LimitsSubject subject;

    run->stopping = true;
    run->pid_watch = sd_event_source_disable_unref(run->pid_watch);
    qemu_process_kill(&run->pid, 0);
    monitor_free(TAKE_PTR(run->monitor));
    agent_free(TAKE_PTR(run->agent));
    remove_run_files(domain);
    subject = domain_subject(domain);
    limits_end(TAKE_PTR(run->limits), &subject);
    prepare_undo(domain->driver, run->live->uuid);
    domain->run = domain_run_free(run);
    domain_set_state(domain, DOMAIN_SHUTOFF, SHUTOFF_FAILED);
}

/* The child waits before its exec: whatever it does and takes from there on is in its cgroup. If
 * this daemon dies, the next one finds the record. */
static int at_gate(const QemuPid *pid, void *userdata, Error **reterr) {
    Domain *domain = userdata;
    LimitsSubject subject;
    int r;
    CLEANUP_FREE char *births = strays_birth_directory(domain->driver);
    DomainRun *run = domain->run;
    Birth birth = {
        .id = run->id, .pid = *pid, .name = run->live->name, .monitor_path = run->monitor_path};

    run->pid = *pid;
    memcpy(birth.uuid, run->live->uuid, sizeof(birth.uuid));
    r = births ? birth_write(births, &birth, reterr) : error_no_memory(reterr);
    if (r < 0)
        return r;
    subject = domain_subject(domain);
    return limits_begin(domain->driver->limits, &subject, &run->limits, reterr);
}

static int spawn(Domain *domain, char **argv, StartParts *parts, Error **reterr) {
    DomainRun *run = domain->run;
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_CLOSE int listener = -1;
    struct stat info;
    off_t offset = stat(run->log_path, &info) == 0 ? info.st_size : 0;
    int r = monitor_listen(run->monitor_path, &listener, reterr);

    if (r >= 0)
        r = qemu_process_spawn(&(QemuSpawn){.argv = argv,
                                            .log_path = run->log_path,
                                            .monitor_fd = listener,
                                            .monitor_path = run->monitor_path,
                                            .fds = parts->fds,
                                            .n_fds = parts->n_fds,
                                            .gate = at_gate,
                                            .userdata = domain},
                               &run->pid, reterr);
    if (r < 0)
        return r;
    close(TAKE_FD(listener)); /* so that QEMU's end is seen */
    start_parts_done(parts);
    r = bring_up(domain, &error);
    if (r >= 0)
        return 0;
    if (!qemu_process_alive(&run->pid) || !run->monitor || !monitor_is_open(run->monitor))
        add_log_tail(domain, offset, &error);
    return error_propagate(reterr, TAKE_PTR(error));
}

/* The machine as a process that has not run anything of its guest. */
static int make_machine(Domain *domain, Error **reterr) {
    DomainRun *run = domain->run;
    CLEANUP(start_parts_done) StartParts parts = {0};
    char **argv = NULL;
    int r = placement_advise(run->live, reterr);

    if (r >= 0)
        r = prepare(domain, &parts, &argv, reterr);
    if (r >= 0)
        r = spawn(domain, argv, &parts, reterr);
    qemu_argv_free(argv);
    if (r >= 0)
        r = run_state_prepare(domain, reterr);
    if (r >= 0)
        r = audit_domain_start(domain, true, reterr);
    if (r >= 0 && run->stopping)
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                         "domain '%s' was destroyed while it started", domain_name(domain));
    return r;
}

/* From the status file on, a daemon that comes later takes the domain for started; before it, for a
 * start that failed. */
static int make_known(Domain *domain, bool paused, Error **reterr) {
    CLEANUP_FREE char *births = strays_birth_directory(domain->driver);
    int r;

    domain_set_state(domain, DOMAIN_PAUSED, paused ? PAUSED_USER : PAUSED_STARTING_UP);
    r = births ? driver_save_status(domain, reterr) : error_no_memory(reterr);
    if (r >= 0)
        birth_remove(births, domain->run->id);
    return r;
}

static int let_go(Domain *domain, bool paused, Error **reterr) {
    int r = make_known(domain, paused, reterr);

    if (r >= 0 && !paused)
        r = monitor_run(domain->run->monitor, "cont", NULL, deadline_in(COMMAND_USEC), NULL,
                        reterr);
    if (r < 0)
        return r;
    if (!paused)
        run_state_set_running(domain, RUNNING_BOOTED);
    driver_emit_lifecycle(domain, EVENT_STARTED, 0);
    if (paused)
        driver_emit_lifecycle(domain, EVENT_SUSPENDED, 0);
    return 0;
}

int driver_start_locked(Domain *domain, const DomainDef *def, bool paused, Error **reterr) {
    DomainDef *live;
    int r;

    if (domain->run)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain is already running");
    r = strays_check(domain->driver, def->uuid, reterr);
    if (r < 0)
        return r;
    live = domain_def_copy(def);
    if (live)
        domain->run = domain_run_new(domain->driver->next_id++, live);
    if (!domain->run)
        return error_no_memory(reterr);
    domain_set_state(domain, DOMAIN_PAUSED, PAUSED_STARTING_UP);
    r = make_machine(domain, reterr);
    if (r >= 0)
        r = let_go(domain, paused, reterr);
    if (r < 0) {
        audit_domain_start(domain, false, NULL);
        abandon_start(domain);
    }
    return r;
}

int driver_start(Domain *domain, bool paused, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, "start", reterr);

    if (r < 0)
        return r;
    r = domain->config
            ? driver_start_locked(domain, domain->config, paused, reterr)
            : error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain is already running");
    domain_job_end(domain, &job);
    return r;
}

/* ---- the rest of life ---- */

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
    qemu_process_kill(&pid, graceful ? 15 * USEC_PER_SEC : KILL_GRACE_USEC);
    if (domain_id(domain) == id)
        removal_wake(domain);
    r = domain_job_begin(domain, &job, "destroy", reterr);
    if (r < 0) {
        if (domain_id(domain) == id) { /* its end was passed over: it is looked at now */
            domain->run->stopping = false;
            start_gone(domain);
        }
        return r;
    }
    if (domain_id(domain) == id)
        driver_end_run(domain, SHUTOFF_DESTROYED, STOPPED_DESTROYED);
    domain_job_end(domain, &job);
    return 0;
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

/* The power button, with what its effect is to mean. */
static int press_button(Domain *domain, bool reboot, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, reboot ? "reboot" : "shutdown", reterr);

    if (r < 0)
        return r;
    r = domain_check_active(domain, reterr);
    if (r >= 0 && reboot)
        r = domain_check_survives(domain, "reboot the guest", reterr);
    if (r >= 0)
        r = reboot ? run_state_intend_reboot(domain, reterr)
                   : run_state_intend_nothing(domain, reterr);
    if (r >= 0 && !reboot)
        r = driver_save_status(domain, reterr);
    if (r >= 0)
        r = monitor_run(domain->run->monitor, "system_powerdown", NULL, deadline_in(COMMAND_USEC),
                        NULL, reterr);
    domain_job_end(domain, &job);
    return r;
}

int driver_shutdown(Domain *domain, Error **reterr) {
    return press_button(domain, false, reterr);
}

int driver_reboot(Domain *domain, Error **reterr) {
    return press_button(domain, true, reterr);
}

static int set_running(Domain *domain, bool run, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, run ? "resume" : "suspend", reterr);

    if (r < 0)
        return r;
    r = domain_check_active(domain, reterr);
    if (r >= 0 && domain->state == DOMAIN_PMSUSPENDED)
        r = error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain is pmsuspended");
    if (r >= 0 && (domain->state == DOMAIN_RUNNING) != run) {
        domain->run->pause_reason = PAUSED_USER; /* what QEMU's STOP will mean */
        r = monitor_run(domain->run->monitor, run ? "cont" : "stop", NULL,
                        deadline_in(COMMAND_USEC), NULL, reterr);
        domain->run->pause_reason = PAUSED_UNKNOWN;
        if (r >= 0 && run)
            run_state_set_running(domain, RUNNING_UNPAUSED);
        else if (r >= 0)
            run_state_set_paused(domain, PAUSED_USER);
        if (r >= 0)
            driver_save_status(domain, NULL);
    }
    domain_job_end(domain, &job);
    return r;
}

int driver_suspend(Domain *domain, Error **reterr) {
    return set_running(domain, false, reterr);
}

int driver_resume(Domain *domain, Error **reterr) {
    return set_running(domain, true, reterr);
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
    if (domain->run)
        run_state_sync_soon(domain);
    return r;
}
