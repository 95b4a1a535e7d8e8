/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* RPC packets as bytes: the length word, the six-word header, the XDR payload (WIRE.md 1.1). Pure.
 */
#pragma once

#include <rpc/rpc.h>

#include "util/error.h"

#define FRAME_HEADER_SIZE 28u /* length word and header */
#define RPC_LENGTH_MIN 28u    /* of a packet, its length word counted */
#define RPC_LENGTH_MAX 33554436u
#define FRAME_FDS_MAX 32u        /* file descriptors of one packet */
#define FRAME_HOLE_SIZE 12u      /* how many zeros, 64 bits, and flags, 32 bits */
#define FRAME_STREAM_MAX 262120u /* bytes of one packet of a stream */
#define FRAME_ERROR_TEXT_MAX                                                                       \
    65536u /* bytes of a sentence in an error reply; longer ones are cut                           \
            */

typedef enum FrameType {
    FRAME_CALL = 0,
    FRAME_REPLY = 1,
    FRAME_MESSAGE = 2,
    FRAME_STREAM = 3,
    FRAME_CALL_WITH_FDS = 4,
    FRAME_REPLY_WITH_FDS = 5,
    FRAME_STREAM_HOLE = 6 /* of a sparse stream: FRAME_HOLE_SIZE bytes */
} FrameType;
typedef enum FrameStatus { FRAME_OK = 0, FRAME_ERROR = 1, FRAME_CONTINUE = 2 } FrameStatus;

typedef struct FrameHeader {
    uint32_t program, version;
    int32_t procedure, type;
    uint32_t serial;
    int32_t status;
} FrameHeader;

/* The header behind the length word; `bytes` has at least FRAME_HEADER_SIZE. */
void frame_parse_header(const uint8_t *bytes, FrameHeader *ret);
uint32_t frame_length(const uint8_t bytes[4]);

/* A whole packet, malloc'ed. `xdr` NULL: no payload. -EMSGSIZE beyond RPC_LENGTH_MAX, -EINVAL when
 * the payload cannot be encoded (a string too long), -ENOMEM. */
int frame_encode(const FrameHeader *header, xdrproc_t xdr, void *payload, uint8_t **ret,
                 size_t *ret_len);
/* The same with n_fds file descriptors announced in front of the payload, when there are any. */
int frame_encode_with_fds(const FrameHeader *header, unsigned n_fds, xdrproc_t xdr, void *payload,
                          uint8_t **ret, size_t *ret_len);
/* An error reply for the call, or of the stream, with that header. Texts beyond
 * FRAME_ERROR_TEXT_MAX are cut, so that only -ENOMEM is left. */
int frame_encode_error(const FrameHeader *call, const Error *error, uint8_t **ret, size_t *ret_len);
/* A packet whose payload is bytes: of a stream. */
int frame_encode_bytes(const FrameHeader *header, const void *bytes, size_t n, uint8_t **ret,
                       size_t *ret_len);
/* A hole of a sparse stream that has this header otherwise. */
int frame_encode_hole(const FrameHeader *stream, uint64_t n, uint8_t **ret, size_t *ret_len);
/* How many zeros, 1 to INT64_MAX; -EBADMSG. */
int frame_decode_hole(const uint8_t *payload, size_t len, uint64_t *ret);
/* Decodes a payload into zeroed memory; xdr_free is the caller's also on failure. Trailing bytes
 * are ignored. -EBADMSG when it is too short or breaks a limit. */
int frame_decode(const uint8_t *payload, size_t len, xdrproc_t xdr, void *ret);
/* The Error in an error reply. Returns its negative errno. */
int frame_decode_error(const uint8_t *payload, size_t len, Error **reterr);
