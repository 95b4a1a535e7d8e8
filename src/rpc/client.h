/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client's half: a connection for tools and tests, whose calls block, and for the daemon's
 * fibers, where they wait as fibers do. Events that arrive while a call waits are queued; on a
 * fiber they are dropped. */
#pragma once

#include <rpc/rpc.h>

#include "util/error.h"

typedef struct RpcClient RpcClient;

typedef struct RpcEvent {
    uint32_t program;
    int32_t procedure;
    uint8_t *payload; /* XDR */
    size_t len;
} RpcEvent;

/* "qemu+unix:///system?socket=PATH", "qemu+tcp://HOST[:PORT]/system", "qemu:///system", "vireo:///"
 * or a bare socket path. NULL takes $VIREO_DEFAULT_URI, then the default socket
 * /run/vireo/vireo-sock. Connects and performs AUTH_LIST, CONNECT_OPEN. */
int rpc_client_open(const char *uri, bool readonly, RpcClient **ret, Error **reterr);
/* CONNECT_CLOSE and close; takes NULL. */
void rpc_client_free(RpcClient *client);
DEFINE_CLEANUP(RpcClient *, rpc_client_free)

const char *rpc_client_uri(const RpcClient *client);

/* Sends a call and waits for its reply. NULL xdr procs mean "no arguments" / "empty reply". On
 * success the caller xdr_free's ret. Error: what the server said, or ERROR_RPC. timeout in
 * milliseconds, -1 none. */
int rpc_client_call(RpcClient *client, uint32_t program, int32_t procedure, xdrproc_t args_xdr,
                    void *args, xdrproc_t ret_xdr, void *ret, int timeout_ms, Error **reterr);

/* The next event, waiting up to timeout_ms (-1 for ever): 1 with an event (payload is the
 * caller's), 0 at the timeout, negative when the connection ended. */
int rpc_client_next_event(RpcClient *client, int timeout_ms, RpcEvent *ret, Error **reterr);

/* ---- streams (client-stream.c) ---- */

/* A call that goes on as bytes in both directions: a console, a volume. Owned by whoever began it,
 * who finishes or aborts it before the next call. */
typedef struct RpcClientStream {
    RpcClient *client;
    uint32_t program, serial;
    int32_t procedure;
    bool ended; /* the server has ended or refused it */
} RpcClientStream;

/* rpc_client_call whose call begins a stream. */
int rpc_client_stream_begin(RpcClient *client, uint32_t program, int32_t procedure,
                            xdrproc_t args_xdr, void *args, xdrproc_t ret_xdr, void *ret_value,
                            RpcClientStream *ret, Error **reterr);
/* Sends n > 0 bytes, as many packets as that takes; waits while the server takes none. */
int rpc_client_stream_send(RpcClientStream *stream, const void *bytes, size_t n, Error **reterr);
/* The same for n zeros, 1 to INT64_MAX, of a stream that was begun as a sparse one. */
int rpc_client_stream_send_hole(RpcClientStream *stream, uint64_t n, Error **reterr);
/* The next bytes, waiting up to timeout_ms (-1 for ever): 1 with *ret in fresh memory; with NULL
 * and *ret_n above 0 for a hole of so many zeros, in a sparse stream; with NULL and 0 when there is
 * no more. 0 at the timeout; -EINTR; negative: the server's error, or the connection's. */
int rpc_client_stream_receive(RpcClientStream *stream, int timeout_ms, uint8_t **ret, size_t *ret_n,
                              Error **reterr);
/* Tells the server that all was sent, or that all was received, and waits until it confirms that
 * it has it all; bytes that still come are dropped. Nothing after an error. */
int rpc_client_stream_finish(RpcClientStream *stream, Error **reterr);
/* Tells the server that the rest is not wanted. */
void rpc_client_stream_abort(RpcClientStream *stream);
/* The socket, to be waited for beside others before rpc_client_stream_receive. */
int rpc_client_fd(const RpcClient *client);
