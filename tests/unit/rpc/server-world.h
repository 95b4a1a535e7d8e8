/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A server with a program of its own, and a client that writes and reads frames by hand, on one
 * loop. */
#pragma once

#include "rpc/frame.h"
#include "rpc/remote_protocol.h"
#include "rpc/server-internal.h"
#include "util/fiber.h"

enum {
    PROC_ECHO = 1,
    PROC_WRITE,
    PROC_HOLD,
    PROC_LOGIN,
    PROC_OPEN,
    PROC_FAIL,
    PROC_MUTE,
    PROC_BYE,
    PROC_MISSING,
    PROC_EVENT,
    PROC_LONG_ERROR,
    PROC_HEAVY_HOLD,
    PROC_SIZES,
    PROC_BIG
};

enum { LONG_TEXT = 5 << 20, BIG = 1 << 20 };

typedef struct ServerWorld {
    RpcServer *server;
    int fd; /* the client's end */
    bool authenticated, open;
    FiberCond gate;
    bool gate_open;
    uint64_t held[16]; /* the sessions whose calls PROC_HOLD held, in turn */
    unsigned n_held, n_returned, n_opened, n_closed;
    uint8_t input[1 << 20];
    size_t input_used;
    uint32_t serial;
} ServerWorld;

extern ServerWorld t;
extern const RpcProgram server_program;
extern const RpcServerOps server_ops;

/* Runs the loop while there is something to do. */
void pump(void);
/* A client on a socketpair; t.fd is its end. */
void connect_client(bool readonly);
void hang_up(void);
void send_bytes(const void *bytes, size_t len);
void send_frame(const FrameHeader *header, const char *text);
FrameHeader call_header(int procedure);
/* Sends a call (text NULL: without an argument) and returns its serial. */
uint32_t call(int procedure, const char *text);
/* The next packet that is there already: its header, and payload copied. False: none. */
bool next_packet(FrameHeader *header, uint8_t *payload, size_t *ret_len);
void expect_nothing(void);
void expect_ok(uint32_t serial, const char *text);
void expect_error(uint32_t serial, ErrorCode code, ErrorFrom from, const char *message);
/* The server has closed and let go of the session. */
void expect_closed(void);
int set_up(void **state);
int tear_down(void **state);
/* Lets go of the calls that PROC_HOLD holds. */
void release(void);
/* A client at a listening socket. */
int connect_to(const char *path);
