/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/reconnect.h"

#include "conf/domain-copy.h"
#include "domain/agent-link.h"
#include "domain/audit.h"
#include "domain/events.h"
#include "domain/files.h"
#include "domain/removal-watch.h"
#include "domain/store.h"
#include "domain/vcpu-operation.h"
#include "domain/vcpu-verdict.h"
#include "driver/block-job-settle.h"
#include "driver/device.h"
#include "driver/disk-rates.h"
#include "driver/label.h"
#include "driver/news.h"
#include "driver/prepare-again.h"
#include "driver/prepare-overlay.h"
#include "driver/run-end.h"
#include "driver/run-limits.h"
#include "driver/run-link.h"
#include "driver/run-state.h"
#include "driver/start-shown.h"
#include "driver/save-settle.h"
#include "driver/snapshot-settle.h"
#include "driver/stray-ask.h"
#include "qemu/command-line.h"
#include "qemu/unplug.h"
#include "util/log.h"

#define RECONNECT_USEC (5 * USEC_PER_SEC)
#define COMPARISON_USEC (10 * USEC_PER_SEC) /* then it goes on with the others */
#define COMPARISONS_AT_ONCE 2
#define RETRY_FIRST_USEC (100 * USEC_PER_MSEC)
#define RETRY_LAST_USEC (2 * USEC_PER_SEC)

/* QEMU's own word on its IO threads wins: one may have been added or deleted right before the
 * daemon was killed. */
static void align_iothreads(Domain *domain) {
    DomainDef *live = domain->run->live;

    for (size_t i = live->n_iothreads; i-- > 0;)
        if (!iothread_list_find(&domain->run->iothreads, live->iothreads[i].id)) {
            log_info("domain '%s': its IO thread %u is gone", domain_name(domain),
                     live->iothreads[i].id);
            domain_def_remove_iothread(live, live->iothreads[i].id);
        }
    for (size_t i = 0; i < domain->run->iothreads.n; i++)
        if (!domain_def_iothread(live, domain->run->iothreads.list[i].id))
            domain_def_add_iothread(live, domain->run->iothreads.list[i].id);
}

/* What an operation under way had not come to when the daemon was killed: cgroups of vCPUs that are
 * gone, threads that are not where they belong. */
static void resume_limits(Domain *domain, int r, Error *error_consume) {
    CLEANUP_BITMAP Bitmap *offline = bitmap_new();
    CLEANUP_ERROR Error *error = error_consume;
    CLEANUP_FREE char *mended = NULL;
    LimitsSubject subject = domain_subject(domain);

    for (unsigned id = 0; offline && id < domain->run->live->n_vcpus_max; id++)
        if (!domain->run->live->vcpus[id].online)
            bitmap_set(offline, id);
    if (r >= 0 && offline)
        limits_drop_vcpus(domain->run->limits, &subject, offline);
    if (r >= 0)
        r = limits_reconcile(domain->run->limits, &subject, &mended, &error);
    if (r > 0)
        run_limits_tell_drift(domain, (unsigned)r, mended);
    else if (r < 0)
        log_warning("domain '%s': its threads cannot be tuned: %s", domain_name(domain),
                    error_message(error));
}

/* The vCPUs that the status file says are there. */
static Bitmap *known_vcpus(const DomainDef *live) {
    CLEANUP_BITMAP Bitmap *known = bitmap_new();

    for (unsigned id = 0; known && id < live->n_vcpus_max; id++)
        if (live->vcpus[id].online && bitmap_set(known, id) < 0)
            return NULL;
    return TAKE_PTR(known);
}

