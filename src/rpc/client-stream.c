/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client's streams: the serial of the call that began it names it in every packet (WIRE.md 1.10).
 */
#include "rpc/client-internal.h"

int rpc_client_stream_begin(RpcClient *client, uint32_t program, int32_t procedure,
                            xdrproc_t args_xdr, void *args, xdrproc_t ret_xdr, void *ret_value,
                            RpcClientStream *ret, Error **reterr) {
    int r = rpc_client_call(client, program, procedure, args_xdr, args, ret_xdr, ret_value, -1,
                            reterr);

    if (r < 0)
        return r;
    *ret = (RpcClientStream){
        .client = client, .program = program, .procedure = procedure, .serial = client->serial};
    return 0;
}

static FrameHeader header_of(const RpcClientStream *stream, FrameStatus status) {
    return (FrameHeader){.program = stream->program,
                         .version = 1,
                         .procedure = stream->procedure,
                         .type = FRAME_STREAM,
                         .serial = stream->serial,
                         .status = status};
}

static int send_part(RpcClientStream *stream, const void *bytes, size_t n, Error **reterr) {
    const FrameHeader header = header_of(stream, FRAME_CONTINUE);
    CLEANUP_FREE uint8_t *packet = NULL;
    size_t len;

    if (frame_encode_bytes(&header, bytes, n, &packet, &len) < 0)
        return error_no_memory(reterr);
    return client_send_bytes(stream->client, packet, len, -1, reterr);
}

int rpc_client_stream_send(RpcClientStream *stream, const void *bytes, size_t n, Error **reterr) {
    const uint8_t *at = bytes;

    while (n > 0) {
        const size_t part = MIN_OF(n, (size_t)FRAME_STREAM_MAX);
        int r = send_part(stream, at, part, reterr);

        if (r < 0)
            return r;
        at += part;
        n -= part;
    }
    return 0;
}

int rpc_client_stream_send_hole(RpcClientStream *stream, uint64_t n, Error **reterr) {
    const FrameHeader header = header_of(stream, FRAME_CONTINUE);
    CLEANUP_FREE uint8_t *packet = NULL;
    size_t len;

    if (frame_encode_hole(&header, n, &packet, &len) < 0)
        return error_no_memory(reterr);
    return client_send_bytes(stream->client, packet, len, -1, reterr);
}

/* The next packet of this stream: 1, 0 at the deadline, -EINTR. A server's error ends the stream.
 */
static int receive_own(RpcClientStream *stream, int64_t deadline, FrameHeader *ret,
                       Error **reterr) {
    RpcClient *client = stream->client;
    int r;

    for (;;) {
        r = client_receive(client, deadline, ret, reterr);
        if (r <= 0)
            return r;
        if (r == 1 && (ret->type == FRAME_STREAM || ret->type == FRAME_STREAM_HOLE) &&
            ret->serial == stream->serial)
            break;
        r = client_take_turns(deadline, reterr);
        if (r < 0)
            return r;
    }
    if (ret->status != FRAME_ERROR)
        return 1;
    stream->ended = true;
    return frame_decode_error(client->in + FRAME_HEADER_SIZE, client->in_size - FRAME_HEADER_SIZE,
                              reterr);
}

int rpc_client_stream_receive(RpcClientStream *stream, int timeout_ms, uint8_t **ret, size_t *ret_n,
                              Error **reterr) {
    const RpcClient *client = stream->client;
    FrameHeader header;
    uint64_t hole;
    int r;

    *ret = NULL;
    *ret_n = 0;
    if (stream->ended)
        return 1;
    r = receive_own(stream, client_deadline(timeout_ms), &header, reterr);
    if (r <= 0)
        return r;
    *ret_n = client->in_size - FRAME_HEADER_SIZE;
    if (header.type == FRAME_STREAM_HOLE) {
        if (frame_decode_hole(client->in + FRAME_HEADER_SIZE, *ret_n, &hole) < 0)
            return error_report(reterr, FROM_RPC, ERROR_RPC,
                                "vireod sent a hole of a stream that is none");
        *ret_n = (size_t)hole;
        return 1;
    }
    stream->ended = header.status == FRAME_OK;
    if (stream->ended || *ret_n == 0) {
        *ret_n = 0;
        return 1;
    }
    *ret = malloc(*ret_n);
    if (!*ret)
        return error_no_memory(reterr);
    memcpy(*ret, client->in + FRAME_HEADER_SIZE, *ret_n);
    return 1;
}

int rpc_client_stream_finish(RpcClientStream *stream, Error **reterr) {
    FrameHeader header = header_of(stream, FRAME_OK);
    int r;

    if (stream->ended)
        return 0;
    r = client_send_packet(stream->client, &header, NULL, NULL, -1, reterr);
    while (r >= 0) {
        r = receive_own(stream, -1, &header, reterr);
        if (r == -EINTR)
            r = 0; /* whether all has arrived is to be known */
        if (r == 1 && header.status == FRAME_OK)
            break;
    }
    stream->ended = true;
    return r < 0 ? r : 0;
}

void rpc_client_stream_abort(RpcClientStream *stream) {
    const FrameHeader header = header_of(stream, FRAME_ERROR);

    if (!stream->ended)
        client_send_packet(stream->client, &header, NULL, NULL, -1, NULL);
    stream->ended = true;
}

int rpc_client_fd(const RpcClient *client) {
    return client->fd;
}
