/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libvirt's QEMU program: monitor commands and monitor events. */
#include <json-c/json.h>
#include <regex.h>
#include <stdio.h>

#include "daemon.h"

enum { MONITOR_HMP = 1 };
enum { MONITOR_EVENT_REGEX = 1, MONITOR_EVENT_NOCASE = 2 };

HANDLER(monitor_command) {
    qemu_domain_monitor_command_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_flags(args->flags, MONITOR_HMP, "qemuDomainQemuMonitorCommand", reterr);

    if (r >= 0)
        r = dispatch_domain(session, &args->dom, &domain, reterr);
    return r < 0
               ? r
               : driver_monitor_command(domain, args->cmd, args->flags & MONITOR_HMP,
                                        &((qemu_domain_monitor_command_ret *)ret_)->result, reterr);
}

HANDLER(domain_agent_command) {
    qemu_domain_agent_command_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    CLEANUP_FREE char *text = NULL;
    char **result;
    int r = dispatch_flags(args->flags, 0, "qemuDomainQemuAgentCommand", reterr);

    if (r >= 0)
        r = dispatch_domain(session, &args->dom, &domain, reterr);
    if (r >= 0)
        r = driver_agent_command(domain, args->cmd, args->timeout, &text, reterr);
    if (r < 0)
        return r;
    result = malloc(sizeof(*result));
    if (!result)
        return error_no_memory(reterr);
    *result = TAKE_PTR(text);
    ((qemu_domain_agent_command_ret *)ret_)->result = result;
    return 0;
}

/* The pattern is kept compiled: an event is matched without allocation. */
static int compile_pattern(Registration *registration, const char *text, unsigned flags,
                           Error **reterr) {
    int how = REG_EXTENDED | REG_NOSUB | ((flags & MONITOR_EVENT_NOCASE) ? REG_ICASE : 0);
    CLEANUP_FREE regex_t *pattern = calloc(1, sizeof(regex_t));

    if (!pattern)
        return error_no_memory(reterr);
    if (regcomp(pattern, text, how) != 0)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "cannot compile the regular expression '%s'", text);
    registration->pattern = TAKE_PTR(pattern);
    return 0;
}

HANDLER(register_event) {
    qemu_connect_domain_monitor_event_register_args *args = args_;
    qemu_connect_domain_monitor_event_register_ret *ret = ret_;
    Client *client = client_of(session);
    Registration *registration = NULL;
    int r = dispatch_flags(args->flags, MONITOR_EVENT_REGEX | MONITOR_EVENT_NOCASE,
                           "qemuConnectDomainQemuMonitorEventRegister", reterr);

    if (r >= 0)
        r = registration_add(client, -1, args->dom, &registration, reterr);
    if (r < 0)
        return r;
    if (args->event) {
        registration->nocase = args->flags & MONITOR_EVENT_NOCASE;
        r = dispatch_string(&registration->monitor_event, *args->event, reterr);
        if (r >= 0 && (args->flags & MONITOR_EVENT_REGEX))
            r = compile_pattern(registration, *args->event, args->flags, reterr);
    }
    if (r < 0) {
        registration_remove(client, registration->callback_id, true, NULL);
        return r;
    }
    ret->callbackID = registration->callback_id;
    return 0;
}

HANDLER(deregister_event) {
    qemu_connect_domain_monitor_event_deregister_args *args = args_;

    return registration_remove(client_of(session), args->callbackID, true, reterr);
}

static bool wants(const Registration *registration, const Domain *domain, const char *name) {
    if (!registration_matches(registration, -1, domain))
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
    qemu_domain_monitor_event_msg message = {.event = (char *)name,
                                             .seconds = seconds,
                                             .micros = microseconds,
                                             .details = details ? &details : NULL};

    message.dom = (remote_domain){.name = (char *)domain_name(domain), .id = domain_id(domain)};
    memcpy(message.dom.uuid, domain_def(domain)->uuid, sizeof(message.dom.uuid));
    for (Client *client = daemon->clients; client; client = client->next)
        for (Registration *at = client->registrations; at; at = at->next)
            if (wants(at, domain, name)) {
                message.callbackID = at->callback_id;
                rpc_session_send_event(client->session, QEMU_PROGRAM, QEMU_VERSION,
                                       QEMU_PROC_DOMAIN_MONITOR_EVENT,
                                       (xdrproc_t)xdr_qemu_domain_monitor_event_msg, &message);
            }
}

const RpcProc qemu_procs[] = {
    {QEMU_PROC_DOMAIN_MONITOR_COMMAND, "virDomainQemuMonitorCommand", RPC_PROC_WRITE,
     monitor_command, XDR_OF(qemu_domain_monitor_command_args),
     XDR_OF(qemu_domain_monitor_command_ret)},
    {QEMU_PROC_DOMAIN_AGENT_COMMAND, "virDomainQemuAgentCommand", RPC_PROC_WRITE,
     domain_agent_command, XDR_OF(qemu_domain_agent_command_args),
     XDR_OF(qemu_domain_agent_command_ret)},
    {QEMU_PROC_CONNECT_DOMAIN_MONITOR_EVENT_REGISTER, "virConnectDomainQemuMonitorEventRegister",
     RPC_PROC_WRITE, register_event, XDR_OF(qemu_connect_domain_monitor_event_register_args),
     XDR_OF(qemu_connect_domain_monitor_event_register_ret)},
    {QEMU_PROC_CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER,
     "virConnectDomainQemuMonitorEventDeregister", RPC_PROC_WRITE, deregister_event,
     XDR_OF(qemu_connect_domain_monitor_event_deregister_args), NO_XDR},
};
const size_t qemu_n_procs = ARRAY_SIZE(qemu_procs);
