/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Streams: their beginning, and what clients send. */
#include "rpc/stream-internal.h"

#include <fcntl.h>
#include <stdio.h>

#include "rpc/refusal.h"

#define STREAMS_MAX 16u      /* of one connection */
#define QUEUE_MAX (1u << 20) /* bytes that may wait for the descriptor */

/* ---- beginning ---- */

static unsigned count(const RpcSession *session) {
    unsigned n = 0;

    for (const RpcStream *at = session->streams; at; at = at->next)
        n++;
    return n;
}

static void close_params(const RpcStreamParams *params) {
    if (params->in >= 0)
        close(params->in);
    if (params->out >= 0 && params->out != params->in)
        close(params->out);
}

static void set_nonblocking(int fd) {
    if (fd >= 0)
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int rpc_stream_open(RpcCall *call, const RpcStreamParams *params, RpcStream **ret, Error **reterr) {
    RpcSession *session = call->session;
    RpcStream *stream;

    if (session->fd < 0 || count(session) >= STREAMS_MAX ||
        !account_take(session->account, BUDGET_REGISTRATIONS, 1)) {
        refusal_count(REFUSAL_LIMIT);
        close_params(params);
        return error_report(reterr, FROM_STREAMS, ERROR_OPERATION_FAILED,
                            "too many streams are open on this connection; close one first");
    }
    stream = calloc(1, sizeof(RpcStream));
    if (!stream) {
        account_give(session->account, BUDGET_REGISTRATIONS, 1);
        close_params(params);
        return error_no_memory(reterr);
    }
    *stream = (RpcStream){.session = session,
                          .n_refs = 1,
                          .header = call->header,
                          .params = *params,
                          .next = session->streams};
    session->streams = stream;
    if (!params->is_file) {
        set_nonblocking(params->in);
        set_nonblocking(params->out);
    }
    if (ret)
        *ret = stream;
    return 0;
}

static RpcStream *find(const RpcSession *session, const FrameHeader *header) {
    for (RpcStream *at = session->streams; at; at = at->next)
        if (at->header.serial == header->serial && at->header.program == header->program &&
            at->header.procedure == header->procedure)
            return at;
    return NULL;
}

void stream_call_ended(RpcSession *session, const FrameHeader *call, bool ok) {
    RpcStream *stream = find(session, call);
    int r;

    if (!stream || stream->started)
        return;
    if (!ok) {
        stream_close(stream, false);
        return;
    }
    stream->started = true;
    r = stream->params.is_file ? stream_file_start(stream) : stream_poll_start(stream);
    if (r < 0)
        stream_end_system(stream, r, "stream had I/O failure");
}

/* ---- packets of clients ---- */

static void look(RpcStream *stream) {
    if (stream->params.is_file)
        stream_file_look(stream);
    else
        stream_poll_look(stream);
}

static bool on_data(RpcStream *stream, const uint8_t *payload, size_t len) {
    CLEANUP_ERROR Error *error = NULL;

    if (stream->params.out < 0 || stream->finishing) {
        error_report(&error, FROM_STREAMS, ERROR_OPERATION_INVALID,
                     "this stream takes no data from the client");
        stream_end(stream, error);
        return true;
    }
    if (stream->hole) /* it comes first */
        return false;
    if (output_waiting(&stream->queue) + len > QUEUE_MAX && output_waiting(&stream->queue) > 0) {
        if (stream->params.is_file)
            return false;
        error_report(&error, FROM_STREAMS, ERROR_OPERATION_FAILED,
                     "the other end of the stream takes nothing");
        stream_end(stream, error);
        return true;
    }
    if (output_append(&stream->queue, payload, len) < 0)
        stream_end_system(stream, ENOMEM, "stream had I/O failure");
    else
        look(stream);
    return true;
}

/* It waits until what came before it is written. */
static bool on_hole(RpcStream *stream, const uint8_t *payload, size_t len) {
    CLEANUP_ERROR Error *error = NULL;
    uint64_t n = 0;

    if (!stream->params.sparse || stream->params.out < 0 || stream->finishing ||
        frame_decode_hole(payload, len, &n) < 0) {
        error_report(&error, FROM_STREAMS, ERROR_OPERATION_INVALID,
                     "this stream takes no hole from the client");
        stream_end(stream, error);
        return true;
    }
    if (stream->hole || output_waiting(&stream->queue) > 0)
        return false;
    stream->hole = n;
    look(stream);
    return true;
}

bool stream_on_packet(RpcSession *session, const FrameHeader *header, const uint8_t *payload,
                      size_t len) {
    RpcStream *stream = find(session, header);

    if (!stream)
        return true; /* it has ended meanwhile */
    if (header->type == FRAME_STREAM_HOLE)
        return on_hole(stream, payload, len);
    switch (header->status) {
    case FRAME_CONTINUE:
        return on_data(stream, payload, len);
    case FRAME_OK:
        stream->finishing = true;
        if (stream->params.out >= 0 && stream->params.is_file)
            look(stream); /* confirmed when all is written */
        else
            stream_end(stream, NULL);
        return true;
    default: /* aborted, which is confirmed like an end */
        stream_send_packet(stream, FRAME_OK, NULL, 0);
        stream_close(stream, false);
        return true;
    }
}

void stream_resume(RpcSession *session) {
    RpcStream *next;

    for (RpcStream *at = session->streams; at; at = next) {
        next = at->next;
        if (at->started && stream_has_room(at))
            look(at);
    }
}

void stream_drop_all(RpcSession *session) {
    while (session->streams)
        stream_close(session->streams, false);
}
