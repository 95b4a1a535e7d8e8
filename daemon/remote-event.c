/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domain events: who registered for what, and sending. */
#include <stdio.h>

#include "event-news.h"
#include "event-send.h"
#include "remote-job.h"
#include "registration.h"
#include "journal.h"
#include "remote-storage.h"

enum { EVENT_ID_LAST = EVENT_ID_VCPU_REMOVED }; /* those up to here are accepted */

HANDLER(register_any) {
    remote_connect_domain_event_callback_register_any_args *args = args_;
    remote_connect_domain_event_callback_register_any_ret *ret = ret_;
    Registration *registration = NULL;
    int r;

    if (args->eventID < 0 || args->eventID > EVENT_ID_LAST)
        return error_report(reterr, FROM_RPC, ERROR_INTERNAL, "unsupported event ID %d",
                            args->eventID);
    r = registration_add(client_of(session), args->eventID, args->dom, &registration, reterr);
    if (r >= 0)
        ret->callbackID = registration->callback_id;
    return r;
}

HANDLER(deregister_any) {
    remote_connect_domain_event_callback_deregister_any_args *args = args_;

    return registration_remove(client_of(session), EVENT_OF_DOMAINS, args->callbackID, reterr);
}

/* ---- sending ---- */

static void send_lifecycle(Domain *domain, LifecycleEvent event, int detail, void *userdata) {
    static const EventKind kind = {EVENT_ID_LIFECYCLE, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE,
                                   (xdrproc_t)xdr_remote_domain_event_callback_lifecycle_msg};
    remote_domain_event_callback_lifecycle_msg message = {
        .dom = dispatch_borrow_domain(domain), .event = event, .detail = detail};

    journal_lifecycle(domain, event);
    event_send(userdata, domain, &kind, &message, &message.callbackID);
}

static void send_reboot(Domain *domain, void *userdata) {
    static const EventKind kind = {EVENT_ID_REBOOT, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_REBOOT,
                                   (xdrproc_t)xdr_remote_domain_event_callback_domain_msg};
    remote_domain_event_callback_domain_msg message = {.dom = dispatch_borrow_domain(domain)};

    event_send(userdata, domain, &kind, &message, &message.callbackID);
}

static void send_device(Domain *domain, int id, int procedure, const char *alias, Daemon *daemon) {
    const EventKind kind = {id, procedure, (xdrproc_t)xdr_remote_domain_event_callback_device_msg};
    remote_domain_event_callback_device_msg message = {.dom = dispatch_borrow_domain(domain),
                                                       .devAlias = (char *)alias};

    event_send(daemon, domain, &kind, &message, &message.callbackID);
}

static void send_device_removed(Domain *domain, const char *alias, void *userdata) {
    send_device(domain, EVENT_ID_DEVICE_REMOVED, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED,
                alias, userdata);
}

static void send_device_added(Domain *domain, const char *alias, void *userdata) {
    send_device(domain, EVENT_ID_DEVICE_ADDED, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_ADDED,
                alias, userdata);
}

static void send_device_removal_failed(Domain *domain, const char *alias, void *userdata) {
    send_device(domain, EVENT_ID_DEVICE_REMOVAL_FAILED,
                REMOTE_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED, alias, userdata);
}

static void send_vcpu_removed(Domain *domain, unsigned vcpu, void *userdata) {
    static const EventKind kind = {EVENT_ID_VCPU_REMOVED, REMOTE_PROC_DOMAIN_EVENT_VCPU_REMOVED,
                                   (xdrproc_t)xdr_remote_domain_event_vcpu_removed_msg};
    remote_domain_event_vcpu_removed_msg message = {.dom = dispatch_borrow_domain(domain),
                                                    .vcpu = vcpu};

    journal_vcpu_removed(domain, vcpu);
    event_send(userdata, domain, &kind, &message, &message.callbackID);
}

static void send_agent_lifecycle(Domain *domain, bool connected, int reason, void *userdata) {
    static const EventKind kind = {EVENT_ID_AGENT_LIFECYCLE,
                                   REMOTE_PROC_DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE,
                                   (xdrproc_t)xdr_remote_domain_event_callback_agent_lifecycle_msg};
    remote_domain_event_callback_agent_lifecycle_msg message = {
        .dom = dispatch_borrow_domain(domain), .state = connected ? 1 : 2, .reason = reason};

    event_send(userdata, domain, &kind, &message, &message.callbackID);
}

