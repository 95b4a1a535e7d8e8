/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A connected client: who it is, what it registered for. */
#include "access.h"
#include "driver/migrate.h"
#include "journal.h"
#include "registration.h"
#include "util/proc.h"

/* Root, the daemon's own user and the group of the socket may do all. */
static bool is_trusted(const Daemon *daemon, const RpcSession *session) {
    const uid_t uid = rpc_session_peer_uid(session);

    return uid == 0 || uid == geteuid() ||
           (daemon->config.has_socket_gid &&
            rpc_session_peer_has_group(session, daemon->config.socket_gid));
}

/* Everybody else may read, or is asked about. */
static bool let_in(Client *client, RpcSession *session) {
    ProcStat stat;

    if (is_trusted(client->daemon, session))
        return true;
    if (!client->daemon->config.polkit)
        return rpc_session_readonly(session);
    if (proc_stat(rpc_session_peer_pid(session), 0, &stat) < 0)
        return false;
    client->subject = (PolkitSubject){.pid = rpc_session_peer_pid(session),
                                      .start = stat.start,
                                      .uid = rpc_session_peer_uid(session)};
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
                       .next = daemon->clients,
                       .next_callback_id = 1};
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
    registration_remove_all(client);
    free(client->uri);
    free(client);
}

const RpcServerOps client_ops = {.session_opened = session_opened,
                                 .session_closed = session_closed,
                                 .call_answered = journal_call};
