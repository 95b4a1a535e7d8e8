/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A connection's inside, for session.c, session-*.c and the server that keeps the list; the rest of
 * the program sees rpc/session.h. */
#pragma once

#include <sys/types.h>

#include "rpc/budget.h"
#include "rpc/frame.h"
#include "rpc/peer.h"
#include "rpc/table.h"
#include "util/fiber.h"
#include "util/log.h"

typedef struct Packet {
    struct Packet *next;
    size_t len, sent;
    uint8_t *bytes;
    int fds[FRAME_FDS_MAX]; /* each goes with a byte of its own behind the packet */
    unsigned n_fds, n_fds_sent;
} Packet;

/* A file descriptor that came, and the place behind its byte in the input. */
typedef struct SessionFd {
    int fd;
    size_t at;
} SessionFd;

typedef struct SessionOps {
    /* The connection is closed; calls may still run. */
    void (*closed)(RpcSession *session, void *userdata);
    /* Its last call has returned, too: it is about to be freed. */
    void (*done)(RpcSession *session, void *userdata);
    /* Its next packet has to wait for what it or others will give back; whether it got further than
     * when it had to wait before. Until session_process_input it reads nothing. */
    void (*stalled)(RpcSession *session, bool further, void *userdata);
    /* It gave back what others may wait for: a call has ended. */
    void (*released)(RpcSession *session, void *userdata);
    /* A call has its reply, or the error that is it. */
    void (*answered)(RpcSession *session, const RpcCall *call, const Error *error, void *userdata);
} SessionOps;

struct RpcSession {
    const RpcTable *table;
    const SessionOps *ops;
    void *ops_userdata;
    void (*call_ended)(RpcSession *session); /* gives back what the call had, its reference last */
    RpcSession *next, *next_waiting;         /* the owner's */
    bool waiting;                            /* the owner's: it is in a queue */
    unsigned n_refs;                         /* the owner's, and one per running call */
    int fd;                                  /* -1 once closed */
    sd_event_source *io, *timer;
    bool readonly, authenticated, open;
    bool closing; /* after the output is written */
    bool stalled; /* a call waits until its user's other calls have ended */
    uint64_t id;  /* the owner's */
    int64_t came; /* when it came: seconds since 1970 */
    RpcPeer peer;
    RpcGate gate; /* or NULL */
    void *userdata;
    Account *account;
    uint8_t *input;
    size_t input_used, input_size;
    SessionFd fds[FRAME_FDS_MAX];
    unsigned n_fds;
    Packet *output, **output_tail;
    size_t n_output;              /* bytes of the packets there */
    RpcCall *begun, **begun_tail; /* calls whose fibers have not run yet */
    struct RpcStream *streams;    /* rpc/stream.h */
    bool keepalive;
    unsigned n_pings;
    uint64_t since;       /* when it came */
    uint64_t last_input;  /* when the client sent something */
    uint64_t last_output; /* when it took something, or the queue began */
};

/* Takes the fd when it succeeds. -EDQUOT: its user has no connection left. */
int session_new(const RpcTable *table, Budget *budget, const SessionOps *ops, void *userdata,
                int fd, const RpcPeer *peer, bool readonly, RpcSession **ret);
/* The other host whose account it has; NULL: its user's. */
static inline const char *peer_account_host(const RpcPeer *peer) {
    return peer->uid == RPC_PEER_NOBODY && *peer->host ? peer->host : NULL;
}
/* Ends the connection and drops the owner's reference. */
void session_close(RpcSession *session);
/* Handles what has come, as far as there is room for calls. */
void session_process_input(RpcSession *session);

/* session-output.c: queueing. */

/* Writes what the socket takes. Negative: the connection is broken. */
int session_flush(RpcSession *session);
/* Takes the bytes and the fds. Never closes at once: a broken connection is left for the loop to
 * find. -ENOTCONN, -ENOBUFS. */
int session_enqueue(RpcSession *session, uint8_t *bytes, size_t len, const int *fds,
                    unsigned n_fds);
void session_drop_output(RpcSession *session);
/* Which events of the socket are waited for. */
void session_update_io(RpcSession *session);
/* An error reply; without memory for it the connection ends, so that nobody waits for it. */
void session_send_error(RpcSession *session, const FrameHeader *call, const Error *error);
void session_send_rpc_error(RpcSession *session, const FrameHeader *call, ErrorCode code,
                            const char *text);

/* session-call.c: calls on fibers. */

/* Begins what the packet asks for, or answers why not; takes the fds. It runs with
 * session_run_calls. False: it has to wait for other calls, and nothing was taken. */
bool session_begin_call(RpcSession *session, const FrameHeader *header, const uint8_t *payload,
                        size_t len, const int *fds, unsigned n_fds);
/* Runs those that have begun, on the loop's stack at once, until each first waits. The caller has a
 * reference: they may be the session's end. */
void session_run_calls(RpcSession *session);

/* stream.c: streams of bytes. */

/* The reply of the call has been sent (ok), or an error was. */
void stream_call_ended(RpcSession *session, const FrameHeader *call, bool ok);
/* A packet of a stream. False: it has to wait until what came before is written. */
bool stream_on_packet(RpcSession *session, const FrameHeader *header, const uint8_t *payload,
                      size_t len);
/* The client has taken something. */
void stream_resume(RpcSession *session);
void stream_drop_all(RpcSession *session);
