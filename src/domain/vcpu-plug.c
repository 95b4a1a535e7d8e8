/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Live vCPU change: the commands, their replies, and what is undone when some fail. */
#include "domain/vcpu-plug.h"

#include <stdio.h>

#include "domain/audit.h"
#include "domain/events.h"
#include "domain/files.h"
#include "limits/limits.h"
#include "domain/removal.h"
#include "domain/removal-watch.h"
#include "domain/vcpu-smi.h"
#include "qemu/quirks.h"
#include "qemu/unplug.h"
#include "util/log.h"

#define COMMAND_USEC (30 * USEC_PER_SEC)
#define PROGRESS_STEP 32u

static void emit_added(Domain *domain, const Removal *ids, size_t n) {
    for (size_t i = 0; i < n; i++) {
        char alias[32];

        snprintf(alias, sizeof(alias), "vcpu%u", ids[i].id);
        events_device_added(domain, alias);
    }
}

typedef MonitorReply *ReplyPtr;

static void free_replies(ReplyPtr *replies, size_t n) {
    for (size_t i = 0; replies && i < n; i++)
        monitor_reply_free(replies[i]);
    free(replies);
}

/* Sends one command for each of the plan's entities from `first` on, pipelined. What could not be
 * sent stays NULL. */
static int send_all(Domain *domain, const HotplugPlan *plan, size_t first, size_t n,
                    ReplyPtr *replies, Error **reterr) {
    for (size_t i = first; i < first + n; i++) {
        VcpuEntity *entity = &domain->run->vcpus.entities[plan->entities[i]];
        const char *command = "device_del";
        json_object *arguments;
        int r;

        if (plan->plug) {
            arguments = vcpu_entity_plug_command(entity, &command);
        } else {
            arguments = vcpu_entity_device_del(entity);
            unplug_request(entity); /* armed before the command leaves */
        }
        if (!arguments)
            return error_no_memory(reterr);
        r = monitor_send(domain->run->monitor, command, arguments, &replies[i]);
        if (r < 0)
            return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                                "domain '%s': cannot send to QEMU: %s", domain_name(domain),
                                strerror(-r));
    }
    return 0;
}

/* Waits for all replies; the first failure is the error. Leaves in `added` the ids that QEMU did
 * add. */
static int collect(Domain *domain, ReplyPtr *replies, size_t n, const Removal *ids, Removal *added,
                   size_t *ret_n_added, Operation *operation, Error **reterr) {
    CLEANUP_ERROR Error *first = NULL;
    unsigned online = domain_def_online_vcpus(domain->run->live);
    AuditRecords records = {0};
    bool is_silent = false;
    size_t n_added = 0;
    uint64_t deadline;

    /* QEMU answers in order: the fiber wakes for some of the replies, not for each. The time is
     * each such step's: a real QEMU takes longer for each CPU the more it has, 1023 of them under
     * TCG about a minute. */
    for (size_t i = PROGRESS_STEP - 1; i < n && replies[i]; i += PROGRESS_STEP) {
        if (monitor_wait(replies[i], deadline_in(COMMAND_USEC)) < 0)
            break;
        if (operation)
            operation->n_done = i + 1;
    }
    deadline = deadline_in(COMMAND_USEC);
    if (n > 0 && replies[n - 1])
        monitor_wait(replies[n - 1], deadline);
    for (size_t i = 0; i < n; i++) {
        int r = replies[i] ? monitor_wait(replies[i], deadline) : -ENOTCONN;

        if (r >= 0) {
            r = monitor_reply_error(replies[i], "device_add", first ? NULL : &first);
            if (operation) /* the start has a record of its own */
                audit_records_add_vcpus(&records, domain, online, online + ids[i].n_vcpus, r >= 0);
            if (r >= 0) {
                added[n_added++] = ids[i];
                online += ids[i].n_vcpus;
            }
        } else {
            is_silent |= r == -ETIMEDOUT;
            if (!first)
                error_report(&first, FROM_QEMU,
                             r == -ETIMEDOUT ? ERROR_OPERATION_TIMEOUT : ERROR_OPERATION_FAILED,
                             "domain '%s': no answer to device_add: %s; what came of it is looked "
                             "for when its QEMU answers",
                             domain_name(domain), strerror(-r));
        }
    }
    if (is_silent) /* it may plug them yet: the reconnection finds and tunes them */
        monitor_give_up(domain->run->monitor, "QEMU did not answer a plug");
    *ret_n_added = n_added;
    if (domain_check_active(domain, NULL) < 0 && domain_outlives_monitor(domain))
        audit_records_done(&records); /* the reconnection finds what came, and says so */
    else
        audit_records_send(&records, domain);
    return first ? error_propagate(reterr, TAKE_PTR(first)) : 0;
}

