/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server's half of libvirt's RPC: listening sockets, sessions, framing, keepalive, and one
 * fiber per call. What a call does is the daemon's business: it hands in tables of RpcProc.
 *
 * A session handles up to RPC_MAX_ACTIVE calls at a time and leaves the rest unread. A client that
 * goes away drops its replies, never the work. See WIRE.md section 1. */
#pragma once

#include <rpc/rpc.h> /* libtirpc: xdrproc_t */

#include "util/error.h"
#include "util/fiber.h"

#define RPC_MAX_ACTIVE 5
#define RPC_LENGTH_MIN 28u
#define RPC_LENGTH_MAX 33554436u

typedef struct RpcServer RpcServer;
typedef struct RpcSession RpcSession;

/* Runs on a fiber of its own. `args` is decoded and freed by the caller; `ret` is zeroed before and
 * xdr_free'd after the reply, so handlers put malloc'ed memory there. A negative return without an
 * error set becomes an internal error. */
typedef int (*RpcHandler)(RpcSession *session, void *args, void *ret, Error **reterr);

typedef enum RpcProcFlags {
    RPC_PROC_WRITE = 1 << 0,       /* refused on a read-only session (code 29) */
    RPC_PROC_BEFORE_AUTH = 1 << 1, /* allowed before authentication */
    RPC_PROC_BEFORE_OPEN = 1 << 2, /* allowed before CONNECT_OPEN */
} RpcProcFlags;

typedef struct RpcProc {
    uint32_t number;
    const char *api; /* libvirt's API name, "virDomainCreate": for refusals and logs */
    unsigned flags;
    RpcHandler handler; /* NULL: known but not there: answered like an unknown procedure */
    xdrproc_t args_xdr; /* NULL: no arguments */
    size_t args_size;
    xdrproc_t ret_xdr; /* NULL: empty reply */
    size_t ret_size;
} RpcProc;

typedef struct RpcProgram {
    uint32_t program, version;
    const RpcProc *procs; /* any order; looked up through an index built once */
    size_t n_procs;
} RpcProgram;

typedef struct RpcServerOps {
    /* A connection came; may set userdata. Negative: it is closed. */
    int (*session_opened)(RpcSession *session, void *userdata);
    /* The connection is gone and its last call has returned; drop registrations, free userdata. */
    void (*session_closed)(RpcSession *session, void *userdata);
} RpcServerOps;

/* Tables and ops stay the caller's and must outlive the server. */
int rpc_server_new(const RpcProgram *programs, size_t n_programs, const RpcServerOps *ops,
                   void *userdata, RpcServer **ret);
/* Adds a listening unix socket (bound, listening, close-on-exec, non-blocking); takes the fd. */
int rpc_server_add_listener(RpcServer *server, int fd, bool readonly);
/* Adds one connected socket as if it had been accepted (tests, fuzzing); takes the fd. */
int rpc_server_add_connection(RpcServer *server, int fd, bool readonly);
unsigned rpc_server_n_sessions(const RpcServer *server);
/* Stops listening, closes all sessions; returns once every call has returned or the deadline
 * passed. On a fiber. */
int rpc_server_stop(RpcServer *server, uint64_t deadline);
void rpc_server_free(RpcServer *server);
DEFINE_CLEANUP(RpcServer *, rpc_server_free)

/* Creates a bound listening unix socket with that mode; replaces a dead socket file, refuses a live
 * one (-EADDRINUSE). */
int rpc_listen_unix(const char *path, unsigned mode, int *ret_fd, Error **reterr);

void rpc_session_set_userdata(RpcSession *session, void *data);
void *rpc_session_userdata(const RpcSession *session);
bool rpc_session_readonly(const RpcSession *session);
void rpc_session_set_readonly(RpcSession *session); /* CONNECT_OPEN with flag 1 */
uid_t rpc_session_peer_uid(const RpcSession *session);
pid_t rpc_session_peer_pid(const RpcSession *session);
bool rpc_session_authenticated(const RpcSession *session);
void rpc_session_set_authenticated(RpcSession *session, bool yes);
bool rpc_session_is_open(const RpcSession *session);
void rpc_session_set_open(RpcSession *session, bool yes);
/* The client asked SUPPORTS_FEATURE(10): the daemon may ping now. */
void rpc_session_enable_keepalive(RpcSession *session);
/* Close once the reply of the running call has been written (CONNECT_CLOSE). */
void rpc_session_close_after_reply(RpcSession *session);
/* Queues a type 2 message. A session whose unsent queue passes 32 MiB is closed. Never suspends. */
int rpc_session_send_event(RpcSession *session, uint32_t program, uint32_t version,
                           int32_t procedure, xdrproc_t xdr, void *payload);
