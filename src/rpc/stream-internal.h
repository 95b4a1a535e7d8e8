/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What stream.c shows its two movers, and the session's files. */
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
    sd_event_source *in_source, *out_source; /* of what can be waited for */
    FiberCond news;                          /* of a file's fiber */
};

/* Whether the client has read enough to be sent more. */
bool stream_has_room(const RpcStream *stream);
/* Sends bytes; n 0 says that no more come. */
int stream_send(RpcStream *stream, const void *bytes, size_t n);
/* Ends it: with an error, or, with NULL, with the confirmation the client waits for. */
void stream_end(RpcStream *stream, const Error *error);
/* The error of a descriptor. */
void stream_end_system(RpcStream *stream, int error, const char *what);
void stream_unref(RpcStream *stream);
DEFINE_CLEANUP(RpcStream *, stream_unref)

/* stream-poll.c, stream-file.c: begin to move; look again, as there is room or there are bytes. */
int stream_poll_start(RpcStream *stream);
void stream_poll_look(RpcStream *stream);
int stream_file_start(RpcStream *stream);
void stream_file_look(RpcStream *stream);

/* ---- for the session ---- */

/* The reply of the call has been sent (ok), or an error was. */
void stream_call_ended(RpcSession *session, const FrameHeader *call, bool ok);
/* A packet of a stream. False: it has to wait until what came before is written. */
bool stream_on_packet(RpcSession *session, const FrameHeader *header, const uint8_t *payload,
                      size_t len);
/* The client has taken something. */
void stream_resume(RpcSession *session);
void stream_drop_all(RpcSession *session);