static int check_new_threads(Domain *domain, Error **reterr) {
    const VcpuMap *map = &domain->run->vcpus;

    for (unsigned id = 0; map->has_tids && id < map->n_vcpus && id < domain->run->live->n_vcpus_max;
         id++)
        if (domain->run->live->vcpus[id].online && map->tids[id] == 0)
            return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                                "domain '%s': QEMU reports no thread for vCPU %u",
                                domain_name(domain), id);
    return 0;
}

/* QEMU's machines start with the old ACPI hotplug registers, which cannot eject, until the guest's
 * own ACPI code switches them over (QEMU's docs/specs/acpi_cpu_hotplug). */
static void del_error(const Domain *domain, const MonitorReply *reply, Error **reterr) {
    if (strstr(reply->error_desc, "not supported device type"))
        error_report(
            reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
            "the guest of domain '%s' has not set up ACPI CPU hotplug, no vCPU can be removed "
            "before its operating system runs (QEMU: %s)",
            domain_name(domain), reply->error_desc);
    else
        monitor_reply_error(reply, "device_del", reterr);
}

/* "DeviceNotFound" to device_del means it is gone already: a hint. Other errors end the change:
 * REFUSED; without an answer nobody knows. The first of them counts. */
static OperationState check_del_replies(Domain *domain, ReplyPtr *replies, const Removal *removals,
                                        size_t n, Error **reterr) {
    uint64_t deadline = deadline_in(COMMAND_USEC);
    unsigned online = domain_def_online_vcpus(domain->run->live);
    AuditRecords records = {0};
    CLEANUP_ERROR Error *silent = NULL;
    OperationState state = OPERATION_ACTING;

    if (n > 0 && replies[n - 1])
        monitor_wait(replies[n - 1], deadline);
    for (size_t i = 0; i < n; i++) {
        int r = replies[i] ? monitor_wait(replies[i], deadline) : -ENOTCONN;
        VcpuEntity *entity = vcpu_map_by_id(&domain->run->vcpus, removals[i].id);
        bool first = state == OPERATION_ACTING;

        if (r < 0) {
            if (first)
                error_report(&silent, FROM_QEMU, ERROR_OPERATION_FAILED,
                             "no answer to device_del: %s", strerror(-r));
            state = first ? OPERATION_PENDING : state;
        } else if (replies[i]->error_class && entity && !entity->hint) {
            if (streq(replies[i]->error_class, "DeviceNotFound")) {
                removal_hint(domain, removals[i].id);
            } else if (!strstr(replies[i]->error_desc, "already in the process of unplug")) {
                unplug_forget(entity);
                audit_records_add_vcpus(&records, domain, online, online - removals[i].n_vcpus,
                                        false);
                if (first)
                    del_error(domain, replies[i], reterr);
                state = first ? OPERATION_REFUSED : state;
            }
        }
    }
    audit_records_send(&records, domain);
    return silent ? removals_unknown(domain, n, silent, reterr) : state;
}

/* How far the guest has been asked, in the operation's own order: what it lists before the last one
 * asked has gone, or was asked before. */
static void note_asked(Operation *operation, unsigned last_id) {
    for (size_t i = 0; operation && i < operation->n_vcpus; i++)
        if (operation->vcpus[i] == last_id)
            operation->n_asked = i + 1;
}

/* How many of them left: a command that could not be sent has no reply to come. */
static size_t n_sent(const ReplyPtr *replies, size_t n) {
    size_t sent = 0;

    while (sent < n && replies[sent])
        sent++;
    return sent;
}

/* Nothing has left. */
static void forget_requests(Domain *domain, const HotplugPlan *plan, size_t first, size_t n) {
    for (size_t i = first; i < first + n; i++)
        unplug_forget(&domain->run->vcpus.entities[plan->entities[i]]);
}

