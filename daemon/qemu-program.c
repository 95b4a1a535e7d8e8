/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt's QEMU program: commands and events of monitors. */
#include <json-c/json.h>
#include <stdio.h>

#include "access-view.h"
#include "pattern.h"
#include "registration.h"

/* virDomainQemuMonitorCommandFlags, virConnectDomainQemuMonitorEventRegisterFlags */
enum { MONITOR_HMP = 1 };
enum { MONITOR_EVENT_REGEX = 1, MONITOR_EVENT_NOCASE = 2 };

DOMAIN_FUNC(monitor_command, qemu_domain_monitor_command_args, qemu_domain_monitor_command_ret) {
    return driver_monitor_command(domain, args->cmd, args->flags & MONITOR_HMP, &ret->result,
                                  reterr);
}

/* Without files it is the plain call. */
HANDLER(monitor_command_with_files) {
    const qemu_domain_monitor_command_args *args = args_;
    qemu_domain_monitor_command_ret *ret = ret_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r;

    if (call->n_fds == 0)
        return dispatch_domain_call(session, call, args_, ret_, reterr);
    r = dispatch_flags(args->flags, 0, call->proc->api, reterr);
    if (r >= 0)
        r = dispatch_domain(session, &args->dom, &domain, reterr);
    return r < 0 ? r
                 : driver_monitor_command_with_fds(domain, args->cmd, call->fds, call->n_fds,
                                                   &ret->result, reterr);
}

DOMAIN_FUNC(domain_agent_command, qemu_domain_agent_command_args, qemu_domain_agent_command_ret) {
    CLEANUP_FREE char **result = calloc(1, sizeof(*result));
    int r;

    if (!result)
        return error_no_memory(reterr);
    r = driver_agent_command(domain, args->cmd, args->timeout, result, reterr);
    if (r >= 0)
        ret->result = TAKE_PTR(result);
    return r;
}

HANDLER(register_event) {
    qemu_connect_domain_monitor_event_register_args *args = args_;
    qemu_connect_domain_monitor_event_register_ret *ret = ret_;
    const char *event = dispatch_opt(args->event);
    const bool nocase = args->flags & MONITOR_EVENT_NOCASE;
    CLEANUP_FREE char *text = event ? strdup(event) : NULL;
    CLEANUP(pattern_freep) regex_t *pattern = NULL;
    Registration *registration = NULL;
    int r = dispatch_flags(args->flags, MONITOR_EVENT_REGEX | MONITOR_EVENT_NOCASE, call->proc->api,
                           reterr);

    if (r >= 0 && event && !text)
        r = error_no_memory(reterr);
    if (r >= 0 && event && (args->flags & MONITOR_EVENT_REGEX))
        r = pattern_compile(event, nocase, &pattern, reterr);
    if (r >= 0)
        r = registration_add(client_of(session), EVENT_OF_MONITORS, args->dom, &registration,
                             reterr);
    if (r < 0)
        return r;
    registration->nocase = nocase;
    registration->monitor_event = TAKE_PTR(text);
    registration->pattern = TAKE_PTR(pattern);
    ret->callbackID = registration->callback_id;
    return 0;
}

HANDLER(deregister_event) {
    qemu_connect_domain_monitor_event_deregister_args *args = args_;

    return registration_remove(client_of(session), EVENT_OF_MONITORS, args->callbackID, reterr);
}

static bool wants(const Registration *registration, const Domain *domain, const char *name) {
    if (!registration_matches(registration, EVENT_OF_MONITORS, domain))
        return false;
    if (registration->pattern)
        return regexec(registration->pattern, name, 0, NULL, 0) == 0;
    if (!registration->monitor_event)
        return true;
    return registration->nocase ? strcasecmp(registration->monitor_event, name) == 0
                                : streq(registration->monitor_event, name);
}

void qemu_send_monitor_event(Domain *domain, const char *name, json_object *data, int64_t seconds,
                             int64_t microseconds, void *userdata) {
    Daemon *daemon = userdata;
    char *details = data ? (char *)json_object_to_json_string_ext(data, JSON_C_TO_STRING_PLAIN)
                         : NULL;
    qemu_domain_monitor_event_msg message = {.dom = dispatch_borrow_domain(domain),
                                             .event = (char *)name,
                                             .seconds = seconds,
                                             .micros = microseconds,
                                             .details = details ? &details : NULL};

    for (Client *client = daemon->clients; client; client = client->next)
        for (Registration *at = client->registrations; at; at = at->next)
            if (wants(at, domain, name)) {
                message.callbackID = at->callback_id;
                access_send_event(
                    client, &(AccessEvent){.uuid = domain_def(domain)->uuid,
                                           .name = domain_name(domain),
                                           .program = QEMU_PROGRAM,
                                           .version = QEMU_VERSION,
                                           .procedure = QEMU_PROC_DOMAIN_MONITOR_EVENT,
                                           .xdr = (xdrproc_t)xdr_qemu_domain_monitor_event_msg,
                                           .payload = &message});
            }
}

const RpcProc qemu_procs[] = {
    {QEMU_PROC_DOMAIN_MONITOR_COMMAND, "virDomainQemuMonitorCommand",
     RPC_PROC_WRITE | RPC_PROC_ON_DOMAIN, dispatch_domain_call,
     XDR_OF(qemu_domain_monitor_command_args), XDR_OF(qemu_domain_monitor_command_ret),
     CALL_FLAGS(monitor_command, MONITOR_HMP, false, qemu_domain_monitor_command_args)},
    {QEMU_PROC_DOMAIN_MONITOR_COMMAND_WITH_FILES, "virDomainQemuMonitorCommandWithFiles",
     RPC_PROC_WRITE | RPC_PROC_ON_DOMAIN, monitor_command_with_files,
     XDR_OF(qemu_domain_monitor_command_args), XDR_OF(qemu_domain_monitor_command_ret),
     CALL_FLAGS(monitor_command, MONITOR_HMP, false, qemu_domain_monitor_command_args)},
    {QEMU_PROC_DOMAIN_AGENT_COMMAND, "virDomainQemuAgentCommand",
     RPC_PROC_WRITE | RPC_PROC_ON_DOMAIN, dispatch_domain_call,
     XDR_OF(qemu_domain_agent_command_args), XDR_OF(qemu_domain_agent_command_ret),
     CALL_FLAGS(domain_agent_command, 0, false, qemu_domain_agent_command_args)},
    {QEMU_PROC_CONNECT_DOMAIN_MONITOR_EVENT_REGISTER, "virConnectDomainQemuMonitorEventRegister",
     RPC_PROC_WRITE, register_event, XDR_OF(qemu_connect_domain_monitor_event_register_args),
     XDR_OF(qemu_connect_domain_monitor_event_register_ret)},
    {QEMU_PROC_CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER,
     "virConnectDomainQemuMonitorEventDeregister", RPC_PROC_WRITE, deregister_event,
     XDR_OF(qemu_connect_domain_monitor_event_deregister_args), NO_XDR},
};
const size_t qemu_n_procs = ARRAY_SIZE(qemu_procs);
