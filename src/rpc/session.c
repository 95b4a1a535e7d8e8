/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A connection: bytes in, keepalive, life. Calls are session-call.c's, replies session-output.c's.
 */
#include "rpc/session.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include "rpc/remote_protocol.h"
#include "rpc/connection.h"
#include "rpc/refusal.h"

#define PEER_GROUPS_MAX 1024u
#define INPUT_FIRST 4096u
#define INPUT_KEEP 65536u   /* what stays allocated for the next packet */
#define LENGTH_EARLY 65536u /* of a packet before the connection is open */
#define KEEPALIVE_USEC (5 * USEC_PER_SEC)
#define KEEPALIVE_COUNT 5u
#define PING 1
#define PONG 2

static void session_unref(RpcSession *session) {
    assert(session->n_refs > 0);
    if (--session->n_refs > 0)
        return;
    session->ops->done(session, session->ops_userdata);
    account_free(session->account);
    free(session->input);
    free(session);
}

void session_close(RpcSession *session) {
    if (session->fd < 0)
        return;
    session->io = sd_event_source_disable_unref(session->io);
    session->timer = sd_event_source_disable_unref(session->timer);
    close(TAKE_FD(session->fd));
    for (unsigned i = 0; i < session->n_fds; i++)
        close(session->fds[i].fd);
    session->n_fds = 0;
    stream_drop_all(session);
    session_drop_output(session);
    account_give(session->account, BUDGET_SESSIONS, 1);
    if (!session->open)
        account_give(session->account, BUDGET_OPENING, 1);
    session->ops->closed(session, session->ops_userdata);
    session_unref(session);
}

static void on_call_ended(RpcSession *session) {
    if (session->fd >= 0 && session->closing && !session->output)
        session_close(session);
    session->ops->released(session, session->ops_userdata);
    session_unref(session);
}

/* ---- keepalive ---- */

static void send_keepalive(RpcSession *session, int32_t procedure) {
    rpc_session_send_event(session, KEEPALIVE_PROGRAM, KEEPALIVE_VERSION, procedure, NULL, NULL);
}