/* Whose plug nobody has heard the end of: a crash, or a QEMU that did not answer, came between. */
static void take_plugged(Domain *domain, const Bitmap *known) {
    const VcpuMap *map = &domain->run->vcpus;
    const bool guess = domain->run->past_is_unknown; /* of what `known` is */
    unsigned online = bitmap_count(known);
    AuditRecords records = {0};

    for (size_t i = 0; i < map->n_entities; i++) {
        const VcpuEntity *entity = &map->entities[i];

        if (!entity->qom_path || bitmap_test(known, entity->first_id))
            continue;
        domain->run->n_vcpu_threads += entity->n_vcpus;
        domain->run->live->vcpus_individual = true;
        if (guess)
            continue;
        audit_records_add_vcpus(&records, domain, online, online + entity->n_vcpus, true);
        online += entity->n_vcpus;
        if (entity->alias)
            events_device_added(domain, entity->alias);
    }
    audit_records_send(&records, domain);
}

/* The map, and at once what was asked of the guest before: an answer that comes now must find it.
 */
static int resume_vcpus(Domain *domain, Error **reterr) {
    CLEANUP_BITMAP Bitmap *known = known_vcpus(domain->run->live);
    unsigned made = domain->run->n_vcpu_threads;
    int r = known ? domain_refresh_vcpus(domain, reterr) : error_no_memory(reterr);

    if (r < 0)
        return r;
    domain->run->n_vcpu_threads = made;
    take_plugged(domain, known);
    domain->run->n_vcpu_threads = MAX_OF(domain->run->n_vcpu_threads,
                                         vcpu_map_online(&domain->run->vcpus));
    unplug_resume(&domain->run->vcpus, known, domain->run->pending_removals);
    vcpu_verdict_recall(domain);
    return 0;
}

static bool is_alive(void *userdata) {
    return qemu_process_alive(&((const Domain *)userdata)->run->pid);
}

/* The first connection of this daemon, or the one that broke once more. */
static int connect_monitor(Domain *domain, Error **reterr) {
    const uint64_t deadline = deadline_in(RECONNECT_USEC);
    DomainRun *run = domain->run;
    int r;

    if (run->monitor)
        return monitor_is_open(run->monitor)
                   ? 0
                   : monitor_reconnect(run->monitor, is_alive, deadline, reterr);
    r = monitor_connect(run->monitor_path, domain_name(domain), &run_link_ops, domain, is_alive,
                        deadline, &run->monitor, reterr);
    return r < 0 ? r : run_link_handshake(domain, deadline, reterr);
}

/* What is asked once per daemon. */
static int prepare(Domain *domain, Error **reterr) {
    CLEANUP_FREE char *channels = domain_channel_directory(&domain->services->paths);
    DomainRun *run = domain->run;
    int r = 0;

    if (!channels || qemu_assign_aliases(run->live, channels) < 0 || start_show_found(domain) < 0)
        return error_no_memory(reterr);
    if (!run->pid_watch)
        r = run_link_watch(domain, reterr);
    if (r >= 0 && !run->agent)
        r = agent_link_open(domain, reterr);
    if (!run->caps) /* what the map is built by; without them it is a guess */
        qemu_caps_get(domain->services->caps, run->live->emulator, &run->caps, NULL);
    return r;
}

static int refresh_iothreads(Domain *domain, Error **reterr) {
    const bool has = domain->run->live->n_iothreads > 0;
    int r = domain_refresh_iothreads(domain, true, has ? reterr : NULL);

    if (r >= 0)
        align_iothreads(domain);
    else if (!has && domain_check_active(domain, reterr) >= 0)
        return 0; /* a QEMU that is too old for the question has none */
    return r;
}

/* What a start of the daemon waits for. */
typedef struct FirstTry {
    Services *services;
    bool counts; /* in n_first_tries, still */
} FirstTry;

static void tried(FirstTry *first) {
    if (!first || !first->counts)
        return;
    first->counts = false;
    first->services->n_first_tries--;
    fiber_cond_broadcast(&first->services->tried);
}

/* The workers do first what the start waits for; of the comparisons after it a few at a time, so
 * that a client's call does not wait behind all of them. */
static void begin_comparison(FirstTry *first) {
    const uint64_t deadline = deadline_in(COMPARISON_USEC);
    Services *services = first ? first->services : NULL;

    tried(first);
    while (services && (services->is_loading || services->n_comparing >= COMPARISONS_AT_ONCE) &&
           !services->tasks.stopping && fiber_cond_wait(&services->compared, deadline) >= 0)
        ;
    if (services)
        services->n_comparing++;
}

