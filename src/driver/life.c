/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's life: start, stop, pause, reset, and what QEMU's events say of it. */
#include <stdio.h>
#include <sys/stat.h>

#include "qemu/agent.h"
#include "domain/audit.h"
#include "qemu/command-line.h"
#include "driver/driver.h"
#include "domain/vcpu-plug.h"
#include "host/numad.h"
#include "domain/removal.h"
#include "domain/vcpu-change.h"
#include "util/file.h"
#include "util/log.h"

#define CONNECT_USEC (30 * USEC_PER_SEC)
#define COMMAND_USEC (30 * USEC_PER_SEC)
#define KILL_GRACE_USEC (2 * USEC_PER_SEC)
#define LOG_TAIL_BYTES 2048

/* ---- the end of a QEMU ---- */

static void remove_run_files(Domain *domain) {
    CLEANUP_FREE char *status = driver_status_path(domain->driver, domain->run->live->name);

    if (status)
        unlink(status);
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

/* Monitor or process went away without being asked to. */
static void gone(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    CLEANUP_ERROR Error *error = NULL;
    DomainJob job;
    bool restart;

    if (domain->run)
        removal_wake(domain);
    if (domain_job_begin(domain, &job, "clean-up after QEMU's end", &error) < 0) {
        log_warning("domain '%s': %s", domain_name(domain), error_message(error));
        return;
    }
    if (!domain->run || (domain->run->monitor && monitor_is_open(domain->run->monitor) &&
                         qemu_process_alive(&domain->run->pid))) {
        domain_job_end(domain, &job);
        return;
    }
    restart = domain->run->guest_shutdown && domain->run->live->on_poweroff == LIFECYCLE_RESTART;
    log_info("domain '%s': QEMU ended%s", domain_name(domain),
             domain->run->guest_shutdown ? " after the guest's shutdown" : " unexpectedly");
    if (domain->run->guest_shutdown)
        driver_end_run(domain, SHUTOFF_SHUTDOWN, STOPPED_SHUTDOWN);
    else
        driver_end_run(domain, SHUTOFF_CRASHED, STOPPED_FAILED);
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

/* The guest has powered off for an ACPI reboot: reset it and let it go on. */
static void finish_reboot(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    CLEANUP_ERROR Error *error = NULL;
    uint64_t deadline = deadline_in(COMMAND_USEC);
    DomainJob job;
    json_object *action;

    if (domain_job_begin(domain, &job, "reboot", NULL) < 0)
        return;
    action = json_object_new_object();
    json_object_object_add(action, "shutdown", json_object_new_string("poweroff"));
    if (domain_check_active(domain, NULL) >= 0 &&
        (monitor_run(domain->run->monitor, "system_reset", NULL, deadline, NULL, &error) < 0 ||
         monitor_run(domain->run->monitor, "set-action", json_object_get(action), deadline, NULL,
                     &error) < 0 ||
         monitor_run(domain->run->monitor, "cont", NULL, deadline, NULL, &error) < 0))
        log_warning("domain '%s': reboot failed: %s", domain_name(domain), error_message(error));
    json_object_put(action);
    domain_job_end(domain, &job);
}

static void on_shutdown_event(Domain *domain, json_object *data) {
    json_object *guest = NULL;

    if (domain->run->stopping) /* our own doing */
        return;
    if (domain->run->rebooting) {
        domain->run->rebooting = false;
        domain_ref(domain);
        if (fiber_start("reboot", finish_reboot, domain) < 0)
            domain_unref(domain);
        return;
    }
    json_object_object_get_ex(data, "guest", &guest);
    domain->run->guest_shutdown = true;
    domain_set_state(domain, DOMAIN_SHUTTING_DOWN, 0);
    driver_emit_lifecycle(domain, EVENT_SHUTDOWN,
                          guest && json_object_get_boolean(guest) ? 1 /* guest */ : 2 /* host */);
}

static void on_event(Monitor *monitor, const char *name, json_object *data, int64_t seconds,
                     int64_t microseconds, void *userdata) {
    Domain *domain = userdata;
    Driver *driver = domain->driver;

    if (!driver || !domain->run)
        return;
    if (driver->events && driver->events->monitor_event)
        driver->events->monitor_event(domain, name, data, seconds, microseconds, driver->userdata);
    if (streq(name, "SHUTDOWN")) {
        on_shutdown_event(domain, data);
    } else if (streq(name, "STOP")) {
        if (domain->state == DOMAIN_RUNNING && !domain->jobs) {
            domain_set_state(domain, DOMAIN_PAUSED, PAUSED_USER);
            driver_emit_lifecycle(domain, EVENT_SUSPENDED, 0);
        }
    } else if (streq(name, "RESUME")) {
        if (domain->state == DOMAIN_PAUSED && !domain->jobs) {
            domain_set_state(domain, DOMAIN_RUNNING, RUNNING_UNPAUSED);
            driver_emit_lifecycle(domain, EVENT_RESUMED, 0);
        }
    } else if (streq(name, "RESET")) {
        if (driver->events && driver->events->reboot)
            driver->events->reboot(domain, driver->userdata);
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

static int place_process(Domain *domain, Error **reterr) {
    LimitsSubject subject = domain_subject(domain);

    return limits_begin(domain->driver->limits, &subject, &domain->run->limits, reterr);
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
        r = place_process(domain, reterr);
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

static int prepare(Domain *domain, char ***ret_argv, Error **reterr) {
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
    domain->run->monitor_path = strf("%s/domains/%d.monitor", driver->paths.run, domain->run->id);
    domain->run->log_path = strf("%s/qemu/%s.log", driver->paths.log, domain->run->live->name);
    if (!channels || !domain->run->monitor_path || !domain->run->log_path)
        return error_no_memory(reterr);
    r = qemu_assign_aliases(domain->run->live, channels);
    if (r < 0)
        return error_no_memory(reterr);
    params = (QemuCommandParams){
        .def = domain->run->live, .caps = domain->run->caps, .channel_dir = channels};
    return qemu_command_line(&params, ret_argv, reterr);
}

/* Undoes a start that failed. */
static void abandon_start(Domain *domain) {
    DomainRun *run = domain->run;
    LimitsSubject subject;

    run->stopping = true;
    run->pid_watch = sd_event_source_disable_unref(run->pid_watch);
    if (run->pid.pid > 0)
        qemu_process_kill(&run->pid, 0);
    monitor_free(TAKE_PTR(run->monitor));
    agent_free(TAKE_PTR(run->agent));
    if (run->monitor_path)
        unlink(run->monitor_path);
    subject = domain_subject(domain);
    limits_end(TAKE_PTR(run->limits), &subject);
    domain->run = domain_run_free(run);
    domain_set_state(domain, DOMAIN_SHUTOFF, SHUTOFF_FAILED);
}

static int spawn(Domain *domain, char **argv, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    struct stat info;
    off_t offset = stat(domain->run->log_path, &info) == 0 ? info.st_size : 0;
    CLEANUP_CLOSE int listener = -1;
    int r = monitor_listen(domain->run->monitor_path, &listener, reterr);

    if (r >= 0)
        r = qemu_process_spawn(&(QemuSpawn){.argv = argv,
                                            .log_path = domain->run->log_path,
                                            .monitor_fd = listener,
                                            .monitor_path = domain->run->monitor_path},
                               &domain->run->pid, reterr);
    if (r < 0)
        return r;
    close(TAKE_FD(listener)); /* so that QEMU's end is seen */
    r = bring_up(domain, &error);
    if (r >= 0)
        return 0;
    if (!qemu_process_alive(&domain->run->pid) || !domain->run->monitor ||
        !monitor_is_open(domain->run->monitor))
        add_log_tail(domain, offset, &error);
    return error_propagate(reterr, TAKE_PTR(error));
}

/* placement='auto': the nodes that numad advises, for the CPUs, the memory, or both. A <vcpu>
 * placed so places memory that nothing else is said of, as in libvirt. */
static int place(Domain *domain, Error **reterr) {
    DomainDef *live = domain->run->live;
    CLEANUP_BITMAP Bitmap *nodes = NULL;
    int r;

    if (!live->placement_auto && !live->numatune.automatic)
        return 0;
    r = numad_advise(domain_def_online_vcpus(live), live->memory_kib / 1024, &nodes, reterr);
    if (r >= 0)
        r = driver_place(live, nodes, reterr);
    if (r < 0 && reterr && *reterr)
        error_prefix(reterr, "domain '%s'", live->name);
    return r;
}

int driver_place(DomainDef *live, const Bitmap *nodes, Error **reterr) {
    NumaTuneDef *tune = &live->numatune;

    if (live->placement_auto) {
        bitmap_free(TAKE_PTR(live->cpuset));
        if (numad_cpus_of(nodes, &live->cpuset, reterr) < 0)
            return -EINVAL;
        if (!tune->given && tune->n_memnodes == 0)
            tune->automatic = true;
    }
    if (!tune->automatic)
        return 0;
    bitmap_free(tune->nodes);
    tune->nodes = bitmap_copy(nodes);
    return tune->nodes ? 0 : error_no_memory(reterr);
}

static int start_locked(Domain *domain, bool paused, Error **reterr) {
    DomainDef *live;
    char **argv = NULL;
    int r;

    if (domain->run)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain is already running");
    live = domain_def_copy(domain->config);
    if (live)
        domain->run = domain_run_new(domain->driver->next_id++, live);
    if (!domain->run)
        return error_no_memory(reterr);
    domain_set_state(domain, DOMAIN_PAUSED, PAUSED_STARTING_UP);
    r = place(domain, reterr);
    if (r >= 0)
        r = prepare(domain, &argv, reterr);
    if (r >= 0)
        r = spawn(domain, argv, reterr);
    qemu_argv_free(argv);
    if (r >= 0) /* before the guest does anything */
        r = audit_domain_start(domain, true, reterr);
    if (r >= 0 && !paused)
        r = monitor_run(domain->run->monitor, "cont", NULL, deadline_in(COMMAND_USEC), NULL,
                        reterr);
    if (r < 0) {
        audit_domain_start(domain, false, NULL);
        abandon_start(domain);
        return r;
    }
    domain_set_state(domain, paused ? DOMAIN_PAUSED : DOMAIN_RUNNING,
                     paused ? PAUSED_USER : RUNNING_BOOTED);
    r = driver_save_status(domain, reterr);
    if (r < 0) {
        abandon_start(domain);
        return r;
    }
    if (!paused)
        driver_emit_lifecycle(domain, EVENT_RESUMED, 0);
    driver_emit_lifecycle(domain, EVENT_STARTED, 0);
    if (paused)
        driver_emit_lifecycle(domain, EVENT_SUSPENDED, 0);
    return 0;
}

int driver_start(Domain *domain, bool paused, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, "start", reterr);

    if (r < 0)
        return r;
    r = start_locked(domain, paused, reterr);
    domain_job_end(domain, &job);
    return r;
}

/* ---- the rest of life ---- */

int driver_destroy(Domain *domain, bool graceful, Error **reterr) {
    DomainJob job;
    QemuPid pid;
    int r;

    if (!domain->run)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain is not running");
    /* Whoever holds the job may be waiting for this QEMU: end it first, then queue. The run may be
     * gone after the wait, so the kill has a pid of its own. */
    domain->run->stopping = true;
    pid = domain->run->pid;
    if (pid.pid > 0)
        qemu_process_kill(&pid, graceful ? 15 * USEC_PER_SEC : KILL_GRACE_USEC);
    if (domain->run)
        removal_wake(domain);
    r = domain_job_begin(domain, &job, "destroy", reterr);
    if (r < 0) {
        if (domain->run)
            domain->run->stopping = false;
        return r;
    }
    if (domain->run)
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

int driver_shutdown(Domain *domain, Error **reterr) {
    return simple_command(domain, "shutdown", "system_powerdown", reterr);
}

int driver_reset(Domain *domain, Error **reterr) {
    return simple_command(domain, "reset", "system_reset", reterr);
}

int driver_reboot(Domain *domain, Error **reterr) {
    json_object *action = json_object_new_object();
    DomainJob job;
    int r;

    if (!action)
        return error_no_memory(reterr);
    json_object_object_add(action, "shutdown", json_object_new_string("pause"));
    r = domain_job_begin(domain, &job, "reboot", reterr);
    if (r < 0) {
        json_object_put(action);
        return r;
    }
    r = domain_check_active(domain, reterr);
    if (r >= 0)
        r = domain_check_survives(domain, "reboot the guest", reterr);
    if (r < 0)
        json_object_put(action);
    else
        r = monitor_run(domain->run->monitor, "set-action", action, deadline_in(COMMAND_USEC), NULL,
                        reterr);
    if (r >= 0) {
        domain->run->rebooting = true;
        r = monitor_run(domain->run->monitor, "system_powerdown", NULL, deadline_in(COMMAND_USEC),
                        NULL, reterr);
    }
    domain_job_end(domain, &job);
    return r;
}

static int set_running(Domain *domain, bool run, Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, run ? "resume" : "suspend", reterr);

    if (r < 0)
        return r;
    r = domain_check_active(domain, reterr);
    if (r >= 0 && (domain->state == DOMAIN_RUNNING) != run) {
        r = monitor_run(domain->run->monitor, run ? "cont" : "stop", NULL,
                        deadline_in(COMMAND_USEC), NULL, reterr);
        if (r >= 0 && domain->run) {
            domain_set_state(domain, run ? DOMAIN_RUNNING : DOMAIN_PAUSED,
                             run ? RUNNING_UNPAUSED : PAUSED_USER);
            driver_save_status(domain, NULL);
            driver_emit_lifecycle(domain, run ? EVENT_RESUMED : EVENT_SUSPENDED, 0);
        }
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

int driver_monitor_command(Domain *domain, const char *command, bool hmp, char **ret,
                           Error **reterr) {
    uint64_t deadline = deadline_in(COMMAND_USEC);
    int r = domain_check_active(domain, reterr);

    if (r < 0)
        return r;
    return hmp ? monitor_run_human(domain->run->monitor, command, deadline, ret, reterr)
               : monitor_passthrough(domain->run->monitor, command, deadline, ret, reterr);
}
