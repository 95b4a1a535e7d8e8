/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A client connection. The socket is non-blocking and every wait has a deadline: a poll(), or on a
 * fiber one of the loop. A half-received packet stays in the client, so that a timeout never loses
 * the place in the stream. */
#include "rpc/client-internal.h"

#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "rpc/client-address.h"
#include "rpc/remote_protocol.h"
#include "rpc/server.h"
#include "util/fiber.h"

#define OPENED_URI "qemu:///system"
#define CONNECT_TIMEOUT_MS 30000
#define CLOSE_TIMEOUT_MS 2000
#define EVENTS_MAX 16384u /* queued while calls wait; beyond it the peer is broken */
#define KEEPALIVE_PING 1
#define KEEPALIVE_PONG 2

/* ---- time ---- */

static int64_t now_ms(void) {
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t client_deadline(int timeout_ms) {
    return timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
}

/* wait_ready, on a fiber: the loop goes on meanwhile. */
static int wait_on_fiber(int fd, short events, int64_t deadline) {
    const uint64_t until = deadline < 0 ? USEC_FOREVER : (uint64_t)deadline * USEC_PER_MSEC;
    int r = fiber_wait_fd(fd, events & POLLOUT ? EPOLLOUT : EPOLLIN, until);

    return r >= 0 ? 1 : r == -ETIMEDOUT ? 0 : r;
}

/* Waits until the socket is ready: 1, or 0 at the deadline (-1: none). */
static int wait_ready(int fd, short events, int64_t deadline) {
    if (fiber_self())
        return wait_on_fiber(fd, events, deadline);
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        int64_t left = deadline < 0 ? -1 : MAX_OF(deadline - now_ms(), (int64_t)0);
        int r = poll(&p, 1, left > INT32_MAX ? INT32_MAX : (int)left);

        if (r > 0)
            return 1;
        if (r == 0 && deadline >= 0 && now_ms() >= deadline)
            return 0;
        if (r < 0)
            return -errno; /* also EINTR: a tool's signal handler wants its turn */
    }
}

/* ---- bytes ---- */

static int connection_ended(RpcClient *client, Error **reterr, int errnum) {
    client->broken = true;
    if (errnum)
        return error_report(reterr, FROM_RPC, ERROR_RPC, "connection to vireod lost: %s",
                            strerror(abs(errnum)));
    return error_report(reterr, FROM_RPC, ERROR_RPC,
                        "connection to vireod lost: the server closed the connection");
}

int client_timed_out(Error **reterr) {
    return error_report(reterr, FROM_RPC, ERROR_OPERATION_TIMEOUT, "no reply from vireod in time");
}

