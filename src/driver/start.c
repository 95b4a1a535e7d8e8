/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/start.h"

#include <sys/stat.h>
#include <unistd.h>

#include "conf/domain-copy.h"
#include "domain/agent-link.h"
#include "domain/audit.h"
#include "domain/birth.h"
#include "domain/display.h"
#include "domain/events.h"
#include "domain/files.h"
#include "domain/placement.h"
#include "domain/status-file.h"
#include "domain/store.h"
#include "domain/vcpu-plug.h"
#include "driver/confine-devices.h"
#include "driver/label.h"
#include "driver/prepare-again.h"
#include "driver/prepare-owner.h"
#include "driver/prepare.h"
#include "driver/run-end.h"
#include "driver/run-link.h"
#include "driver/run-state.h"
#include "driver/saved.h"
#include "driver/start-files.h"
#include "driver/snapshot-work.h"
#include "driver/start-shown.h"
#include "driver/strays.h"
#include "driver/volume-source.h"
#include "qemu/command-line.h"
#include "qemu/unplug.h"
#include "util/file.h"
#include "util/libvirt-numbers.h"
#include "util/log.h"

#define CONNECT_USEC (30 * USEC_PER_SEC)
#define COMMAND_USEC (30 * USEC_PER_SEC)
#define LOG_TAIL_BYTES 2048

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