static int on_keepalive(sd_event_source *source, uint64_t usec, void *userdata) {
    RpcSession *session = userdata;

    if (now_usec() - session->last_input < KEEPALIVE_USEC) {
        session->n_pings = 0;
    } else if (session->n_pings >= KEEPALIVE_COUNT) {
        log_info("a client (%s) is silent, closing it", session->peer.text);
        session_close(session);
        return 0;
    } else {
        session->n_pings++;
        send_keepalive(session, PING);
    }
    sd_event_source_set_time_relative(source, KEEPALIVE_USEC);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void rpc_session_enable_keepalive(RpcSession *session) {
    if (session->fd < 0 || session->timer)
        return;
    session->keepalive = true;
    sd_event_add_time_relative(fiber_event(), &session->timer, CLOCK_MONOTONIC, KEEPALIVE_USEC, 0,
                               on_keepalive, session);
}

/* ---- input ---- */

/* A packet in the input: its bytes, and the fds whose own bytes follow it. */
typedef struct Received {
    const uint8_t *bytes;
    size_t len, total; /* total: with the bytes of the fds */
    unsigned n_fds;
} Received;

/* 1: a whole packet is at `at`; 0: not yet; negative: it can never be one. */
static int next_packet(const RpcSession *session, size_t at, Received *ret) {
    const uint8_t *bytes = session->input + at;
    const size_t here = session->input_used - at;
    const uint32_t max = session->open ? RPC_LENGTH_MAX : LENGTH_EARLY;
    FrameHeader header;

    if (here < sizeof(uint32_t))
        return 0;
    *ret = (Received){.bytes = bytes, .len = frame_length(bytes)};
    if (ret->len < RPC_LENGTH_MIN || ret->len > max)
        return -EMSGSIZE;
    if (here < ret->len)
        return 0;
    frame_parse_header(bytes, &header);
    if (header.type == FRAME_CALL_WITH_FDS) {
        if (ret->len < FRAME_HEADER_SIZE + sizeof(uint32_t))
            return -EBADMSG;
        ret->n_fds = frame_length(bytes + FRAME_HEADER_SIZE);
        if (ret->n_fds > FRAME_FDS_MAX)
            return -EBADMSG;
    }
    ret->total = ret->len + ret->n_fds;
    return here >= ret->total;
}

/* The fds whose bytes lie in [from, to) of the input. */
static unsigned fds_between(const RpcSession *session, size_t from, size_t to, int *ret) {
    unsigned n = 0;

    for (unsigned i = 0; i < session->n_fds; i++)
        if (session->fds[i].at > from && session->fds[i].at <= to)
            ret[n++] = session->fds[i].fd;
    return n;
}

/* Forgets the fds up to `to`, and closes those that belong to no packet. */
static void forget_fds(RpcSession *session, size_t from, size_t to) {
    unsigned n = 0;

    for (unsigned i = 0; i < session->n_fds; i++)
        if (session->fds[i].at > to)
            session->fds[n++] = session->fds[i];
        else if (session->fds[i].at <= from)
            close(session->fds[i].fd);
    session->n_fds = n;
}

/* False: it waits. */
static bool on_packet(RpcSession *session, size_t at, const Received *packet) {
    const size_t fds_from = at + packet->len, fds_to = at + packet->total;
    const size_t before = FRAME_HEADER_SIZE + (packet->n_fds ? sizeof(uint32_t) : 0);
    int fds[FRAME_FDS_MAX];
    unsigned n_fds = fds_between(session, fds_from, fds_to, fds);
    FrameHeader header;

    frame_parse_header(packet->bytes, &header);
    if (header.program == KEEPALIVE_PROGRAM && header.version == KEEPALIVE_VERSION) {
        if (header.procedure == PING)
            send_keepalive(session, PONG);
    } else if (header.type == FRAME_CALL || header.type == FRAME_CALL_WITH_FDS) {
        if (!session_begin_call(session, &header, packet->bytes + before, packet->len - before, fds,
                                n_fds))
            return false;
        forget_fds(session, fds_from, fds_to);
        return true;
    } else if (header.type == FRAME_STREAM || header.type == FRAME_STREAM_HOLE) {
        if (!stream_on_packet(session, &header, packet->bytes + before, packet->len - before))
            return false;
    }
    /* Stray replies, streams and messages: ignored, as libvirtd does. */
    forget_fds(session, fds_to, fds_to);
    return true;
}

/* Gives memory back that only a large packet needed. */
static void shrink_input(RpcSession *session) {
    uint8_t *smaller;

    if (session->input_size <= INPUT_KEEP || session->input_used > INPUT_FIRST)
        return;
    smaller = realloc(session->input, INPUT_FIRST);
    if (!smaller)
        return;
    account_give(session->account, BUDGET_BYTES, session->input_size - INPUT_FIRST);
    session->input = smaller;
    session->input_size = INPUT_FIRST;
}

static void consume(RpcSession *session, size_t used) {
    if (used == 0)
        return;
    memmove(session->input, session->input + used, session->input_used - used);
    session->input_used -= used;
    for (unsigned i = 0; i < session->n_fds; i++)
        session->fds[i].at -= used;
    shrink_input(session);
}

static void parse_input(RpcSession *session) {
    size_t used = 0;
    int r = 0;

    session->stalled = false;
    while (session->fd >= 0 && !session->closing && !session->stalled) {
        Received packet;

        r = next_packet(session, used, &packet);
        if (r <= 0)
            break;
        session->stalled = !on_packet(session, used, &packet);
        if (!session->stalled)
            used += packet.total;
    }
    if (session->fd < 0)
        return;
    if (r < 0) {
        log_limited(LOG_INFO, "a client (%s) sent a packet that cannot be one, closing it",
                    session->peer.text);
        session_close(session);
        return;
    }
    consume(session, used);
    session_update_io(session);
    if (session->stalled)
        session->ops->stalled(session, used > 0, session->ops_userdata);
}

void session_process_input(RpcSession *session) {
    session->n_refs++;
    parse_input(session);
    session_run_calls(session);
    session_unref(session);
}

/* Room for the packet that is coming, but only as it comes: a length word alone allocates nothing.
 */
static int make_room(RpcSession *session) {
    const size_t max = (size_t)RPC_LENGTH_MAX + INPUT_FIRST;
    size_t size = MIN_OF(session->input_size * 2, max);
    uint8_t *bigger;

    if (session->input_used < session->input_size)
        return 0;
    if (session->input_size >= max)
        return -EMSGSIZE;
    if (!account_take(session->account, BUDGET_BYTES, size - session->input_size)) {
        refusal_count(REFUSAL_LIMIT);
        log_limited(LOG_WARNING, "a client (%s) sent more than its user may, closing it",
                    session->peer.text);
        return -EDQUOT;
    }
    bigger = realloc(session->input, size);
    if (!bigger) {
        account_give(session->account, BUDGET_BYTES, size - session->input_size);
        return -ENOMEM;
    }
    session->input = bigger;
    session->input_size = size;
    return 0;
}

/* Keeps the fds of a message, each at the end of what has come so far. */
static int keep_fds(RpcSession *session, struct msghdr *message) {
    int r = 0;

    for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at)) {
        size_t n = 0;
        int fd;

        if (at->cmsg_level == SOL_SOCKET && at->cmsg_type == SCM_RIGHTS)
            n = (at->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            memcpy(&fd, CMSG_DATA(at) + i * sizeof(int), sizeof(int));
            if (session->n_fds == FRAME_FDS_MAX) {
                close(fd);
                r = -EBADMSG;
                continue;
            }
            session->fds[session->n_fds++] = (SessionFd){fd, session->input_used};
        }
    }
    return message->msg_flags & MSG_CTRUNC ? -EBADMSG : r;
}

