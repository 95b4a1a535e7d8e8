/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client's connection as handlers see it: who it is, what it may do, its calls and events. */
#pragma once

#include <sys/types.h>

#include "rpc/budget.h"
#include "rpc/frame.h"
#include "rpc/peer.h"
#include "rpc/table.h"

/* A call under way. */
struct RpcCall {
    RpcCall *next; /* of those that have not run yet */
    struct Fiber *fiber;
    RpcSession *session;
    const RpcProc *proc;
    FrameHeader header;
    uint8_t *payload; /* not decoded yet: the session's gate is asked first; else NULL */
    size_t len;
    void *args, *ret;
    int fds[FRAME_FDS_MAX]; /* that came with it; closed after the call, but for those taken: -1 */
    unsigned n_fds;
    int ret_fds[FRAME_FDS_MAX]; /* that go with the reply; closed when they are sent */
    unsigned n_ret_fds;
    size_t n_charged; /* bytes of its packet, taken from the budget until it ends */
};

/* The server's owner's own, for its handlers; the session does not look at it. */
void rpc_session_set_userdata(RpcSession *session, void *data);
void *rpc_session_userdata(const RpcSession *session);
bool rpc_session_readonly(const RpcSession *session);
void rpc_session_set_readonly(RpcSession *session); /* CONNECT_OPEN with flag 1 */
/* Whoever connected, as the kernel knew him then. */
const RpcPeer *rpc_session_peer(const RpcSession *session);
uid_t rpc_session_peer_uid(const RpcSession *session);
pid_t rpc_session_peer_pid(const RpcSession *session);
/* What SELinux or another security module calls the peer (SO_PEERSEC). -ENOPROTOOPT: nothing. */
int rpc_session_peer_label(const RpcSession *session, char *ret, size_t size);
/* Its number among the server's connections, never used again. */
uint64_t rpc_session_id(const RpcSession *session);
/* When it came: seconds since 1970. */
int64_t rpc_session_came(const RpcSession *session);
/* Whether whoever connected was in that group (SO_PEERCRED, SO_PEERGROUPS of unix(7)). */
bool rpc_session_peer_has_group(const RpcSession *session, gid_t gid);
bool rpc_session_authenticated(const RpcSession *session);
void rpc_session_set_authenticated(RpcSession *session, bool yes);
void rpc_session_set_open(RpcSession *session, bool yes);

/* Each call from then on is asked about (RpcGate) but those that come before authentication or
 * opening. Without a gate every call may be made. */
void rpc_session_set_gate(RpcSession *session, RpcGate gate);
bool rpc_session_has_gate(const RpcSession *session);
/* What it may use; handlers take for event registrations. */
Account *rpc_session_account(const RpcSession *session);
/* The client asked SUPPORTS_FEATURE(10): the daemon may ping now. */
void rpc_session_enable_keepalive(RpcSession *session);
/* Close once the reply of the running call has been written (CONNECT_CLOSE). */
void rpc_session_close_after_reply(RpcSession *session);
/* Queues a type 2 message. A session whose unsent queue is beyond its budget is closed. Never
 * suspends. */
int rpc_session_send_event(RpcSession *session, uint32_t program, uint32_t version,
                           int32_t procedure, xdrproc_t xdr, void *payload);
