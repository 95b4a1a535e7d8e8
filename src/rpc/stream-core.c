/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Streams: their packets to the client, and their end. */
#include "rpc/stream-internal.h"

#define SEND_AHEAD (512u << 10) /* bytes that may wait for the client */

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

int stream_send_packet(RpcStream *stream, FrameStatus status, const void *bytes, size_t n) {
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
    return stream_send_packet(stream, FRAME_CONTINUE, bytes, n);
}

int stream_send_hole(RpcStream *stream, uint64_t n) {
    uint8_t *packet = NULL;
    size_t len = 0;
    int r;

    if (stream->closed)
        return -ENOTCONN;
    r = frame_encode_hole(&stream->header, n, &packet, &len);
    return r < 0 ? r : session_enqueue(stream->session, packet, len, NULL, 0);
}

void stream_close(RpcStream *stream, bool complete) {
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
        stream_send_packet(stream, FRAME_OK, NULL, 0);
    stream_close(stream, !error);
}

void stream_end_system(RpcStream *stream, int number, const char *what) {
    CLEANUP_ERROR Error *error = NULL;

    error_system(&error, FROM_STREAMS, number, "%s", what);
    stream_end(stream, error);
}

void rpc_stream_fail(RpcStream *stream, const Error *error) {
    stream_end(stream, error);
}