static void end_comparison(FirstTry *first) {
    if (!first)
        return;
    first->services->n_comparing--;
    fiber_cond_signal(&first->services->compared);
}

/* Job held. A client may ask as soon as the state and the vCPUs are known; what the threads are
 * held to is compared after that. */
static int reconnect(Domain *domain, FirstTry *first, Error **reterr) {
    Error *error = NULL;
    int r, limits;

    if (!qemu_process_alive(&domain->run->pid))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "its QEMU (process %d) has ended", (int)domain->run->pid.pid);
    r = connect_monitor(domain, reterr);
    if (r >= 0)
        r = prepare(domain, reterr);
    if (r >= 0)
        r = resume_vcpus(domain, reterr);
    if (r >= 0)
        r = refresh_iothreads(domain, reterr);
    if (r >= 0)
        r = run_state_sync(domain, reterr);
    if (r < 0)
        return r;
    news_recall(domain);
    r = domain_check_active(domain, reterr);
    if (r < 0)
        return r;
    limits = domain->run->limits ? 0 : run_limits_resume(domain, &error);
    device_operations_finish(domain); /* before others look at what the live definition names */
    if (domain->run)
        device_reconcile(domain);
    if (domain_check_active(domain, NULL) >= 0)
        disk_rates_reconcile(domain);
    r = domain_check_active(domain, reterr);
    if (r < 0) {
        error_free(error);
        return r;
    }
    begin_comparison(first);
    resume_limits(domain, limits, error);
    label_resume(domain);
    end_comparison(first);
    /* That took its time, and an event of what this daemon has not asked for is passed over. */
    r = domain_refresh_vcpus(domain, reterr);
    if (r >= 0)
        r = run_state_sync(domain, reterr);
    if (r < 0)
        return r;
    bitmap_free(TAKE_PTR(domain->run->pending_removals));
    removal_watch_pending(domain);
    return 0;
}

/* Undoes a try that failed; the QEMU is left alone. A monitor that was there before the try is only
 * closed: others may have it in their hands. */
static void disconnect(Domain *domain) {
    if (domain->run->monitor && monitor_is_open(domain->run->monitor))
        monitor_free(TAKE_PTR(domain->run->monitor));
}

/* The pid of the status file is of nobody: the QEMU has ended, or the file is wrong. True: it is
 * settled, and `run` has the right pid or has ended. */
static bool settle_pid(Domain *domain) {
    CLEANUP(stray_answer_done) StrayAnswer answer = {0};
    StrayFate fate = stray_ask(domain->run->monitor_path, &answer, NULL);

    if (fate == STRAY_SILENT)
        return false;
    if (fate == STRAY_ANSWERS &&
        memcmp(answer.uuid, domain->run->live->uuid, sizeof(answer.uuid)) == 0 &&
        answer.pid.pid > 0) {
        log_warning("domain '%s': its QEMU is process %d, not %d as its status file says",
                    domain_name(domain), (int)answer.pid.pid, (int)domain->run->pid.pid);
        domain->run->pid = answer.pid;
        return true;
    }
    log_info("domain '%s': its QEMU (process %d) ended while vireod was away", domain_name(domain),
             (int)domain->run->pid.pid);
    run_end(domain, SHUTOFF_UNKNOWN, STOPPED_FAILED);
    return true;
}

