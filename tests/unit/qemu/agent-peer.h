/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A guest agent that is a script on the other end of a unix socket; on the loop of the test. */
#pragma once

#include "qemu/agent-internal.h"

typedef struct Peer {
    char directory[32], path[64];
    int listener, fd;
    char input[65536];
    size_t used;
    char line[65536];
    long long sync_id;
} Peer;

extern Peer peer;
extern Agent *agent; /* under test */
extern char trace[256];

/* Appends to the trace. */
void note(const char *text);
/* A deadline that no test comes to. */
uint64_t soon(void);
/* The agent's next connection; the one before ends. */
void peer_accept(void);
/* The next line, into peer.line. */
void peer_read(void);
void peer_write(const char *data, size_t len);
void peer_say(const char *text);
void peer_read_sync(void);
void peer_answer_sync(long long id);
void peer_sync(void);
void peer_expect(const char *line);
int set_up(void **data);
int tear_down(void **data);
/* Runs up to three fibers to their ends; NULL: none. */
void run(FiberFunc first, FiberFunc second, FiberFunc third);
/* On a fiber: a command, and the answer or the error that it must have. */
void expect_reply(const char *command, const char *reply);
void expect_error(const char *command, int timeout, ErrorCode code, const char *message);