/* Asks the guest for `n` of the plan's entities from `first` on. ACTING: it is asked. */
static OperationState ask(Domain *domain, const HotplugPlan *plan, const Removal *removals,
                          size_t first, size_t n, Operation *operation, Error **reterr) {
    ReplyPtr *replies = calloc(plan->n_entities + 1, sizeof(ReplyPtr));
    CLEANUP_ERROR Error *unsent = NULL;
    OperationState state = OPERATION_FAILED;
    size_t sent;

    if (!replies) {
        error_no_memory(reterr);
        return OPERATION_FAILED;
    }
    if (send_all(domain, plan, first, n, replies, &unsent) < 0 && !replies[first])
        forget_requests(domain, plan, first, n);
    sent = n_sent(replies + first, n);
    monitor_flush(domain->run->monitor);
    operation_step(operation, STEP_SENT);
    if (unsent && !replies[first])
        error_propagate(reterr, TAKE_PTR(unsent));
    else /* some may have been sent */
        state = check_del_replies(domain, replies + first, removals + first, n, reterr);
    free_replies(replies, plan->n_entities);
    operation_step(operation, STEP_ANSWERED);
    if (sent > 0)
        note_asked(operation, removals[first + sent - 1].id);
    return state;
}

static size_t batch_size(const Domain *domain, const HotplugPlan *plan) {
    const DomainRun *run = domain->run;

    return quirk_of(run->caps, run->live->virt, QUIRK_LOST_INTERRUPTS) ||
                   vcpu_smi_serialises_removals(run->live)
               ? 1
               : plan->n_entities;
}

/* All at once, or one after the other from the top where QEMU would lose interrupts, or the
 * firmware would eject another one. */
static OperationState run_unplug(Domain *domain, const HotplugPlan *plan, Operation *operation,
                                 Error **reterr) {
    CLEANUP_FREE Removal *removals = removals_of(domain, plan);
    size_t n = plan->n_entities, batch = batch_size(domain, plan), asked = 0, left;
    RemovalLimits limits = removal_limits(domain, operation ? operation->request.timeout_usec : 0,
                                          n);
    OperationState state = OPERATION_DONE;

    if (!removals) {
        error_no_memory(reterr);
        return OPERATION_UNDONE;
    }
    while (state == OPERATION_DONE && asked < n) {
        if (!domain->run->vcpus.entities[plan->entities[asked]].qom_path) {
            asked++; /* the guest let it go while another was waited for */
            continue;
        }
        state = ask(domain, plan, removals, asked, batch, operation, reterr);
        asked += batch;
        if (state == OPERATION_ACTING && operation && operation->request.async)
            return OPERATION_PENDING;
        if (state == OPERATION_ACTING)
            state = removals_wait(domain, removals, asked, &limits, operation, reterr);
    }
    if (state == OPERATION_DONE)
        operation_step(operation, STEP_CONFIRMED);
    left = domain->run ? removals_left(domain, removals, n) : n;
    if (state != OPERATION_DONE && left < n && reterr && *reterr)
        error_prefix(reterr, "%zu of %zu vCPU devices were removed", n - left, n);
    return state;
}

OperationState hotplug_ask_next(Domain *domain, Operation *operation, Error **reterr) {
    CLEANUP(hotplug_plan_done) HotplugPlan plan = {0};
    CLEANUP_FREE Removal *removals = NULL;
    size_t n_asked = operation->n_asked;
    OperationState state;
    int r;

    assert(domain_job_is_mine(domain) && !operation->plug);
    assert(n_asked < operation->n_vcpus);
    r = hotplug_plan_ids(&domain->run->vcpus, false, operation->vcpus + n_asked, 1, &plan, reterr);
    if (r >= 0 && plan.n_entities > 0)
        r = hotplug_preflight(domain, &plan, reterr);
    if (r >= 0) {
        removals = removals_of(domain, &plan);
        r = removals ? 0 : error_no_memory(reterr);
    }
    if (r < 0)
        return OPERATION_PENDING;
    state = OPERATION_ACTING;
    if (plan.n_entities > 0)
        state = ask(domain, &plan, removals, 0, 1, NULL, reterr);
    operation->n_asked = n_asked + 1;
    return state;
}

/* Takes away again what a plug of `n` that failed half way had added: UNDONE, or FAILED. The
 * failure's sentence gets what became of them. */
