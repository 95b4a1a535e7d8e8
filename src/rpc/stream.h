/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A stream of bytes between a client and a file descriptor: a console, a volume, a picture. It has
 * the serial of the call that opened it and begins behind that call's reply; WIRE.md 1.10 has the
 * packets.
 *
 * What can be waited for (ttys, sockets) is moved from the loop, files on the worker pool. What
 * goes to a client that does not read waits in the descriptor; what comes faster than a file takes
 * it waits in the client's socket. A tty or socket that takes nothing for long ends its stream. */
#pragma once

#include "rpc/session.h"

typedef struct RpcStream RpcStream;

typedef struct RpcStreamParams {
    int in;  /* what is read there goes to the client; -1: nothing does */
    int out; /* what the client sends is written there; -1: it may send nothing; may equal in */
    bool is_file;   /* read and written on workers, at the descriptor's offset */
    bool sparse;    /* of a file: what is a hole goes as one, either way */
    uint64_t limit; /* bytes, of a file in one direction; 0: no limit */
    /* The stream has ended, all well or not. Not called for one that could not be opened. */
    void (*ended)(bool complete, void *userdata);
    void *userdata;
} RpcStreamParams;

/* In a handler, which then returns 0; takes the descriptors in every case. *ret (may be NULL) is
 * valid until `ended`. -EDQUOT: the client has too many streams. */
int rpc_stream_open(RpcCall *call, const RpcStreamParams *params, RpcStream **ret, Error **reterr);
/* Ends it with an error that the client gets. */
void rpc_stream_fail(RpcStream *stream, const Error *error);