/* Appends the end of QEMU's log to an error of a start. */
static void add_log_tail(Domain *domain, off_t offset, Error **error) {
    CLEANUP_FREE char *tail = qemu_log_tail(domain->run->log_path, offset, LOG_TAIL_BYTES);
    CLEANUP_FREE char *cause = strdup(error_message(*error));
    CLEANUP_FREE char *hint = tail ? label_hint(domain->run->live, tail) : NULL;

    if (tail && *tail)
        error_report(error, FROM_QEMU, ERROR_INTERNAL,
                     "process exited while connecting to monitor: %s%s", tail, hint ? hint : "");
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

/* What a saved guest was asked to release, and may still. */
static int recall_removals(Domain *domain, Error **reterr) {
    const SaveSource *source = domain->run->restore;
    CLEANUP_BITMAP Bitmap *pending = NULL;
    const char *xml = source && source->image ? source->image->xml : NULL;

    if (!xml)
        return 0;
    if (status_file_pending(xml, strlen(xml), &pending) < 0)
        return error_no_memory(reterr); /* it was parsed before */
    unplug_resume(&domain->run->vcpus, NULL, pending);
    return 0;
}

/* From a spawned process to a domain that is ready to run. */
static int bring_up(Domain *domain, Error **reterr) {
    uint64_t deadline = deadline_in(CONNECT_USEC);
    int r;

    r = monitor_connect(domain->run->monitor_path, domain_name(domain), &run_link_ops, domain,
                        is_alive, deadline, &domain->run->monitor, reterr);
    if (r >= 0)
        r = run_link_handshake(domain, deadline, reterr);
    if (r >= 0)
        r = run_link_watch(domain, reterr);
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
        r = recall_removals(domain, reterr);
    if (r >= 0)
        r = agent_link_open(domain, reterr);
    if (r >= 0)
        read_ptys(domain);
    if (r >= 0)
        r = save_load(domain, reterr);
    if (r >= 0)
        prepare_again_watch(domain);
    return r;
}

/* A clock that is the guest's own begins at the host's local time; from then on QEMU counts in UTC,
 * and so does the definition that runs. */
static int settle_clock(Domain *domain, Error **reterr) {
    DomainDef *live = domain->run->live;
    ClockDef *clock = &live->clock_details;
    const time_t now = time(NULL);
    struct tm local;
    char *text;

    if (live->clock != CLOCK_VARIABLE)
        return 0;
    if (streq_ptr(clock->basis, "localtime") && localtime_r(&now, &local)) {
        text = strf("%lld", (long long)(clock_adjustment(clock) + local.tm_gmtoff));
        if (!text)
            return error_no_memory(reterr);
        free(clock->adjustment);
        clock->adjustment = text;
        memcpy(clock->basis, "utc", 4);
    }
    domain->run->clock_base = clock_adjustment(clock);
    return 0;
}

static int prepare(Domain *domain, StartParts *parts, char ***ret_argv, Error **reterr) {
    Services *services = domain->services;
    CLEANUP_FREE char *channels = domain_channel_directory(&services->paths);
    LimitsSubject subject = domain_subject(domain);
    QemuCommandParams params;
    int r;

    r = domain_def_check_start(domain->run->live, reterr);
    if (r >= 0)
        r = volume_source_resolve(services->storage, domain->run->live, reterr);
    if (r >= 0)
        r = limits_check_start(services->limits, &subject, reterr);
    if (r < 0)
        return r;
    r = qemu_caps_get(services->caps, domain->run->live->emulator, &domain->run->caps, reterr);
    if (r < 0)
        return r;
    domain->run->monitor_path = domain_monitor_path(&services->paths, domain->run->id);
    domain->run->log_path = domain_log_path(&services->paths, domain->run->live->name);
    if (!channels || !domain->run->monitor_path || !domain->run->log_path)
        return error_no_memory(reterr);
    if (!domain->run->restore) /* else it has the sizes of the one that it comes from */
        qemu_align_memory(domain->run->live);
    r = qemu_assign_aliases(domain->run->live, channels);
    if (r < 0)
        return error_no_memory(reterr);
    r = settle_clock(domain, reterr);
    if (r >= 0)
        r = start_check_files(domain, reterr);
    if (r >= 0)
        r = display_assign_ports(services->store->domains, domain->run->live,
                                 services->settings.spice_tls != NULL, reterr);
    if (r >= 0)
        r = prepare_start(domain, parts, reterr);
    if (r >= 0)
        r = confinement_try_label(services->confinement, reterr);
    if (r >= 0)
        r = confinement_plan(services->confinement, domain->run->live, domain->run->caps,
                             &parts->confine, reterr);
    if (r >= 0)
        r = start_show(domain, &parts->confine.confine, reterr);
    if (r >= 0)
        r = prepare_owners(domain, parts, services->confinement->own_files, reterr);
    if (r >= 0)
        r = label_begin(domain, parts, reterr);
    if (r < 0)
        return r;
    parts->parts.spice_tls = services->settings.spice_tls;
    params = (QemuCommandParams){.def = domain->run->live,
                                 .caps = domain->run->caps,
                                 .channel_dir = channels,
                                 .sandbox = parts->confine.sandbox,
                                 .parts = &parts->parts,
                                 .incoming = domain->run->restore && !domain->run->restore->load};
    return qemu_command_line(&params, ret_argv, reterr);
}

typedef struct Gate {
    Domain *domain;
    const ConfinePlan *plan;
} Gate;

/* The child waits before its exec: whatever it does and takes from there on is in its cgroup. If
 * this daemon dies, the next one finds the record. */
static int at_gate(const QemuPid *pid, void *userdata, Error **reterr) {
    const Gate *gate = userdata;
    Domain *domain = gate->domain;
    LimitsSubject subject;
    int r;
    CLEANUP_FREE char *births = domain_birth_directory(&domain->services->paths);
    DomainRun *run = domain->run;
    Birth birth = {
        .id = run->id, .pid = *pid, .name = run->live->name, .monitor_path = run->monitor_path};

    run->pid = *pid;
    memcpy(birth.uuid, run->live->uuid, sizeof(birth.uuid));
    r = births ? birth_write(births, &birth, reterr) : error_no_memory(reterr);
    if (r < 0)
        return r;
    subject = domain_subject(domain);
    r = limits_begin(domain->services->limits, &subject, &run->limits, reterr);
    return r < 0 ? r : confine_devices_begin(domain, gate->plan, reterr);
}

static int spawn(Domain *domain, char **argv, StartParts *parts, Error **reterr) {
    DomainRun *run = domain->run;
    Gate gate = {domain, &parts->confine};
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
                                            .environment = parts->environment,
                                            .confine = &parts->confine.confine,
                                            .gate = at_gate,
                                            .userdata = &gate},
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
    CLEANUP_FREE char *births = domain_birth_directory(&domain->services->paths);
    int r;

    domain_set_state(domain, DOMAIN_PAUSED, paused ? PAUSED_USER : PAUSED_STARTING_UP);
    r = births ? domain_save_status(domain, reterr) : error_no_memory(reterr);
    if (r < 0)
        return r;
    birth_remove(births, domain->run->id);
    domain_save_pid(domain);
    return 0;
}

/* How the guest has come here: reasons and details. */
typedef struct Coming {
    int running, started, suspended;
} Coming;

static const Coming *how_it_came(const SaveSource *source) {
    static const Coming booted = {RUNNING_BOOTED, STARTED_BOOTED, SUSPENDED_PAUSED},
                        restored = {RUNNING_RESTORED, STARTED_RESTORED, SUSPENDED_RESTORED},
                        migrated = {RUNNING_MIGRATED, STARTED_MIGRATED, SUSPENDED_PAUSED},
                        reverted = {RUNNING_FROM_SNAPSHOT, STARTED_FROM_SNAPSHOT,
                                    SUSPENDED_FROM_SNAPSHOT};

    return !source ? &booted : source->open ? &migrated : source->load ? &reverted : &restored;
}

/* A guest in post-copy is here and nowhere else: it runs with what could not be done. */
static int carry_on(const Domain *domain, int r, Error **error) {
    if (r >= 0 || !domain->run || !domain->run->postcopy || !qemu_process_alive(&domain->run->pid))
        return r;
    log_warning("domain '%s' came in post-copy, ignoring: %s", domain_name(domain),
                error_message(*error));
    error_free(TAKE_PTR(*error));
    return 0;
}