static OperationState roll_back(Domain *domain, const Removal *added, size_t n_added, size_t n,
                                Error **error) {
    CLEANUP(hotplug_plan_done) HotplugPlan plan = {0};
    CLEANUP_ERROR Error *undo = NULL;
    CLEANUP_FREE unsigned *list = calloc(n_added + 1, sizeof(unsigned));
    int r;

    if (!list || domain_check_active(domain, NULL) < 0)
        return OPERATION_FAILED;
    if (n_added == 0) {
        error_prefix(error, "no vCPU was added");
        return OPERATION_UNDONE;
    }
    for (size_t i = 0; i < n_added; i++)
        list[i] = added[i].id;
    r = hotplug_plan_ids(&domain->run->vcpus, false, list, n_added, &plan, &undo);
    if (r >= 0)
        r = hotplug_preflight(domain, &plan, &undo);
    if (r >= 0 && run_unplug(domain, &plan, NULL, &undo) == OPERATION_DONE) {
        error_prefix(error, "the %zu of %zu vCPU devices that were added are removed again",
                     n_added, n);
        return OPERATION_UNDONE;
    }
    error_prefix(error,
                 "%zu of %zu vCPU devices were added and could not all be removed again (%s), %u "
                 "vCPUs are online now",
                 n_added, n, error_message(undo),
                 domain->run ? domain_def_online_vcpus(domain->run->live) : 0);
    return OPERATION_FAILED;
}

/* The ids of a plan's vCPUs. */
static Bitmap *vcpus_of(const Removal *ids, size_t n) {
    CLEANUP_BITMAP Bitmap *vcpus = bitmap_new();

    for (size_t i = 0; vcpus && i < n; i++)
        for (unsigned id = ids[i].id; id < ids[i].id + ids[i].n_vcpus; id++)
            if (bitmap_set(vcpus, id) < 0)
                return NULL;
    return TAKE_PTR(vcpus);
}

/* Where the number of threads is limited, the status file must say how many there were before a
 * plug, and before some of its vCPUs are taken away again: a daemon that comes after a crash counts
 * those that are there and not in it. */
static int save_threads(Domain *domain, Error **reterr) {
    const DomainRun *run = domain->run;

    return quirk_of(run->caps, run->live->virt, QUIRK_VCPU_THREADS)
               ? domain_save_status(domain, reterr)
               : 0;
}

/* What the guest does with them is asked, by the next daemon, too. */
static void ask_for_verdicts(Domain *domain, const Removal *ids, size_t n) {
    for (size_t i = 0; i < n; i++) {
        VcpuEntity *entity = vcpu_map_by_id(&domain->run->vcpus, ids[i].id);

        if (entity && entity->qom_path)
            entity->verdict = GUEST_UNKNOWN;
    }
}

/* What must be there before the first thread is. */
static int prepare_plug(Domain *domain, const LimitsSubject *subject, const Bitmap *vcpus,
                        const Operation *operation, Error **reterr) {
    int r = limits_prepare_vcpus(domain->run->limits, subject, vcpus, reterr);

    if (r >= 0)
        r = limits_widen_memory(domain->run->limits, subject, true, reterr);
    return r >= 0 && operation ? save_threads(domain, reterr) : r;
}

static OperationState run_plug(Domain *domain, const HotplugPlan *plan, Operation *operation,
                               Error **reterr) {
    CLEANUP_FREE Removal *ids = removals_of(domain, plan), *added = removals_of(domain, plan);
    ReplyPtr *replies = calloc(plan->n_entities + 1, sizeof(ReplyPtr));
    CLEANUP(vcpu_query_done) VcpuQuery query = {0};
    CLEANUP_ERROR Error *error = NULL, *refresh = NULL;
    CLEANUP_BITMAP Bitmap *vcpus = ids ? vcpus_of(ids, plan->n_entities) : NULL;
    LimitsSubject subject = domain_subject(domain);
    OperationState state;
    size_t n_added = 0;
    int r;

    if (!replies || !ids || !added || !vcpus)
        r = error_no_memory(reterr);
    else
        r = prepare_plug(domain, &subject, vcpus, operation, reterr);
    if (r < 0) {
        limits_forget_vcpus(domain->run->limits, &subject);
        free(replies);
        return OPERATION_UNDONE;
    }
    send_all(domain, plan, 0, plan->n_entities, replies, &error);
    r = domain_query_vcpus(domain, &query, &refresh); /* answered after the last device_add */
    monitor_flush(domain->run->monitor);
    operation_step(operation, STEP_SENT);
    collect(domain, replies, plan->n_entities, ids, added, &n_added, operation,
            error ? NULL : &error);
    free_replies(replies, plan->n_entities);
    operation_step(operation, STEP_ANSWERED);
    if (r >= 0)
        r = domain_take_vcpus(domain, &query, &refresh);
    limits_widen_memory(domain->run->limits, &subject, false, error ? NULL : &error);
    if (r < 0) {
        error_propagate(reterr, error ? TAKE_PTR(error) : TAKE_PTR(refresh));
        return OPERATION_FAILED;
    }
    operation_step(operation, STEP_CONFIRMED);
    if (operation)
        ask_for_verdicts(domain, ids, plan->n_entities);
    if (!error)
        check_new_threads(domain, &error);
    if (!error)
        limits_tune(domain->run->limits, &subject, &(LimitsScope){.vcpus = vcpus}, &error);
    operation_step(operation, STEP_TUNED);
    if (!error) {
        if (operation) /* not those of the start */
            emit_added(domain, ids, plan->n_entities);
        return OPERATION_DONE;
    }
    if (operation)
        save_threads(domain, NULL);
    state = roll_back(domain, added, n_added, plan->n_entities, &error);
    if (domain->run) /* the groups that were made for them */
        limits_forget_vcpus(domain->run->limits, &subject);
    error_propagate(reterr, TAKE_PTR(error));
    return state;
}

