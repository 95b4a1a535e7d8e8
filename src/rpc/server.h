/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server's half of libvirt's RPC: listening sockets, sessions, framing, keepalive, and one
 * fiber per call. What a call does is the daemon's business: it hands in tables of RpcProc.
 *
 * A client that goes away drops its replies, never the work. What a client may use is budgeted
 * (rpc/budget.h): a call beyond it waits unread, a packet or reply beyond it closes the client. See
 * WIRE.md section 1. */
#pragma once

#include "rpc/listener.h"
#include "rpc/session.h"
#include "rpc/table.h"

typedef struct RpcServer RpcServer;

typedef struct RpcServerOps {
    /* A connection came; may set userdata. Negative: it is closed. */
    int (*session_opened)(RpcSession *session, void *userdata);
    /* The connection is gone and its last call has returned; drop registrations, free userdata. */
    void (*session_closed)(RpcSession *session, void *userdata);
    /* A call has been answered, with an error or, with NULL, without. `args` of a call that the
     * session's gate refused is NULL. On the call's fiber, which may be suspended: the call counts
     * in the client's budget until it returns. NULL: nobody wants to know. */
    void (*call_answered)(RpcSession *session, const RpcCall *call, const Error *error,
                          void *userdata);
} RpcServerOps;

/* Tables and ops stay the caller's and must outlive the server. limits NULL: the defaults, for as
 * many file descriptors as this process may have. */
int rpc_server_new(const RpcProgram *programs, size_t n_programs, const RpcServerOps *ops,
                   void *userdata, const RpcLimits *limits, RpcServer **ret);
/* Adds a listening socket, unix or TCP (bound, listening, close-on-exec, non-blocking); takes the
 * fd. */
int rpc_server_add_listener(RpcServer *server, int fd, bool readonly);
unsigned rpc_server_n_sessions(const RpcServer *server);
/* Connections that are there, the newest first; NULL: the first, or no more. They last until the
 * caller suspends. */
RpcSession *rpc_server_next_session(const RpcServer *server, const RpcSession *after);
/* NULL: there is none with that number, or no more. */
RpcSession *rpc_server_find_session(const RpcServer *server, uint64_t id);
/* How many have come so far. */
uint64_t rpc_server_n_came(const RpcServer *server);
/* Closes it as if the peer had gone; it need not be there after that. */
void rpc_server_close_session(RpcServer *server, RpcSession *session);
/* What clients may use and have taken; rpc/budget.h. */
Budget *rpc_server_budget(const RpcServer *server);
/* Stops listening, closes all sessions; returns once every call has returned or the deadline
 * passed. On a fiber. */
int rpc_server_stop(RpcServer *server, uint64_t deadline);
void rpc_server_free(RpcServer *server);
DEFINE_CLEANUP(RpcServer *, rpc_server_free)
