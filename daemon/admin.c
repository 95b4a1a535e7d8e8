/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Connections of the admin program, and its table. */
#include "admin.h"

#include "admin-internal.h"
#include "domain/audit.h"
#include "journal.h"
#include "util/log.h"

#define ADMIN_PROCS_MAX 20u
#define ADMIN_SESSIONS 20u

static RpcProc procs[ADMIN_PROCS_MAX];
static RpcProgram program = {ADMIN_PROGRAM, ADMIN_VERSION, procs, 0};

/* ---- connections ---- */

static int session_opened(RpcSession *session, void *userdata) {
    const uid_t uid = rpc_session_peer_uid(session);
    AdminClient *client;

    if (uid != 0 && uid != geteuid()) {
        log_limited(LOG_WARNING, "user %u (process %d) came to the admin socket, closing it",
                    (unsigned)uid, (int)rpc_session_peer_pid(session));
        return -EPERM;
    }
    client = calloc(1, sizeof(AdminClient));
    if (!client)
        return -ENOMEM;
    *client = (AdminClient){.daemon = userdata,
                            .caller = {.pid = rpc_session_peer_pid(session), .uid = uid}};
    audit_caller_look(&client->caller);
    rpc_session_set_userdata(session, client);
    rpc_session_set_authenticated(session, true);
    return 0;
}

static void session_closed(RpcSession *session, void *userdata) {
    free(rpc_session_userdata(session));
}

static void call_answered(RpcSession *session, const RpcCall *call, const Error *error,
                          void *userdata) {
    const Daemon *daemon = userdata;
    const AdminClient *client = rpc_session_userdata(session);

    if (!(call->proc->flags & RPC_PROC_WRITE))
        return;
    journal_call(session, call, NULL, error);
    audit_call(daemon->driver->services.audit, NULL, call->proc->api, &client->caller, !error);
}

static const RpcServerOps ops = {.session_opened = session_opened,
                                 .session_closed = session_closed,
                                 .call_answered = call_answered};

/* ---- opening ---- */

HANDLER(connect_open) {
    const admin_connect_open_args *args = args_;
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);

    if (r >= 0)
        rpc_session_set_open(session, true);
    return r;
}

HANDLER(connect_close) {
    rpc_session_close_after_reply(session);
    return 0;
}

HANDLER(get_lib_version) {
    ((admin_connect_get_lib_version_ret *)ret_)->lib_ver = LIBVIRT_VERSION_ANSWERED;
    return 0;
}

static const RpcProc connect_procs_[] = {
    ADMIN_ROW(CONNECT_OPEN, "ConnectOpen", RPC_PROC_BEFORE_OPEN, connect_open,
              XDR_OF(admin_connect_open_args), NO_XDR),
    ADMIN_ROW(CONNECT_CLOSE, "ConnectClose", RPC_PROC_BEFORE_OPEN, connect_close, NO_XDR, NO_XDR),
    ADMIN_ROW(CONNECT_GET_LIB_VERSION, "ConnectGetLibVersion", 0, get_lib_version, NO_XDR,
              XDR_OF(admin_connect_get_lib_version_ret)),
};

/* ---- the server ---- */

static void make_table(void) {
    const struct {
        const RpcProc *procs;
        size_t n;
    } parts[] = {{connect_procs_, ARRAY_SIZE(connect_procs_)},
                 {admin_server_procs, admin_server_n_procs},
                 {admin_client_procs, admin_client_n_procs},
                 {admin_log_procs, admin_log_n_procs}};
    size_t n = 0;

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        assert(n + parts[i].n <= ADMIN_PROCS_MAX);
        memcpy(&procs[n], parts[i].procs, parts[i].n * sizeof(RpcProc));
        n += parts[i].n;
    }
    program.n_procs = n;
}

int admin_server_new(Daemon *daemon, RpcServer **ret) {
    RpcLimits limits = rpc_limits_default(ADMIN_SESSIONS);

    make_table();
    rpc_limits_set_sessions(&limits, ADMIN_SESSIONS, ADMIN_SESSIONS);
    return rpc_server_new(&program, 1, &ops, daemon, &limits, ret);
}

const RpcProgram *admin_program(void) {
    return &program;
}
