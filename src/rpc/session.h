/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection of the server; shared by server.c and session.c only. */
#pragma once

#include "rpc/frame.h"
#include "rpc/server.h"

typedef struct Packet {
    struct Packet *next;
    size_t len, sent;
    uint8_t *bytes;
} Packet;

struct RpcSession {
    RpcServer *server;
    RpcSession *next;
    unsigned n_refs; /* the server's list, and one per running call */
    int fd;          /* -1 once closed */
    sd_event_source *io, *timer;
    bool readonly, authenticated, open, closing; /* closing: after the output is written */
    uid_t uid;
    pid_t pid;
    void *userdata;
    uint8_t *input;
    size_t input_used, input_size;
    Packet *output, **output_tail;
    size_t output_bytes;
    unsigned n_active;
    bool keepalive;
    unsigned n_pings;
    uint64_t last_input;
};

/* Takes the fd; adds nothing to the server's list. */
int session_new(RpcServer *server, int fd, bool readonly, RpcSession **ret);
/* Ends the connection; calls ops->session_closed when no call runs any more, and drops the list's
 * reference. */
void session_close(RpcSession *session);

const RpcProgram *server_find_program(const RpcServer *server, uint32_t program);
const RpcProc *server_find_proc(const RpcServer *server, const RpcProgram *program,
                                uint32_t number);
/* From session_close, once. */
void server_forget(RpcServer *server, RpcSession *session);
void server_session_done(RpcServer *server, RpcSession *session);