static void send_tunable(Domain *domain, const TunableValue *values, size_t n, void *userdata) {
    static const EventKind kind = {EVENT_ID_TUNABLE, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_TUNABLE,
                                   (xdrproc_t)xdr_remote_domain_event_callback_tunable_msg};
    remote_domain_event_callback_tunable_msg message = {.dom = dispatch_borrow_domain(domain)};
    Params params = {0};

    for (size_t i = 0; i < n; i++)
        if (values[i].type == TUNABLE_TEXT)
            params_add_string(&params, values[i].name, values[i].text);
        else if (values[i].type == TUNABLE_LLONG)
            params_add_llong(&params, values[i].name, values[i].number);
        else
            params_add_ullong(&params, values[i].name, (uint64_t)values[i].number);
    message.params.params_val = params.list;
    message.params.params_len = params.n;
    if (!params.failed)
        event_send(userdata, domain, &kind, &message, &message.callbackID);
    params_done(&params);
}

static void send_block_job(Domain *domain, const BlockJob *job, unsigned outcome, void *userdata) {
    static const EventKind by_path = {EVENT_ID_BLOCK_JOB,
                                      REMOTE_PROC_DOMAIN_EVENT_CALLBACK_BLOCK_JOB,
                                      (xdrproc_t)xdr_remote_domain_event_block_job_msg},
                           by_target = {EVENT_ID_BLOCK_JOB_2, REMOTE_PROC_DOMAIN_EVENT_BLOCK_JOB_2,
                                        (xdrproc_t)xdr_remote_domain_event_block_job_msg};
    remote_domain_event_block_job_msg message = {.dom = dispatch_borrow_domain(domain),
                                                 .disk = job->path ? job->path : job->disk,
                                                 .type = (int)job->kind,
                                                 .status = (int)outcome};

    event_send(userdata, domain, &by_path, &message, &message.callbackID);
    message.disk = job->disk;
    event_send(userdata, domain, &by_target, &message, &message.callbackID);
}

static void send_iteration(Domain *domain, int pass, void *userdata) {
    static const EventKind kind = {
        EVENT_ID_MIGRATION_ITERATION, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_MIGRATION_ITERATION,
        (xdrproc_t)xdr_remote_domain_event_callback_migration_iteration_msg};
    remote_domain_event_callback_migration_iteration_msg message = {
        .dom = dispatch_borrow_domain(domain), .iteration = pass};

    event_send(userdata, domain, &kind, &message, &message.callbackID);
}

static void send_block_threshold(Domain *domain, const char *disk, const char *path,
                                 uint64_t threshold, uint64_t excess, void *userdata) {
    static const EventKind kind = {EVENT_ID_BLOCK_THRESHOLD,
                                   REMOTE_PROC_DOMAIN_EVENT_BLOCK_THRESHOLD,
                                   (xdrproc_t)xdr_remote_domain_event_block_threshold_msg};
    remote_string text = (char *)path;
    remote_domain_event_block_threshold_msg message = {.dom = dispatch_borrow_domain(domain),
                                                       .dev = (char *)disk,
                                                       .path = path ? &text : NULL,
                                                       .threshold = threshold,
                                                       .excess = excess};

    event_send(userdata, domain, &kind, &message, &message.callbackID);
}

static void send_job_completed(Domain *domain, const TransferStats *stats, void *userdata) {
    static const EventKind kind = {EVENT_ID_JOB_COMPLETED,
                                   REMOTE_PROC_DOMAIN_EVENT_CALLBACK_JOB_COMPLETED,
                                   (xdrproc_t)xdr_remote_domain_event_callback_tunable_msg};
    remote_domain_event_callback_tunable_msg message = {.dom = dispatch_borrow_domain(domain)};
    CLEANUP_PARAMS Params params = {0};

    job_add_params(&params, stats);
    message.params.params_val = params.list;
    message.params.params_len = params.n;
    if (!params.failed)
        event_send(userdata, domain, &kind, &message, &message.callbackID);
}

const DomainEvents daemon_events = {
    .lifecycle = send_lifecycle,
    .reboot = send_reboot,
    .device_removed = send_device_removed,
    .device_added = send_device_added,
    .device_removal_failed = send_device_removal_failed,
    .vcpu_removed = send_vcpu_removed,
    .agent_lifecycle = send_agent_lifecycle,
    .tunable = send_tunable,
    .migration_iteration = send_iteration,
    .news = event_send_news,
    .block_threshold = send_block_threshold,
    .block_job = send_block_job,
    .job_completed = send_job_completed,
    .drift = vireo_send_drift,
    .monitor_event = qemu_send_monitor_event,
    .operation = vireo_send_operation,
    .trace = vireo_send_trace,
};

const RpcProc event_procs[] = {
    {REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, "virConnectDomainEventRegisterAny", 0,
     register_any, XDR_OF(remote_connect_domain_event_callback_register_any_args),
     XDR_OF(remote_connect_domain_event_callback_register_any_ret)},
    {REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY, "virConnectDomainEventDeregisterAny",
     0, deregister_any, XDR_OF(remote_connect_domain_event_callback_deregister_any_args), NO_XDR},
};
const size_t event_n_procs = ARRAY_SIZE(event_procs);
