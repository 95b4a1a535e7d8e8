/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of a stream have of each other. */
#pragma once

#include "rpc/connection.h"
#include "rpc/stream.h"
#include "util/output.h"

struct RpcStream {
    RpcStream *next;
    RpcSession *session;
    unsigned n_refs; /* the session's, and one per fiber */
    FrameHeader header;
    RpcStreamParams params;
    bool started;                            /* the reply of its call has been sent */
    bool closed;                             /* no longer the session's */
    bool sent_end;                           /* the client knows that nothing more comes */
    bool finishing;                          /* the client has sent all */
    uint64_t n_in, n_out;                    /* bytes that went */
    Output queue;                            /* from the client, not yet written */
    uint64_t hole;                           /* bytes of zeros behind the queue, likewise */
    sd_event_source *in_source, *out_source; /* of what can be waited for */
    FiberCond news;                          /* of a file's fiber */
};

/* ---- stream-core.c ---- */

/* Whether the client has read enough to be sent more. */
bool stream_has_room(const RpcStream *stream);
/* Sends bytes; n 0 says that no more come. */
int stream_send(RpcStream *stream, const void *bytes, size_t n);
int stream_send_hole(RpcStream *stream, uint64_t n);
/* Ends it: with an error, or, with NULL, with the confirmation the client waits for. */
void stream_end(RpcStream *stream, const Error *error);
/* Takes it from the session; its owner is told. */
void stream_close(RpcStream *stream, bool complete);
/* A packet of it. */
int stream_send_packet(RpcStream *stream, FrameStatus status, const void *bytes, size_t n);
/* The error of a descriptor. */
void stream_end_system(RpcStream *stream, int error, const char *what);
void stream_unref(RpcStream *stream);
DEFINE_CLEANUP(RpcStream *, stream_unref)

/* stream-poll.c, stream-file.c: begin to move; look again, as there is room or there are bytes. */
int stream_poll_start(RpcStream *stream);
void stream_poll_look(RpcStream *stream);
int stream_file_start(RpcStream *stream);
void stream_file_look(RpcStream *stream);
