/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Streams: their packets, their beginning and end. */
#include "rpc/stream-internal.h"

#include <fcntl.h>
#include <stdio.h>

#define STREAMS_MAX 16u         /* of one connection */
#define SEND_AHEAD (512u << 10) /* bytes that may wait for the client */
#define QUEUE_MAX (1u << 20)    /* bytes that may wait for the descriptor */

void stream_unref(RpcStream *stream) {
    if (!stream)
        return;
    assert(stream->n_refs > 0);
    if (--stream->n_refs > 0)
        return;
    if (stream->params.out >= 0 && stream->params.out != stream->params.in)
        close(stream->params.out);
    if (stream->params.in >= 0)
        close(stream->params.in);
    output_done(&stream->queue);
    fiber_cond_done(&stream->news);
    free(stream);
}

bool stream_has_room(const RpcStream *stream) {
    return !stream->closed && stream->session->n_output < SEND_AHEAD;
}

static int send_packet(RpcStream *stream, FrameStatus status, const void *bytes, size_t n) {
    FrameHeader header = stream->header;
    uint8_t *packet = NULL;
    size_t len = 0;
    int r;

    header.type = FRAME_STREAM;
    header.status = status;
    r = frame_encode_bytes(&header, bytes, n, &packet, &len);
    return r < 0 ? r : session_enqueue(stream->session, packet, len, NULL, 0);
}

static void send_error(RpcStream *stream, const Error *error) {
    FrameHeader header = stream->header;
    uint8_t *packet = NULL;
    size_t len = 0;

    header.type = FRAME_STREAM;
    if (frame_encode_error(&header, error, &packet, &len) >= 0)
        session_enqueue(stream->session, packet, len, NULL, 0);
}

int stream_send(RpcStream *stream, const void *bytes, size_t n) {
    if (stream->closed)
        return -ENOTCONN;
    stream->sent_end |= n == 0;
    return send_packet(stream, FRAME_CONTINUE, bytes, n);
}

/* Takes it from the session. */
static void close_stream(RpcStream *stream, bool complete) {
    RpcStream **at = &stream->session->streams;

    if (stream->closed)
        return;
    while (*at != stream)
        at = &(*at)->next;
    *at = stream->next;
    stream->closed = true;
    stream->in_source = sd_event_source_disable_unref(stream->in_source);
    stream->out_source = sd_event_source_disable_unref(stream->out_source);
    account_give(stream->session->account, BUDGET_REGISTRATIONS, 1);
    fiber_cond_broadcast(&stream->news);
    if (stream->params.ended)
        stream->params.ended(complete, stream->params.userdata);
    stream_unref(stream);
}

void stream_end(RpcStream *stream, const Error *error) {
    if (stream->closed)
        return;
    if (error)
        send_error(stream, error);
    else
        send_packet(stream, FRAME_OK, NULL, 0);
    close_stream(stream, !error);
}

void stream_end_system(RpcStream *stream, int number, const char *what) {
    CLEANUP_ERROR Error *error = NULL;

    error_system(&error, FROM_STREAMS, number, "%s", what);
    stream_end(stream, error);
}

void rpc_stream_fail(RpcStream *stream, const Error *error) {
    stream_end(stream, error);
}

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
        close_stream(stream, false);
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

bool stream_on_packet(RpcSession *session, const FrameHeader *header, const uint8_t *payload,
                      size_t len) {
    RpcStream *stream = find(session, header);

    if (!stream)
        return true; /* it has ended meanwhile */
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
        send_packet(stream, FRAME_OK, NULL, 0);
        close_stream(stream, false);
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
        close_stream(session->streams, false);
}
