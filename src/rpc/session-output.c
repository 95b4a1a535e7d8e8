/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes to a client: packets in the order they were queued, within its budget. */
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "rpc/connection.h"
#include "rpc/refusal.h"
#include "rpc/session.h"

static void close_fds(const int *fds, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

static void packet_free(Packet *packet) {
    close_fds(packet->fds + packet->n_fds_sent, packet->n_fds - packet->n_fds_sent);
    free(packet->bytes);
    free(packet);
}

static void drop_first(RpcSession *session) {
    Packet *packet = session->output;

    session->output = packet->next;
    if (!session->output)
        session->output_tail = &session->output;
    account_give(session->account, BUDGET_BYTES, packet->len);
    session->n_output -= packet->len;
    packet_free(packet);
}

void session_drop_output(RpcSession *session) {
    while (session->output)
        drop_first(session);
}

void session_update_io(RpcSession *session) {
    uint32_t events = 0;

    if (session->fd < 0)
        return;
    if (!session->stalled && !session->closing)
        events |= EPOLLIN;
    if (session->output)
        events |= EPOLLOUT;
    sd_event_source_set_io_events(session->io, events);
}

static ssize_t send_fd(int socket, int fd) {
    char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 0;
    struct iovec io = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(int));
    return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* One step of a packet: some of its bytes, or one of its fds. */
static ssize_t send_some(RpcSession *session, Packet *packet) {
    ssize_t n;

    if (packet->sent < packet->len) {
        n = send(session->fd, packet->bytes + packet->sent, packet->len - packet->sent,
                 MSG_NOSIGNAL | MSG_DONTWAIT);
        packet->sent += n > 0 ? (size_t)n : 0;
        return n;
    }
    n = send_fd(session->fd, packet->fds[packet->n_fds_sent]);
    if (n > 0)
        close(packet->fds[packet->n_fds_sent++]);
    return n;
}

int session_flush(RpcSession *session) {
    while (session->output) {
        Packet *packet = session->output;
        ssize_t n = send_some(session, packet);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
        session->last_output = now_usec();
        if (packet->sent == packet->len && packet->n_fds_sent == packet->n_fds)
            drop_first(session);
    }
    return 0;
}

static int refuse_output(RpcSession *session, uint8_t *bytes, const int *fds, unsigned n_fds) {
    refusal_count(REFUSAL_LIMIT);
    log_limited(LOG_WARNING, "a client (%s) does not read its replies, closing it",
                session->peer.text);
    free(bytes);
    close_fds(fds, n_fds);
    session->closing = true; /* what else it has sent is not looked at */
    shutdown(session->fd, SHUT_RDWR);
    return -ENOBUFS;
}

int session_enqueue(RpcSession *session, uint8_t *bytes, size_t len, const int *fds,
                    unsigned n_fds) {
    Packet *packet;

    if (session->fd < 0) {
        free(bytes);
        close_fds(fds, n_fds);
        return -ENOTCONN;
    }
    packet = calloc(1, sizeof(Packet));
    if (!packet || !account_take(session->account, BUDGET_BYTES, len)) {
        free(packet);
        return refuse_output(session, bytes, fds, n_fds);
    }
    *packet = (Packet){.bytes = bytes, .len = len, .n_fds = n_fds};
    if (n_fds)
        memcpy(packet->fds, fds, n_fds * sizeof(int));
    if (!session->output)
        session->last_output = now_usec();
    *session->output_tail = packet;
    session->n_output += len;
    session->output_tail = &packet->next;
    if (session->output == packet && session_flush(session) < 0)
        shutdown(session->fd, SHUT_RDWR);
    session_update_io(session);
    return 0;
}

void session_send_error(RpcSession *session, const FrameHeader *call, const Error *error) {
    uint8_t *bytes = NULL;
    size_t len = 0;

    if (session->fd < 0)
        return;
    if (frame_encode_error(call, error, &bytes, &len) >= 0)
        session_enqueue(session, bytes, len, NULL, 0);
    else
        shutdown(session->fd, SHUT_RDWR);
}

void session_send_rpc_error(RpcSession *session, const FrameHeader *call, ErrorCode code,
                            const char *text) {
    CLEANUP_ERROR Error *error = NULL;

    error_set_raw(&error, FROM_RPC, code, text);
    session_send_error(session, call, error);
}

int rpc_session_send_event(RpcSession *session, uint32_t program, uint32_t version,
                           int32_t procedure, xdrproc_t xdr, void *payload) {
    FrameHeader header = {
        .program = program, .version = version, .procedure = procedure, .type = FRAME_MESSAGE};
    uint8_t *bytes = NULL;
    size_t len = 0;
    int r;

    if (session->fd < 0)
        return -ENOTCONN;
    r = frame_encode(&header, xdr, payload, &bytes, &len);
    return r < 0 ? r : session_enqueue(session, bytes, len, NULL, 0);
}