static int read_input(RpcSession *session) {
    char control[CMSG_SPACE(sizeof(int) * FRAME_FDS_MAX)];
    struct iovec io;
    struct msghdr message = {
        .msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    ssize_t n;
    int r = make_room(session);

    if (r < 0)
        return r;
    io = (struct iovec){session->input + session->input_used,
                        session->input_size - session->input_used};
    n = recvmsg(session->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if (n == 0)
        return -ENOTCONN;
    session->input_used += (size_t)n;
    session->last_input = now_usec();
    session->n_pings = 0;
    r = keep_fds(session, &message);
    if (r < 0)
        return r;
    session_process_input(session);
    return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    RpcSession *session = userdata;
    int r = 0;

    session->n_refs++; /* a callback below may close it */
    if (revents & EPOLLOUT)
        r = session_flush(session);
    if (r >= 0 && (revents & EPOLLOUT))
        stream_resume(session);
    if (r >= 0 && (revents & EPOLLIN))
        r = read_input(session);
    else if (r >= 0 && (revents & (EPOLLHUP | EPOLLERR)))
        r = -ENOTCONN;
    if (session->fd >= 0) {
        if (r < 0 || (session->closing && !session->output &&
                      account_used(session->account, BUDGET_CALLS) == 0))
            session_close(session);
        else
            session_update_io(session);
    }
    session_unref(session);
    return 0;
}

/* ---- life and small accessors ---- */

/* The connection's account, with the connection itself taken from it. */
static int open_account(Budget *budget, const RpcPeer *peer, Account **ret) {
    CLEANUP(account_freep) Account *account = NULL;
    int r = account_new(budget, peer->uid, peer_account_host(peer), &account);

    if (r < 0)
        return r;
    if (!account_take(account, BUDGET_SESSIONS, 1) || !account_take(account, BUDGET_OPENING, 1))
        return -EDQUOT;
    *ret = TAKE_PTR(account);
    return 0;
}

int session_new(const RpcTable *table, Budget *budget, const SessionOps *ops, void *userdata,
                int fd, const RpcPeer *peer, bool readonly, RpcSession **ret) {
    CLEANUP(account_freep) Account *account = NULL;
    CLEANUP_FREE uint8_t *input = malloc(INPUT_FIRST);
    CLEANUP_FREE RpcSession *session = calloc(1, sizeof(RpcSession));
    int r;

    if (!session || !input)
        return -ENOMEM;
    r = open_account(budget, peer, &account);
    if (r < 0)
        return r;
    *session = (RpcSession){.table = table,
                            .ops = ops,
                            .ops_userdata = userdata,
                            .call_ended = on_call_ended,
                            .n_refs = 1,
                            .fd = fd,
                            .readonly = readonly,
                            .came = time(NULL),
                            .peer = *peer,
                            .input_size = INPUT_FIRST,
                            .since = now_usec(),
                            .last_input = now_usec()};
    session->output_tail = &session->output;
    session->begun_tail = &session->begun;
    r = sd_event_add_io(fiber_event(), &session->io, fd, EPOLLIN, on_io, session);
    if (r < 0)
        return r;
    session->input = TAKE_PTR(input);
    session->account = TAKE_PTR(account);
    *ret = TAKE_PTR(session);
    return 0;
}

void rpc_session_set_userdata(RpcSession *session, void *data) {
    session->userdata = data;
}

void *rpc_session_userdata(const RpcSession *session) {
    return session->userdata;
}

bool rpc_session_readonly(const RpcSession *session) {
    return session->readonly;
}

void rpc_session_set_readonly(RpcSession *session) {
    session->readonly = true;
}

const RpcPeer *rpc_session_peer(const RpcSession *session) {
    return &session->peer;
}

uid_t rpc_session_peer_uid(const RpcSession *session) {
    return session->peer.uid;
}

int rpc_session_peer_label(const RpcSession *session, char *ret, size_t size) {
    socklen_t len = (socklen_t)size - 1;

    if (session->fd < 0)
        return -ENOTCONN;
    if (getsockopt(session->fd, SOL_SOCKET, SO_PEERSEC, ret, &len) < 0)
        return -errno;
    ret[MIN_OF((size_t)len, size - 1)] = '\0';
    return 0;
}

uint64_t rpc_session_id(const RpcSession *session) {
    return session->id;
}

int64_t rpc_session_came(const RpcSession *session) {
    return session->came;
}

bool rpc_session_peer_has_group(const RpcSession *session, gid_t gid) {
    gid_t groups[PEER_GROUPS_MAX];
    socklen_t len = sizeof(groups);

    if (session->fd < 0 || *session->peer.host)
        return false;
    if (session->peer.gid == gid)
        return true;
    if (getsockopt(session->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
        return false; /* one of more groups than any user has */
    for (size_t i = 0; i < len / sizeof(gid_t); i++)
        if (groups[i] == gid)
            return true;
    return false;
}

pid_t rpc_session_peer_pid(const RpcSession *session) {
    return session->peer.pid;
}

void rpc_session_set_gate(RpcSession *session, RpcGate gate) {
    session->gate = gate;
}

bool rpc_session_has_gate(const RpcSession *session) {
    return session->gate != NULL;
}

bool rpc_session_authenticated(const RpcSession *session) {
    return session->authenticated;
}

void rpc_session_set_authenticated(RpcSession *session, bool yes) {
    session->authenticated = yes;
}

void rpc_session_set_open(RpcSession *session, bool yes) {
    if (session->fd >= 0 && yes && !session->open)
        account_give(session->account, BUDGET_OPENING, 1);
    session->open |= yes;
}

Account *rpc_session_account(const RpcSession *session) {
    return session->account;
}

void rpc_session_close_after_reply(RpcSession *session) {
    session->closing = true;
}