void hotplug_save(Domain *domain, const Operation *operation) {
    CLEANUP_ERROR Error *error = NULL;

    assert(domain_job_is_mine(domain));
    if (!domain->run)
        return;
    domain->run->live->vcpus_individual = true;
    if (domain_save_status(domain, &error) < 0)
        log_warning("domain '%s': cannot save its status, ignoring: %s", domain_name(domain),
                    error_message(error));
    operation_step(operation, STEP_SAVED);
}

OperationState hotplug_run(Domain *domain, const HotplugPlan *plan, Operation *operation,
                           Error **reterr) {
    OperationState state;

    assert(domain_job_is_mine(domain) && domain->run);
    if (plan->n_entities == 0)
        return OPERATION_DONE;
    state = plan->plug ? run_plug(domain, plan, operation, reterr)
                       : run_unplug(domain, plan, operation, reterr);
    hotplug_save(domain, operation);
    removal_watch_pending(domain);
    return state;
}

/* Those that QEMU was started with. */
static int tune_boot_vcpus(Domain *domain, Error **reterr) {
    CLEANUP_BITMAP Bitmap *vcpus = bitmap_new();
    LimitsSubject subject = domain_subject(domain);
    int r;

    for (unsigned id = 0; vcpus && id < domain->run->live->n_vcpus_max; id++)
        if (domain->run->live->vcpus[id].online && bitmap_set(vcpus, id) < 0)
            return error_no_memory(reterr);
    if (!vcpus)
        return error_no_memory(reterr);
    r = limits_prepare_vcpus(domain->run->limits, &subject, vcpus, reterr);
    return r < 0
               ? r
               : limits_tune(domain->run->limits, &subject, &(LimitsScope){.vcpus = vcpus}, reterr);
}

static void warn_of_hole(const Domain *domain) {
    CLEANUP_FREE char *warning = hotplug_warn_of_hole(domain);

    if (warning)
        log_warning("%s", warning);
}

int hotplug_boot(Domain *domain, Error **reterr) {
    CLEANUP(hotplug_plan_done) HotplugPlan plan = {.plug = true};
    unsigned n = domain->run->live->n_vcpus_max;
    CLEANUP_FREE VcpuDef *wanted = calloc(n + 1, sizeof(VcpuDef));
    CLEANUP_ERROR Error *error = NULL;
    int r;

    assert(domain_job_is_mine(domain) && domain->run);
    if (!wanted)
        return error_no_memory(reterr);
    memcpy(wanted, domain->run->live->vcpus, n * sizeof(VcpuDef));
    r = domain_refresh_vcpus(domain, reterr);
    if (r >= 0)
        r = hotplug_check_def(&domain->run->vcpus, wanted, n, reterr);
    if (r >= 0)
        r = vcpu_map_check_boot(&domain->run->vcpus, wanted, n, reterr);
    if (r >= 0)
        r = hotplug_plan_boot(&domain->run->vcpus, wanted, n, &plan, reterr);
    if (r >= 0)
        r = tune_boot_vcpus(domain, reterr);
    if (r < 0)
        return r;
    if (plan.n_entities && run_plug(domain, &plan, NULL, &error) != OPERATION_DONE)
        return error_propagate(reterr, TAKE_PTR(error));
    warn_of_hole(domain);
    return 0;
}
