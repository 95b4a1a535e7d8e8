/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client connection's inside, for client.c and client-stream.c. */
#pragma once

#include "rpc/client.h"
#include "rpc/frame.h"

struct RpcClient {
    int fd;
    bool opened; /* CONNECT_OPEN succeeded: say CONNECT_CLOSE */
    bool broken; /* the stream lost its place or ended */
    char *uri;
    uint32_t serial;
    uint8_t *in; /* the packet being received: in_len of its in_size bytes */
    size_t in_len, in_size;
    RpcEvent *events; /* n_events from first_event on */
    size_t first_event, n_events, events_size;
};

/* CLOCK_MONOTONIC in milliseconds; -1: none. */
int64_t client_deadline(int timeout_ms);
/* ERROR_OPERATION_TIMEOUT. */
int client_timed_out(Error **reterr);
int client_send_bytes(RpcClient *client, const uint8_t *bytes, size_t len, int64_t deadline,
                      Error **reterr);
int client_send_packet(RpcClient *client, const FrameHeader *header, xdrproc_t xdr, void *payload,
                       int64_t deadline, Error **reterr);
/* Receives one packet; messages are handled here. 1: *ret is the header of a reply or of a stream's
 * packet, its payload behind the header in client->in. 0: nothing (the deadline). 2: a message was
 * handled. -EINTR: a signal came. */
int client_receive(RpcClient *client, int64_t deadline, FrameHeader *ret, Error **reterr);
/* Between two packets: a peer that never stops talking keeps neither the loop nor the caller. */
int client_take_turns(int64_t deadline, Error **reterr);