/* True when there is nothing more to try: connected, or gone. */
static bool try_locked(Domain *domain, FirstTry *first, bool quiet) {
    CLEANUP_ERROR Error *error = NULL;

    if (!domain->run || domain->run->stopping ||
        (domain->run->monitor && monitor_is_open(domain->run->monitor)))
        return true; /* destroyed meanwhile, or started anew */
    if (!domain->run->pid_watch && !qemu_process_alive(&domain->run->pid) && !settle_pid(domain))
        return false;
    if (!domain->run)
        return true;
    if (reconnect(domain, first, &error) >= 0) {
        log_info("domain '%s' found running, %u vCPUs", domain_name(domain),
                 domain_def_online_vcpus(domain->run->live));
        domain_save_status(domain, NULL);
        domain_save_pid(domain);
        prepare_again_watch(domain);
        operations_resume(domain);
        device_operations_resume(domain);
        snapshot_settle(domain);
        snapshot_settle_soon(domain);
        block_jobs_resume(domain);
        save_settle_soon(domain);
        vcpu_verdict_resume(domain);
        return true;
    }
    disconnect(domain);
    if (!quiet)
        log_warning("domain '%s': QEMU (process %d) runs but does not answer, trying on: %s",
                    domain_name(domain), (int)domain->run->pid.pid, error_message(error));
    return !qemu_process_alive(&domain->run->pid) && domain->run->pid_watch; /* its end is seen */
}

static bool try_reconnect(Domain *domain, FirstTry *first, bool quiet) {
    DomainJob job;
    bool over;

    if (domain_job_begin(domain, &job, "reconnecting to QEMU", NULL) < 0)
        return domain->services == NULL;
    over = try_locked(domain, first, quiet);
    domain_job_end(domain, &job);
    return over;
}

/* A QEMU that lives is never given up: it may be stopped, or its host be swapping. */
static void try_on(Domain *domain, bool over) {
    uint64_t pause = RETRY_FIRST_USEC;

    while (!over && domain->services && !task_sleep(&domain->services->tasks, pause)) {
        over = try_reconnect(domain, NULL, true);
        pause = MIN_OF(2 * pause, RETRY_LAST_USEC);
    }
}

static void first_task(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;
    FirstTry first = {domain->services, true};
    bool over = try_reconnect(domain, &first, false);

    tried(&first);
    try_on(domain, over);
}

int reconnect_first(Domain *domain) {
    Services *services = domain->services;
    int r;

    services->n_first_tries++;
    r = task_start(&services->tasks, "reconnect", first_task, domain_ref(domain));
    if (r < 0) {
        services->n_first_tries--;
        domain_unref(domain);
    }
    return r == -ENOMEM ? r : 0;
}

static void again_task(void *userdata) {
    CLEANUP_DOMAIN Domain *domain = userdata;

    try_on(domain, try_reconnect(domain, NULL, false));
}

void reconnect_again(Domain *domain) {
    int r = task_start(&domain->services->tasks, "reconnect", again_task, domain_ref(domain));

    if (r == -ENOMEM)
        log_error("domain '%s': out of memory: its QEMU is connected again by a restart of vireod",
                  domain_name(domain));
    if (r < 0)
        domain_unref(domain);
}

int reconnect_adopt(Domain *domain, const Stray *stray, Error **reterr) {
    DomainDef *live = domain_def_copy(domain->config);
    int r;

    assert(domain_job_is_mine(domain) && !domain->run && domain->config);
    domain->run = live ? domain_run_new(stray->id, live) : NULL;
    if (!domain->run)
        return error_no_memory(reterr);
    store_note_run(domain->services->store, domain);
    domain->run->pid = stray->pid;
    domain->run->monitor_path = strdup(stray->monitor_path);
    domain->run->log_path = domain_log_path(&domain->services->paths, live->name);
    domain->run->found.partition = stray->partition ? strdup(stray->partition) : NULL;
    domain->run->found.group = stray->group ? strdup(stray->group) : NULL;
    domain_run_forget_past(domain->run);
    domain_set_state(domain, DOMAIN_PAUSED, PAUSED_UNKNOWN);
    r = domain->run->monitor_path && domain->run->log_path ? prepare_overlays_found(domain, reterr)
                                                           : error_no_memory(reterr);
    if (r >= 0)
        r = reconnect(domain, NULL, reterr);
    if (r >= 0)
        r = domain_save_status(domain, reterr);
    if (r >= 0)
        return 0;
    if (domain->run)
        domain->run = domain_run_free(domain->run);
    domain_set_state(domain, DOMAIN_SHUTOFF, SHUTOFF_UNKNOWN);
    return r;
}
