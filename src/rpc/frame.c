/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets to bytes and back. */
#include "rpc/frame.h"

#include <arpa/inet.h>
#include <stdatomic.h>

#include "rpc/remote_protocol.h"

#define FIRST_SIZE 262144u

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

/* Encodes behind the header's place. False: it does not fit. */
static bool encode(uint8_t *buffer, size_t size, size_t before, xdrproc_t xdr, void *payload,
                   size_t *ret_used) {
    bool fits = true;
    XDR x;

    *ret_used = 0;
    if (!xdr)
        return true;
    xdrmem_create(&x, (char *)buffer + before, (u_int)(size - before), XDR_ENCODE);
    fits = xdr(&x, payload);
    *ret_used = xdr_getpos(&x);
    xdr_destroy(&x);
    return fits;
}

/* A packet may wait long until its client reads it: it keeps no more than it needs. */
static uint8_t *shrink(uint8_t *buffer, size_t len) {
    uint8_t *smaller = realloc(buffer, len);

    return smaller ? smaller : buffer;
}

/* The first try is into memory that stays: one as large from the heap would come from the kernel,
 * page by page, each time. No fiber runs while it is used; the tool has a second thread, which
 * takes the heap when it comes meanwhile. One for each thread would be touched by all workers. */
static uint8_t first[FIRST_SIZE] __attribute__((aligned(8)));
static atomic_flag first_is_taken = ATOMIC_FLAG_INIT;

/* The buffer grows until it fits. xdr_sizeof would walk the payload twice and is quadratic for
 * arrays of strings in some libtirpc versions. `at` has FIRST_SIZE bytes; *ret is memory of its
 * own. */
static int encode_growing(uint8_t *at, const FrameHeader *header, unsigned n_fds, xdrproc_t xdr,
                          void *payload, uint8_t **ret, size_t *ret_len) {
    const size_t before = FRAME_HEADER_SIZE + (n_fds ? sizeof(uint32_t) : 0);
    const uint32_t announced = htonl(n_fds);
    CLEANUP_FREE uint8_t *buffer = NULL;
    size_t size = FIRST_SIZE, used = 0;

    while (!encode(at, size, before, xdr, payload, &used)) {
        if (size >= RPC_LENGTH_MAX)
            return -EMSGSIZE;
        size = MIN_OF(size * 8, (size_t)RPC_LENGTH_MAX);
        free(buffer);
        at = buffer = malloc(size);
        if (!buffer)
            return -ENOMEM;
    }
    put_header(at, before + used, header);
    memcpy(at + FRAME_HEADER_SIZE, &announced, before - FRAME_HEADER_SIZE);
    *ret_len = before + used;
    if (buffer) {
        *ret = shrink(TAKE_PTR(buffer), *ret_len);
        return 0;
    }
    *ret = malloc(*ret_len);
    if (!*ret)
        return -ENOMEM;
    memcpy(*ret, at, *ret_len);
    return 0;
}

int frame_encode_with_fds(const FrameHeader *header, unsigned n_fds, xdrproc_t xdr, void *payload,
                          uint8_t **ret, size_t *ret_len) {
    CLEANUP_FREE uint8_t *own = NULL;
    int r;

    if (!atomic_flag_test_and_set(&first_is_taken)) {
        r = encode_growing(first, header, n_fds, xdr, payload, ret, ret_len);
        atomic_flag_clear(&first_is_taken);
        return r;
    }
    own = malloc(FIRST_SIZE);
    return own ? encode_growing(own, header, n_fds, xdr, payload, ret, ret_len) : -ENOMEM;
}

int frame_encode(const FrameHeader *header, xdrproc_t xdr, void *payload, uint8_t **ret,
                 size_t *ret_len) {
    return frame_encode_with_fds(header, 0, xdr, payload, ret, ret_len);
}

int frame_encode_bytes(const FrameHeader *header, const void *bytes, size_t n, uint8_t **ret,
                       size_t *ret_len) {
    uint8_t *buffer;

    assert(n <= FRAME_STREAM_MAX);
    buffer = malloc(FRAME_HEADER_SIZE + n);
    if (!buffer)
        return -ENOMEM;
    put_header(buffer, FRAME_HEADER_SIZE + n, header);
    if (n)
        memcpy(buffer + FRAME_HEADER_SIZE, bytes, n);
    *ret = buffer;
    *ret_len = FRAME_HEADER_SIZE + n;
    return 0;
}

int frame_encode_hole(const FrameHeader *stream, uint64_t n, uint8_t **ret, size_t *ret_len) {
    uint8_t payload[FRAME_HOLE_SIZE] = {0};
    FrameHeader header = *stream;

    for (size_t i = 0; i < 8; i++)
        payload[i] = (uint8_t)(n >> (56 - 8 * i));
    header.type = FRAME_STREAM_HOLE;
    header.status = FRAME_CONTINUE;
    return frame_encode_bytes(&header, payload, sizeof(payload), ret, ret_len);
}

int frame_decode_hole(const uint8_t *payload, size_t len, uint64_t *ret) {
    uint64_t n = 0;

    for (size_t i = 0; i < 8 && len == FRAME_HOLE_SIZE; i++)
        n = n << 8 | payload[i];
    if (n == 0 || n > INT64_MAX)
        return -EBADMSG;
    *ret = n;
    return 0;
}

/* A copy of at most FRAME_ERROR_TEXT_MAX bytes that ends at a whole UTF-8 character. */
static char *cut_text(const char *text) {
    size_t len = strnlen(text, FRAME_ERROR_TEXT_MAX);

    if (text[len])
        while (len > 0 && ((uint8_t)text[len] & 0xc0) == 0x80)
            len--;
    return strndup(text, len);
}

static int cut_texts(const Error *error, remote_string texts[3]) {
    const char *from[] = {error_message(error), error ? error->str1 : NULL,
                          error ? error->str2 : NULL};

    for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
        texts[i] = from[i] ? cut_text(from[i]) : NULL;
        if (from[i] && !texts[i])
            return -ENOMEM;
    }
    return 0;
}

int frame_encode_error(const FrameHeader *call, const Error *error, uint8_t **ret,
                       size_t *ret_len) {
    FrameHeader header = *call;
    remote_string texts[3] = {NULL, NULL, NULL};
    remote_error wire = {.code = error ? (int)error->code : ERROR_INTERNAL,
                         .from = error ? (int)error->from : FROM_RPC,
                         .message = &texts[0],
                         .level = 2,
                         .int1 = error ? error->int1 : -1,
                         .int2 = error ? error->int2 : -1};
    int r = cut_texts(error, texts);

    if (header.type != FRAME_STREAM)
        header.type = FRAME_REPLY;
    header.status = FRAME_ERROR;
    wire.str1 = texts[1] ? &texts[1] : NULL;
    wire.str2 = texts[2] ? &texts[2] : NULL;
    if (r >= 0)
        r = frame_encode(&header, (xdrproc_t)xdr_remote_error, &wire, ret, ret_len);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        free(texts[i]);
    return r;
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