int client_send_bytes(RpcClient *client, const uint8_t *bytes, size_t len, int64_t deadline,
                      Error **reterr) {
    size_t done = 0;

    while (done < len) {
        ssize_t n = send(client->fd, bytes + done, len - done, MSG_NOSIGNAL);
        int r;

        if (n >= 0) {
            done += (size_t)n;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return connection_ended(client, reterr, errno);
        r = wait_ready(client->fd, POLLOUT, deadline);
        if (r == -EINTR)
            continue;
        if (r == 0 && done > 0)
            client->broken = true; /* half a packet is out */
        if (r == 0)
            return client_timed_out(reterr);
        if (r < 0)
            return connection_ended(client, reterr, r);
    }
    return 0;
}

int client_send_packet(RpcClient *client, const FrameHeader *header, xdrproc_t xdr, void *payload,
                       int64_t deadline, Error **reterr) {
    CLEANUP_FREE uint8_t *bytes = NULL;
    size_t len = 0;
    int r;

    r = frame_encode(header, xdr, payload, &bytes, &len);
    if (r == -ENOMEM)
        return error_no_memory(reterr);
    if (r < 0)
        return error_report(reterr, FROM_RPC, ERROR_RPC,
                            "the call's arguments are too long to be sent");
    return client_send_bytes(client, bytes, len, deadline, reterr);
}

/* Makes room for `size` bytes of the current packet. */
static int grow_in(RpcClient *client, size_t size, Error **reterr) {
    uint8_t *in = realloc(client->in, size);

    if (!in)
        return error_no_memory(reterr);
    client->in = in;
    client->in_size = size;
    return 0;
}

static int read_length(RpcClient *client, Error **reterr) {
    uint32_t length = frame_length(client->in);

    if (length < FRAME_HEADER_SIZE || length > RPC_LENGTH_MAX) {
        client->broken = true;
        return error_report(reterr, FROM_RPC, ERROR_RPC,
                            "vireod sent a packet of %u bytes, outside %u to %u", length,
                            FRAME_HEADER_SIZE, (unsigned)RPC_LENGTH_MAX);
    }
    return grow_in(client, length, reterr);
}

/* One whole packet into client->in: 1, or 0 at the deadline with what came kept. */
static int receive_packet(RpcClient *client, int64_t deadline, Error **reterr) {
    int r;

    if (!client->in && grow_in(client, FRAME_HEADER_SIZE, reterr) < 0)
        return -ENOMEM;
    if (client->in_len == 0)
        client->in_size = 4;
    while (client->in_len < client->in_size) {
        ssize_t n = recv(client->fd, client->in + client->in_len, client->in_size - client->in_len,
                         0);

        if (n == 0)
            return connection_ended(client, reterr, 0);
        if (n > 0) {
            client->in_len += (size_t)n;
            if (client->in_len == 4 && client->in_size == 4) {
                r = read_length(client, reterr);
                if (r < 0)
                    return r;
            }
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return connection_ended(client, reterr, errno);
        r = wait_ready(client->fd, POLLIN, deadline);
        if (r == 0 || r == -EINTR)
            return r;
        if (r < 0)
            return connection_ended(client, reterr, r);
    }
    return 1;
}

/* ---- messages that are not the reply ---- */

static int send_pong(RpcClient *client, int64_t deadline, Error **reterr) {
    FrameHeader header = {.program = KEEPALIVE_PROGRAM,
                          .version = KEEPALIVE_VERSION,
                          .procedure = KEEPALIVE_PONG,
                          .type = FRAME_MESSAGE};

    return client_send_packet(client, &header, NULL, NULL, deadline, reterr);
}

static int queue_event(RpcClient *client, const FrameHeader *header, Error **reterr) {
    size_t len = client->in_size - FRAME_HEADER_SIZE;
    CLEANUP_FREE uint8_t *payload = NULL;

    if (fiber_self()) /* a daemon asks its peer for none */
        return 0;
    payload = malloc(len + 1);
    if (!payload)
        return error_no_memory(reterr);
    if (client->n_events >= EVENTS_MAX) {
        client->broken = true;
        return error_report(reterr, FROM_RPC, ERROR_RPC, "vireod sent too many events");
    }
    if (client->first_event + client->n_events == client->events_size) {
        size_t size = client->n_events * 2 + 16;
        RpcEvent *events = calloc(size, sizeof(*events));

        if (!events)
            return error_no_memory(reterr);
        if (client->n_events)
            memcpy(events, client->events + client->first_event,
                   client->n_events * sizeof(*events));
        free(client->events);
        client->events = events;
        client->events_size = size;
        client->first_event = 0;
    }
    memcpy(payload, client->in + FRAME_HEADER_SIZE, len);
    client->events[client->first_event + client->n_events++] = (RpcEvent){
        .program = header->program,
        .procedure = header->procedure,
        .payload = TAKE_PTR(payload),
        .len = len};
    return 0;
}

static int handle_message(RpcClient *client, const FrameHeader *header, int64_t deadline,
                          Error **reterr) {
    if (header->program != KEEPALIVE_PROGRAM)
        return queue_event(client, header, reterr);
    if (header->procedure != KEEPALIVE_PING)
        return 0;
    return send_pong(client, deadline, reterr);
}

int client_receive(RpcClient *client, int64_t deadline, FrameHeader *ret, Error **reterr) {
    int r;

    if (client->broken)
        return error_report(reterr, FROM_RPC, ERROR_RPC, "the connection to vireod is closed");
    r = receive_packet(client, deadline, reterr);
    if (r <= 0)
        return r;
    client->in_len = 0;
    frame_parse_header(client->in, ret);
    if (ret->type == FRAME_REPLY || ret->type == FRAME_STREAM || ret->type == FRAME_STREAM_HOLE)
        return 1;
    if (ret->type == FRAME_MESSAGE) {
        r = handle_message(client, ret, deadline, reterr);
        return r < 0 ? r : 2;
    }
    client->broken = true;
    return error_report(reterr, FROM_RPC, ERROR_RPC,
                        "vireod sent a packet of the unexpected type %d", ret->type);
}

/* ---- calls ---- */

int client_take_turns(int64_t deadline, Error **reterr) {
    if (!fiber_self())
        return 0;
    fiber_yield();
    return deadline >= 0 && now_ms() >= deadline ? client_timed_out(reterr) : 0;
}

static int take_reply(RpcClient *client, const FrameHeader *header, xdrproc_t ret_xdr, void *ret,
                      Error **reterr) {
    const uint8_t *payload = client->in + FRAME_HEADER_SIZE;
    size_t len = client->in_size - FRAME_HEADER_SIZE;

    if (header->status == FRAME_ERROR)
        return frame_decode_error(payload, len, reterr);
    if (header->status != FRAME_OK)
        return error_report(reterr, FROM_RPC, ERROR_RPC, "vireod sent a reply of unknown status %d",
                            header->status);
    if (ret_xdr && frame_decode(payload, len, ret_xdr, ret) < 0) {
        xdr_free(ret_xdr, ret);
        return error_report(reterr, FROM_RPC, ERROR_RPC, "vireod's reply cannot be decoded");
    }
    return 0;
}

int rpc_client_call(RpcClient *client, uint32_t program, int32_t procedure, xdrproc_t args_xdr,
                    void *args, xdrproc_t ret_xdr, void *ret, int timeout_ms, Error **reterr) {
    FrameHeader header = {
        .program = program, .version = 1, .procedure = procedure, .type = FRAME_CALL};
    int64_t deadline = client_deadline(timeout_ms);
    FrameHeader reply;
    int r;

    assert(client);
    if (client->broken)
        return error_report(reterr, FROM_RPC, ERROR_RPC, "the connection to vireod is closed");
    header.serial = ++client->serial;
    r = client_send_packet(client, &header, args_xdr, args, deadline, reterr);
    while (r >= 0) {
        r = client_receive(client, deadline, &reply, reterr);
        if (r == -EINTR)
            r = 2; /* a call is not interrupted */
        else if (r == 0)
            return client_timed_out(reterr);
        /* The reply of a call that timed out earlier has an older serial, and a stream that was
         * given up may still send: both are dropped. */
        if (r == 1 && reply.type == FRAME_REPLY && reply.serial == header.serial &&
            reply.program == program && reply.procedure == procedure)
            return take_reply(client, &reply, ret_xdr, ret, reterr);
        if (r > 0)
            r = client_take_turns(deadline, reterr);
    }
    return r;
}

int rpc_client_next_event(RpcClient *client, int timeout_ms, RpcEvent *ret, Error **reterr) {
    int64_t deadline = client_deadline(timeout_ms);
    FrameHeader header;
    int r;

    assert(client && ret);
    while (client->n_events == 0) {
        r = client_receive(client, deadline, &header, reterr);
        if (r <= 0)
            return r;
    }
    *ret = client->events[client->first_event++];
    if (--client->n_events == 0)
        client->first_event = 0;
    return 1;
}

/* ---- open and close ---- */

static int authenticate(RpcClient *client, Error **reterr) {
    remote_auth_list_ret list = {0};
    int r, type = 0;

    r = rpc_client_call(client, REMOTE_PROGRAM, REMOTE_PROC_AUTH_LIST, NULL, NULL,
                        (xdrproc_t)xdr_remote_auth_list_ret, &list, CONNECT_TIMEOUT_MS, reterr);
    if (r < 0)
        return r;
    if (list.types.types_len > 0)
        type = list.types.types_val[0];
    xdr_free((xdrproc_t)xdr_remote_auth_list_ret, &list);
    if (type == 0)
        return 0;
    if (type == 2) {
        remote_auth_polkit_ret ret = {0};

        return rpc_client_call(client, REMOTE_PROGRAM, REMOTE_PROC_AUTH_POLKIT, NULL, NULL,
                               (xdrproc_t)xdr_remote_auth_polkit_ret, &ret,
                               fiber_self() ? CONNECT_TIMEOUT_MS : -1, reterr);
    }
    return error_report(reterr, FROM_RPC, ERROR_AUTH_FAILED, "unsupported authentication type %d",
                        type);
}

static int connect_open(RpcClient *client, bool readonly, Error **reterr) {
    remote_string name = (char *)OPENED_URI;
    remote_connect_open_args args = {.name = &name, .flags = readonly ? 1 : 0};
    int r;

    r = authenticate(client, reterr);
    if (r < 0)
        return r;
    r = rpc_client_call(client, REMOTE_PROGRAM, REMOTE_PROC_CONNECT_OPEN,
                        (xdrproc_t)xdr_remote_connect_open_args, &args, NULL, NULL,
                        CONNECT_TIMEOUT_MS, reterr);
    if (r >= 0)
        client->opened = true;
    return r;
}

int rpc_client_open(const char *uri, bool readonly, RpcClient **ret, Error **reterr) {
    CLEANUP(rpc_client_freep) RpcClient *client = calloc(1, sizeof(*client));
    CLEANUP(client_address_done) ClientAddress address = {0};
    int r;

    assert(ret);
    if (!client)
        return error_no_memory(reterr);
    client->fd = -1;
    r = client_address_read(uri, readonly, &address, reterr);
    if (r >= 0)
        r = client_address_connect(&address, &client->fd, reterr);
    if (r >= 0)
        r = connect_open(client, readonly, reterr);
    if (r < 0)
        return r;
    client->uri = TAKE_PTR(address.uri);
    *ret = TAKE_PTR(client);
    return 0;
}

void rpc_client_free(RpcClient *client) {
    if (!client)
        return;
    if (client->opened && !client->broken)
        rpc_client_call(client, REMOTE_PROGRAM, REMOTE_PROC_CONNECT_CLOSE, NULL, NULL, NULL, NULL,
                        CLOSE_TIMEOUT_MS, NULL);
    if (client->fd >= 0)
        close(client->fd);
    for (size_t i = 0; i < client->n_events; i++)
        free(client->events[client->first_event + i].payload);
    free(client->events);
    free(client->in);
    free(client->uri);
    free(client);
}

const char *rpc_client_uri(const RpcClient *client) {
    return client->uri;
}
