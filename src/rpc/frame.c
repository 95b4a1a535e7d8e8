/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets to bytes and back. */
#include "rpc/frame.h"

#include <arpa/inet.h>

#include "rpc/remote_protocol.h"
#include "rpc/server.h"

#define FIRST_SIZE 4096u

uint32_t frame_length(const uint8_t bytes[4]) {
    uint32_t word;

    memcpy(&word, bytes, 4);
    return ntohl(word);
}

void frame_parse_header(const uint8_t *bytes, FrameHeader *ret) {
    *ret = (FrameHeader){.program = frame_length(bytes + 4),
                         .version = frame_length(bytes + 8),
                         .procedure = (int32_t)frame_length(bytes + 12),
                         .type = (int32_t)frame_length(bytes + 16),
                         .serial = frame_length(bytes + 20),
                         .status = (int32_t)frame_length(bytes + 24)};
}

static void put_header(uint8_t *bytes, uint32_t length, const FrameHeader *header) {
    const uint32_t words[] = {htonl(length),
                              htonl(header->program),
                              htonl(header->version),
                              htonl((uint32_t)header->procedure),
                              htonl((uint32_t)header->type),
                              htonl(header->serial),
                              htonl((uint32_t)header->status)};

    memcpy(bytes, words, sizeof(words));
}

/* Encodes behind the header's place; the buffer grows until it fits. xdr_sizeof would walk the
 * payload twice and is quadratic for arrays of strings in some libtirpc versions. */
int frame_encode(const FrameHeader *header, xdrproc_t xdr, void *payload, uint8_t **ret,
                 size_t *ret_len) {
    size_t size = FIRST_SIZE;

    for (;;) {
        CLEANUP_FREE uint8_t *buffer = malloc(size);
        size_t used = 0;
        bool fits = true;
        XDR x;

        if (!buffer)
            return -ENOMEM;
        if (xdr) {
            xdrmem_create(&x, (char *)buffer + FRAME_HEADER_SIZE, size - FRAME_HEADER_SIZE,
                          XDR_ENCODE);
            fits = xdr(&x, payload);
            used = xdr_getpos(&x);
            xdr_destroy(&x);
        }
        if (fits) {
            put_header(buffer, FRAME_HEADER_SIZE + used, header);
            *ret_len = FRAME_HEADER_SIZE + used;
            *ret = TAKE_PTR(buffer);
            return 0;
        }
        if (size >= RPC_LENGTH_MAX)
            return -EMSGSIZE;
        size = MIN_OF(size * 8, (size_t)RPC_LENGTH_MAX);
    }
}

int frame_encode_error(const FrameHeader *call, const Error *error, uint8_t **ret,
                       size_t *ret_len) {
    FrameHeader header = *call;
    remote_string message = (char *)error_message(error);
    remote_string str1 = error ? error->str1 : NULL, str2 = error ? error->str2 : NULL;
    remote_error wire = {.code = error ? (int)error->code : ERROR_INTERNAL,
                         .from = error ? (int)error->from : FROM_RPC,
                         .message = &message,
                         .level = 2,
                         .str1 = str1 ? &str1 : NULL,
                         .str2 = str2 ? &str2 : NULL,
                         .int1 = error ? error->int1 : -1,
                         .int2 = error ? error->int2 : -1};

    header.type = FRAME_REPLY;
    header.status = FRAME_ERROR;
    return frame_encode(&header, (xdrproc_t)xdr_remote_error, &wire, ret, ret_len);
}

int frame_decode(const uint8_t *payload, size_t len, xdrproc_t xdr, void *ret) {
    bool ok;
    XDR x;

    xdrmem_create(&x, (char *)payload, len, XDR_DECODE);
    ok = xdr(&x, ret);
    xdr_destroy(&x);
    return ok ? 0 : -EBADMSG;
}

int frame_decode_error(const uint8_t *payload, size_t len, Error **reterr) {
    remote_error wire = {0};
    int r;

    if (frame_decode(payload, len, (xdrproc_t)xdr_remote_error, &wire) < 0)
        r = error_report(reterr, FROM_RPC, ERROR_RPC, "the error reply cannot be decoded");
    else
        r = error_set_raw(reterr, (ErrorFrom)wire.from, (ErrorCode)wire.code,
                          wire.message ? *wire.message : NULL);
    xdr_free((xdrproc_t)xdr_remote_error, &wire);
    return r;
}
