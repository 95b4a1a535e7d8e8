/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the admin program share. */
#pragma once

#include "daemon.h"
#include "rpc/admin_protocol.h"

#define ADMIN_ROW(number, api, how, run, args, ...)                                                \
    { ADMIN_PROC_##number, "virAdm" api, how, run, args, __VA_ARGS__ }

/* A connection; the session's userdata. */
typedef struct AdminClient {
    Daemon *daemon;
    AuditCaller caller;
} AdminClient;

static inline Daemon *admin_daemon(const RpcSession *session) {
    return ((AdminClient *)rpc_session_userdata(session))->daemon;
}

/* Names of the two servers: that of the machines, and the one that asks. */
#define ADMIN_SERVER_MAIN "vireod"
#define ADMIN_SERVER_ADMIN "admin"

/* The server of that name. NULL and ERROR_NO_SERVER: there is none. */
RpcServer *admin_find_server(RpcSession *session, const char *name, Error **reterr);

/* The rows, one table a file. */
extern const RpcProc admin_server_procs[], admin_client_procs[], admin_log_procs[];
extern const size_t admin_server_n_procs, admin_client_n_procs, admin_log_n_procs;

/* For tests: the procedures, once there is a server. */
const RpcProgram *admin_program(void);
