/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A connected client: who it is, what it registered for. */
#include "access-view.h"
#include "access.h"
#include "domain/audit.h"
#include "driver/auto-destroy.h"
#include "driver/migrate.h"
#include "journal.h"
#include "registration.h"
#include "util/proc.h"

/* The domain that the call was about. NULL: none, or one that is no more. */
static Domain *domain_of(RpcSession *session, const RpcCall *call) {
    const remote_domain *wire = call->args;

    return wire && (call->proc->flags & RPC_PROC_ON_DOMAIN)
               ? driver_find_uuid(driver_of(session), (const uint8_t *)wire->uuid, NULL, NULL)
               : NULL;
}

static bool is_tcp(const RpcSession *session) {
    return *rpc_session_peer(session)->host;
}

/* Root, the daemon's own user and the group of the socket may do all; over TCP root of this host,
 * and everybody where the settings say so. */
static bool is_trusted(const Daemon *daemon, const RpcSession *session) {
    const uid_t uid = rpc_session_peer_uid(session);

    return uid == 0 || uid == geteuid() || (is_tcp(session) && daemon->config.tcp_anybody) ||
           (daemon->config.socket_gid != NO_SOCKET_GROUP &&
            rpc_session_peer_has_group(session, daemon->config.socket_gid));
}

/* Everybody else may read, or is asked about. */
static bool let_in(Client *client, RpcSession *session) {
    ProcStat stat;

    if (is_trusted(client->daemon, session))
        return true;
    if (!client->daemon->config.polkit || is_tcp(session)) /* polkit asks about a process */
        return rpc_session_readonly(session);
    if (proc_stat(rpc_session_peer_pid(session), 0, &stat) < 0)
        return false;
    client->subject = (PolkitSubject){.pid = rpc_session_peer_pid(session),
                                      .start = stat.start,
                                      .uid = rpc_session_peer_uid(session)};
    client->view = access_view_new(client);
    if (!client->view)
        return false;
    rpc_session_set_gate(session, access_gate);
    return true;
}

static int session_opened(RpcSession *session, void *userdata) {
    Daemon *daemon = userdata;
    Client *client = calloc(1, sizeof(Client));

    if (!client)
        return -ENOMEM;
    *client = (Client){.context = {daemon->driver},
                       .daemon = daemon,
                       .session = session,
                       .caller = {.pid = rpc_session_peer_pid(session),
                                  .uid = rpc_session_peer_uid(session),
                                  .addr = rpc_session_peer(session)->host},
                       .next = daemon->clients,
                       .next_callback_id = 1};
    audit_caller_look(&client->caller); /* audit may be switched on while it is there */
    daemon->clients = client;
    rpc_session_set_userdata(session, client);
    rpc_session_set_authenticated(session, let_in(client, session));
    return 0;
}

static void session_closed(RpcSession *session, void *userdata) {
    Daemon *daemon = userdata;
    Client *client = client_of(session), **at = &daemon->clients;

    if (!client)
        return;
    while (*at != client)
        at = &(*at)->next;
    *at = client->next;
    if (client->vireo_kinds)
        vireo_update_trace(daemon);
    driver_migrate_owner_gone(&daemon->driver->services, session);
    driver_client_gone(daemon->driver, rpc_session_id(session));
    registration_remove_all(client);
    access_view_end(client->view);
    free(client->uri);
    free(client);
}

static void call_answered(RpcSession *session, const RpcCall *call, const Error *error,
                          void *userdata) {
    const Daemon *daemon = userdata;
    Domain *domain;

    if (!(call->proc->flags & RPC_PROC_WRITE))
        return;
    domain = domain_of(session, call);
    journal_call(session, call, domain, error);
    audit_call(daemon->driver->services.audit, domain, call->proc->api, &client_of(session)->caller,
               !error);
}

const RpcServerOps client_ops = {.session_opened = session_opened,
                                 .session_closed = session_closed,
                                 .call_answered = call_answered};
