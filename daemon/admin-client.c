/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The admin program's calls about clients: which there are, who they are, out with one. */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>

#include "admin-internal.h"
#include "params.h"
#include "util/worker.h"

#define LABEL_MAX 512u     /* bytes of a security label */
#define NAME_BUFFER 16384u /* of what is known of a user or a group */

/* virClientTransport */
enum { TRANSPORT_UNIX = 0, TRANSPORT_TCP = 1 };

static int fill(admin_client *ret, const char *server, const RpcSession *of, Error **reterr) {
    ret->id = rpc_session_id(of);
    ret->timestamp = rpc_session_came(of);
    ret->transport = *rpc_session_peer(of)->host ? TRANSPORT_TCP : TRANSPORT_UNIX;
    return dispatch_string(&ret->server, server, reterr);
}

static RpcSession *find_client(RpcSession *session, const char *name, uint64_t id,
                               RpcServer **ret_server, Error **reterr) {
    RpcServer *server = admin_find_server(session, name, reterr);
    RpcSession *found = server ? rpc_server_find_session(server, id) : NULL;

    if (server && !found)
        error_report(reterr, FROM_ADMIN, ERROR_NO_CLIENT,
                     "there is no client %llu of server '%s', or no more", (unsigned long long)id,
                     name);
    if (found && ret_server)
        *ret_server = server;
    return found;
}

/* ---- which there are ---- */

static unsigned count(const RpcServer *server) {
    unsigned n = 0;

    for (RpcSession *at = rpc_server_next_session(server, NULL); at;
         at = rpc_server_next_session(server, at))
        n++;
    return MIN_OF(n, (unsigned)ADMIN_CLIENT_LIST_MAX);
}

/* The oldest first. */
HANDLER(list_clients) {
    const admin_server_list_clients_args *args = args_;
    admin_server_list_clients_ret *ret = ret_;
    RpcServer *server;
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);
    unsigned n;

    if (r < 0)
        return r;
    server = admin_find_server(session, args->server, reterr);
    if (!server)
        return -ENOENT;
    n = count(server);
    ret->ret = n;
    if (!args->need_results || n == 0)
        return 0;
    ret->clients.clients_val = calloc(n, sizeof(admin_client));
    if (!ret->clients.clients_val)
        return error_no_memory(reterr);
    ret->clients.clients_len = n;
    for (RpcSession *at = rpc_server_next_session(server, NULL); r >= 0 && n > 0;
         at = rpc_server_next_session(server, at))
        r = fill(&ret->clients.clients_val[--n], args->server, at, reterr);
    return r;
}

HANDLER(lookup_client) {
    const admin_server_lookup_client_args *args = args_;
    admin_server_lookup_client_ret *ret = ret_;
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);
    RpcSession *found = r < 0 ? NULL : find_client(session, args->server, args->id, NULL, reterr);

    if (r < 0)
        return r;
    return found ? fill(&ret->client, args->server, found, reterr) : -ENOENT;
}

/* ---- who one is ---- */

/* What is known of a client without waiting, and then the names. */
typedef struct Identity {
    RpcPeer peer;
    bool readonly;
    char label[LABEL_MAX];
    char *user, *group; /* NULL: it has none */
} Identity;

static void identity_done(Identity *identity) {
    free(identity->user);
    free(identity->group);
}

/* On a worker: users may be on another machine. */
static int look_up_names(void *userdata) {
    Identity *identity = userdata;
    CLEANUP_FREE char *buffer = malloc(NAME_BUFFER);
    struct passwd user, *found_user = NULL;
    struct group group, *found_group = NULL;

    if (!buffer)
        return -ENOMEM;
    if (getpwuid_r(identity->peer.uid, &user, buffer, NAME_BUFFER, &found_user) == 0 && found_user)
        identity->user = strdup(user.pw_name);
    if (getgrgid_r(identity->peer.gid, &group, buffer, NAME_BUFFER, &found_group) == 0 &&
        found_group)
        identity->group = strdup(group.gr_name);
    return 0;
}

static void look_at(const RpcSession *found, Identity *ret) {
    *ret = (Identity){.peer = *rpc_session_peer(found), .readonly = rpc_session_readonly(found)};
    if (rpc_session_peer_label(found, ret->label, sizeof(ret->label)) < 0)
        ret->label[0] = '\0';
}

static void add_unix(Params *params, const Identity *identity) {
    params_add_int(params, "unix_user_id", (int)identity->peer.uid);
    if (identity->user)
        params_add_string(params, "unix_user_name", identity->user);
    params_add_int(params, "unix_group_id", (int)identity->peer.gid);
    if (identity->group)
        params_add_string(params, "unix_group_name", identity->group);
    params_add_int(params, "unix_process_id", identity->peer.pid);
    if (identity->label[0])
        params_add_string(params, "selinux_context", identity->label);
}

static void add_tcp(Params *params, const RpcPeer *peer) {
    char text[RPC_PEER_TEXT_SIZE];

    snprintf(text, sizeof(text), strchr(peer->host, ':') ? "[%s]:%u" : "%s:%u", peer->host,
             peer->port);
    params_add_string(params, "sock_addr", text);
}

HANDLER(get_info) {
    const admin_client_args *args = args_;
    admin_client_get_info_ret *ret = ret_;
    CLEANUP_PARAMS Params params = {0};
    CLEANUP(identity_done) Identity identity = {0};
    const RpcSession *found;
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);

    if (r < 0)
        return r;
    found = find_client(session, args->client.server, args->client.id, NULL, reterr);
    if (!found)
        return -ENOENT;
    look_at(found, &identity);
    if (!*identity.peer.host && worker_run(look_up_names, &identity) < 0)
        return error_no_memory(reterr);
    params_add_bool(&params, "readonly", identity.readonly);
    if (*identity.peer.host)
        add_tcp(&params, &identity.peer);
    else
        add_unix(&params, &identity);
    return params_hand_over(&params, &ret->params.params_val, &ret->params.params_len, reterr);
}

/* ---- out ---- */

/* Its calls go on, and nobody hears of them, as when it goes by itself. */
HANDLER(client_close) {
    const admin_client_args *args = args_;
    RpcServer *server = NULL;
    RpcSession *found;
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);

    if (r < 0)
        return r;
    found = find_client(session, args->client.server, args->client.id, &server, reterr);
    if (!found)
        return -ENOENT;
    if (found == session)
        rpc_session_close_after_reply(session);
    else
        rpc_server_close_session(server, found);
    return 0;
}

const RpcProc admin_client_procs[] = {
    ADMIN_ROW(SERVER_LIST_CLIENTS, "ServerListClients", 0, list_clients,
              XDR_OF(admin_server_list_clients_args), XDR_OF(admin_server_list_clients_ret)),
    ADMIN_ROW(SERVER_LOOKUP_CLIENT, "ServerLookupClient", 0, lookup_client,
              XDR_OF(admin_server_lookup_client_args), XDR_OF(admin_server_lookup_client_ret)),
    ADMIN_ROW(CLIENT_GET_INFO, "ClientGetInfo", 0, get_info, XDR_OF(admin_client_args),
              XDR_OF(admin_client_get_info_ret)),
    ADMIN_ROW(CLIENT_CLOSE, "ClientClose", RPC_PROC_WRITE, client_close, XDR_OF(admin_client_args),
              NO_XDR),
};
const size_t admin_client_n_procs = ARRAY_SIZE(admin_client_procs);