/* QEMU says RESUME before it lets the first vCPU run (its vm_prepare_start): one that has ended
 * without it has run none. */
static bool ended_before_it_ran(const Domain *domain) {
    return domain->run && !domain->run->resumed && !domain_outlives_monitor(domain);
}

/* A "no" of QEMU is certain, and its end before it came to it; silence is not. */
static int let_run(Domain *domain, const SaveSource *source, Error **reterr) {
    int r;

    domain->run->resumed = false;
    if (source && source->released)
        *source->released = true;
    r = monitor_run(domain->run->monitor, "cont", NULL, deadline_in(COMMAND_USEC), NULL, reterr);
    if (r < 0 && r != -ETIMEDOUT && source && source->released &&
        (domain_check_active(domain, NULL) >= 0 || ended_before_it_ran(domain)))
        *source->released = false;
    if (r < 0 && source && source->remove && !*source->released)
        save_give_back(source->remove);
    return r;
}

/* A guest that was asked to reboot, and saved before it did. */
static void keep_intent(Domain *domain, const SaveSource *source) {
    CLEANUP_ERROR Error *error = NULL;

    if (source->image && source->image->rebooting && run_state_intend_reboot(domain, &error) < 0)
        log_warning("domain '%s' was asked to reboot before it was saved, and will power off "
                    "instead: %s",
                    domain_name(domain), error_message(error));
}

static int let_go(Domain *domain, bool paused, Error **reterr) {
    const SaveSource *source = domain->run->restore;
    const bool restored = source && !source->load;
    const Coming *coming = how_it_came(source);
    bool held;
    int r = 0;

    if (source && source->may_run)
        r = source->may_run(domain, source->userdata, &paused, reterr);
    if (r >= 0 && restored)
        r = carry_on(domain, save_set_source(domain, !paused, reterr), reterr);
    if (r >= 0 && restored && source->open) /* may_run has heard it */
        domain->run->save.yours = true;
    if (r >= 0)
        r = carry_on(domain, make_known(domain, paused, reterr), reterr);
    if (r >= 0 && restored)
        keep_intent(domain, source);
    if (r >= 0 && restored)
        r = save_take_over(domain, reterr);
    held = paused;
    if (r >= 0 && !paused) {
        r = let_run(domain, source, reterr);
        held = r < 0;
        r = carry_on(domain, r, reterr); /* postcopy_arrive asks again */
    }
    if (r < 0)
        return r;
    if (!held)
        run_state_set_running(domain, coming->running);
    events_lifecycle(domain, EVENT_STARTED, coming->started);
    if (held)
        events_lifecycle(domain, EVENT_SUSPENDED, coming->suspended);
    return 0;
}

/* The guest is in QEMU alone, and runs or not as it shall. */
static void end_restore(Domain *domain) {
    const char *taken = domain->run->restore->remove;

    domain->run->restore = NULL;
    if (taken)
        save_drop_taken(taken);
    if (!domain->run)
        return;
    if (!domain->run->postcopy)
        save_forget(domain->run);
    domain_save_status(domain, NULL);
}

int start_restored(Domain *domain, const DomainDef *def, const SaveSource *source, unsigned flags,
                   Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    DomainDef *live;
    int r;

    assert(domain_job_is_mine(domain) && domain->services);
    if (domain->run)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                            "domain '%s' is already active", domain_name(domain));
    r = strays_check(domain->services->strays, def->uuid, reterr);
    if (r >= 0 && !(source && source->load))
        r = snapshot_work_check_start(domain, reterr);
    if (r < 0)
        return r;
    live = domain_def_copy(def);
    if (live)
        domain->run = domain_run_new(store_take_id(domain->services->store), live);
    if (!domain->run)
        return error_no_memory(reterr);
    domain->run->restore = source;
    domain->run->fresh_nvram = flags & START_RESET_NVRAM;
    store_note_run(domain->services->store, domain);
    domain_set_state(domain, DOMAIN_PAUSED, PAUSED_STARTING_UP);
    r = make_machine(domain, &error);
    r = carry_on(domain, r, &error);
    if (r >= 0)
        r = carry_on(domain, let_go(domain, flags & START_PAUSED, &error), &error);
    if (error)
        error_propagate(reterr, TAKE_PTR(error));
    if (r < 0 && save_may_be_here(domain)) {
        domain->run->restore = NULL;
        *source->kept = true; /* save_settle_soon is the caller's */
    } else if (r < 0) {
        if (source && source->remove && *source->released && domain->run && domain->run->resumed)
            save_drop_taken(source->remove); /* it ran, and what it came from is of the past */
        audit_domain_start(domain, false, NULL);
        run_abandon(domain, source && source->open);
    } else if (source) {
        end_restore(domain);
    }
    return r;
}

int start_locked(Domain *domain, const DomainDef *def, unsigned flags, Error **reterr) {
    return start_restored(domain, def, NULL, flags, reterr);
}
