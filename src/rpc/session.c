/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A connection: bytes in, calls on fibers, replies and events out in the order they were queued. */
#include "rpc/session.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "rpc/remote_protocol.h"
#include "util/log.h"

#define INPUT_FIRST 4096u
#define OUTPUT_MAX (64u << 20) /* two replies of the largest size */
#define KEEPALIVE_USEC (5 * USEC_PER_SEC)
#define KEEPALIVE_COUNT 5u
#define PING 1
#define PONG 2

static void process_input(RpcSession *session);

static void session_unref(RpcSession *session) {
    assert(session->n_refs > 0);
    if (--session->n_refs > 0)
        return;
    server_session_done(session->server, session);
    free(session->input);
    free(session);
}

void session_close(RpcSession *session) {
    if (session->fd < 0)
        return;
    session->io = sd_event_source_disable_unref(session->io);
    session->timer = sd_event_source_disable_unref(session->timer);
    close(TAKE_FD(session->fd));
    while (session->output) {
        Packet *packet = session->output;

        session->output = packet->next;
        free(packet->bytes);
        free(packet);
    }
    session->output_tail = &session->output;
    server_forget(session->server, session);
    session_unref(session);
}

/* ---- output ---- */

static void update_io(RpcSession *session) {
    uint32_t events = 0;

    if (session->n_active < RPC_MAX_ACTIVE && !session->closing)
        events |= EPOLLIN;
    if (session->output)
        events |= EPOLLOUT;
    sd_event_source_set_io_events(session->io, events);
}

/* Writes what the socket takes. Negative: the connection is broken. */
static int flush(RpcSession *session) {
    while (session->output) {
        Packet *packet = session->output;
        ssize_t n = send(session->fd, packet->bytes + packet->sent, packet->len - packet->sent,
                         MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
        packet->sent += n;
        if (packet->sent < packet->len)
            continue;
        session->output = packet->next;
        if (!session->output)
            session->output_tail = &session->output;
        session->output_bytes -= packet->len;
        free(packet->bytes);
        free(packet);
    }
    return 0;
}

/* Takes the bytes. Never closes at once: a broken connection is left for the loop to find. */
static int enqueue(RpcSession *session, uint8_t *bytes, size_t len) {
    Packet *packet;

    if (session->fd < 0) {
        free(bytes);
        return -ENOTCONN;
    }
    packet = session->output_bytes + len <= OUTPUT_MAX ? calloc(1, sizeof(Packet)) : NULL;
    if (!packet) {
        log_warning("a client (pid %d) does not read its replies, closing it", (int)session->pid);
        free(bytes);
        session->closing = true; /* said once; what else it has sent is not looked at */
        shutdown(session->fd, SHUT_RDWR);
        return -ENOBUFS;
    }
    *packet = (Packet){.bytes = bytes, .len = len};
    *session->output_tail = packet;
    session->output_tail = &packet->next;
    session->output_bytes += len;
    if (session->output == packet && flush(session) < 0)
        shutdown(session->fd, SHUT_RDWR);
    update_io(session);
    return 0;
}

static void send_error(RpcSession *session, const FrameHeader *call, const Error *error) {
    uint8_t *bytes = NULL;
    size_t len = 0;

    if (frame_encode_error(call, error, &bytes, &len) >= 0)
        enqueue(session, bytes, len);
}

static void send_rpc_error(RpcSession *session, const FrameHeader *call, ErrorCode code,
                           const char *text) {
    CLEANUP_ERROR Error *error = NULL;

    error_set_raw(&error, FROM_RPC, code, text);
    send_error(session, call, error);
}

int rpc_session_send_event(RpcSession *session, uint32_t program, uint32_t version,
                           int32_t procedure, xdrproc_t xdr, void *payload) {
    FrameHeader header = {
        .program = program, .version = version, .procedure = procedure, .type = FRAME_MESSAGE};
    uint8_t *bytes = NULL;
    size_t len = 0;
    int r = frame_encode(&header, xdr, payload, &bytes, &len);

    return r < 0 ? r : enqueue(session, bytes, len);
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
        log_info("a client (pid %d) is silent, closing it", (int)session->pid);
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

/* ---- calls ---- */

typedef struct Call {
    RpcSession *session;
    const RpcProc *proc;
    FrameHeader header;
    void *args, *ret;
} Call;

static void call_free(Call *call) {
    if (call->args) {
        xdr_free(call->proc->args_xdr, call->args);
        free(call->args);
    }
    if (call->ret) {
        xdr_free(call->proc->ret_xdr, call->ret);
        free(call->ret);
    }
    free(call);
}

static void send_reply(Call *call) {
    FrameHeader header = call->header;
    uint8_t *bytes = NULL;
    size_t len = 0;
    int r;

    header.type = FRAME_REPLY;
    header.status = FRAME_OK;
    r = frame_encode(&header, call->ret ? call->proc->ret_xdr : NULL, call->ret, &bytes, &len);
    if (r < 0)
        send_rpc_error(call->session, &call->header, ERROR_RPC,
                       r == -ENOMEM ? "out of memory" : "Unable to encode message payload");
    else
        enqueue(call->session, bytes, len);
}

static void run_call(void *userdata) {
    Call *call = userdata;
    RpcSession *session = call->session;
    CLEANUP_ERROR Error *error = NULL;
    int r = call->proc->handler(session, call->args, call->ret, &error);

    if (session->fd >= 0) {
        if (r >= 0)
            send_reply(call);
        else if (error)
            send_error(session, &call->header, error);
        else
            send_rpc_error(session, &call->header, ERROR_INTERNAL,
                           "internal error: the call failed without saying why");
    }
    call_free(call);
    session->n_active--;
    if (session->fd >= 0) {
        if (session->closing && !session->output)
            session_close(session);
        else
            process_input(session);
    }
    session_unref(session);
}

/* What must hold before a call may run; false: an error was sent. */
static bool admit(RpcSession *session, const FrameHeader *header, const RpcProc *proc) {
    CLEANUP_ERROR Error *error = NULL;
    char text[200];

    if (!session->authenticated && !(proc->flags & RPC_PROC_BEFORE_AUTH)) {
        send_rpc_error(session, header, ERROR_RPC, "authentication required");
        return false;
    }
    if (!session->open && !(proc->flags & RPC_PROC_BEFORE_OPEN)) {
        send_rpc_error(session, header, ERROR_INTERNAL,
                       "internal error: hypervisor connection not open");
        return false;
    }
    if (session->readonly && (proc->flags & RPC_PROC_WRITE)) {
        snprintf(text, sizeof(text), "read only access prevents %s", proc->api);
        error_report(&error, FROM_DOMAIN, ERROR_OPERATION_DENIED, "%s", text);
        send_error(session, header, error);
        return false;
    }
    return true;
}

static Call *decode_call(RpcSession *session, const FrameHeader *header, const RpcProc *proc,
                         const uint8_t *payload, size_t len) {
    Call *call = calloc(1, sizeof(Call));

    if (!call)
        return NULL;
    *call = (Call){.session = session, .proc = proc, .header = *header};
    if (proc->args_xdr) {
        call->args = calloc(1, proc->args_size);
        if (!call->args || frame_decode(payload, len, proc->args_xdr, call->args) < 0) {
            call_free(call);
            return NULL;
        }
    }
    if (proc->ret_xdr) {
        call->ret = calloc(1, proc->ret_size);
        if (!call->ret) {
            call_free(call);
            return NULL;
        }
    }
    return call;
}

static void on_call(RpcSession *session, const FrameHeader *header, const RpcProgram *program,
                    const uint8_t *payload, size_t len) {
    const RpcProc *proc = server_find_proc(session->server, program, (uint32_t)header->procedure);
    char text[80];
    Call *call;

    if (header->status != FRAME_OK) {
        snprintf(text, sizeof(text), "Unexpected message status %d", header->status);
        send_rpc_error(session, header, ERROR_RPC, text);
        return;
    }
    if (!proc || !proc->handler) {
        snprintf(text, sizeof(text), "unknown procedure: %d", header->procedure);
        send_rpc_error(session, header, ERROR_RPC, text);
        return;
    }
    if (!admit(session, header, proc))
        return;
    call = decode_call(session, header, proc, payload, len);
    if (!call) {
        send_rpc_error(session, header, ERROR_RPC, "Unable to decode message payload");
        return;
    }
    session->n_refs++;
    session->n_active++;
    if (fiber_start(proc->api, run_call, call) < 0) {
        send_rpc_error(session, header, ERROR_RPC, "out of memory");
        call_free(call);
        session->n_active--;
        session->n_refs--; /* the list still holds one */
    }
}

static void on_packet(RpcSession *session, const uint8_t *bytes, size_t len) {
    const RpcProgram *program;
    FrameHeader header;
    char text[100];

    frame_parse_header(bytes, &header);
    if (header.program == KEEPALIVE_PROGRAM && header.version == KEEPALIVE_VERSION) {
        if (header.procedure == PING)
            send_keepalive(session, PONG);
        return;
    }
    if (header.type != FRAME_CALL)
        return; /* stray replies, streams and messages: ignored, as libvirtd does */
    program = server_find_program(session->server, header.program);
    if (!program || program->version != header.version) {
        snprintf(text, sizeof(text), "Cannot find program %u version %u", header.program,
                 header.version);
        send_rpc_error(session, &header, ERROR_RPC, text);
        return;
    }
    on_call(session, &header, program, bytes + FRAME_HEADER_SIZE, len - FRAME_HEADER_SIZE);
}

/* Handles every whole packet that is here while there is room for another call. */
static void process_input(RpcSession *session) {
    size_t used = 0;

    while (session->fd >= 0 && !session->closing && session->n_active < RPC_MAX_ACTIVE &&
           session->input_used - used >= 4) {
        uint32_t length = frame_length(session->input + used);

        if (length < RPC_LENGTH_MIN || length > RPC_LENGTH_MAX) {
            log_info("a client (pid %d) sent a packet of %u bytes, closing it", (int)session->pid,
                     length);
            session_close(session);
            return;
        }
        if (session->input_used - used < length)
            break;
        on_packet(session, session->input + used, length);
        used += length;
    }
    if (session->fd < 0)
        return;
    memmove(session->input, session->input + used, session->input_used - used);
    session->input_used -= used;
    update_io(session);
}

/* Room for the packet that is coming, but only as it comes: a length word alone allocates nothing.
 */
static int make_room(RpcSession *session) {
    size_t size = session->input_size * 2;
    uint8_t *bigger;

    if (session->input_used < session->input_size)
        return 0;
    if (session->input_size >= (size_t)RPC_LENGTH_MAX + INPUT_FIRST)
        return -EMSGSIZE;
    size = MIN_OF(size, (size_t)RPC_LENGTH_MAX + INPUT_FIRST);
    bigger = realloc(session->input, size);
    if (!bigger)
        return -ENOMEM;
    session->input = bigger;
    session->input_size = size;
    return 0;
}

static int read_input(RpcSession *session) {
    ssize_t n;
    int r = make_room(session);

    if (r < 0)
        return r;
    n = recv(session->fd, session->input + session->input_used,
             session->input_size - session->input_used, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if (n == 0)
        return -ENOTCONN;
    session->input_used += n;
    session->last_input = now_usec();
    session->n_pings = 0;
    process_input(session);
    return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    RpcSession *session = userdata;
    int r = 0;

    session->n_refs++; /* a callback below may close it */
    if (revents & EPOLLOUT)
        r = flush(session);
    if (r >= 0 && (revents & EPOLLIN))
        r = read_input(session);
    else if (r >= 0 && (revents & (EPOLLHUP | EPOLLERR)))
        r = -ENOTCONN;
    if (session->fd >= 0) {
        if (r < 0 || (session->closing && !session->output && session->n_active == 0))
            session_close(session);
        else
            update_io(session);
    }
    session_unref(session);
    return 0;
}

/* ---- life and small accessors ---- */

int session_new(RpcServer *server, int fd, bool readonly, RpcSession **ret) {
    RpcSession *session = calloc(1, sizeof(RpcSession));
    struct ucred peer = {.pid = -1, .uid = (uid_t)-1, .gid = (gid_t)-1};
    socklen_t len = sizeof(peer);
    int r = -ENOMEM;

    if (session) {
        *session = (RpcSession){.server = server,
                                .n_refs = 1,
                                .fd = fd,
                                .readonly = readonly,
                                .input_size = INPUT_FIRST,
                                .last_input = now_usec()};
        session->output_tail = &session->output;
        session->input = malloc(INPUT_FIRST);
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
        session->uid = peer.uid;
        session->pid = peer.pid;
        if (session->input)
            r = sd_event_add_io(fiber_event(), &session->io, fd, EPOLLIN, on_io, session);
    }
    if (r < 0) {
        close(fd);
        if (session)
            free(session->input);
        free(session);
        return r;
    }
    *ret = session;
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

uid_t rpc_session_peer_uid(const RpcSession *session) {
    return session->uid;
}

pid_t rpc_session_peer_pid(const RpcSession *session) {
    return session->pid;
}

bool rpc_session_authenticated(const RpcSession *session) {
    return session->authenticated;
}

void rpc_session_set_authenticated(RpcSession *session, bool yes) {
    session->authenticated = yes;
}

bool rpc_session_is_open(const RpcSession *session) {
    return session->open;
}

void rpc_session_set_open(RpcSession *session, bool yes) {
    session->open = yes;
}

void rpc_session_close_after_reply(RpcSession *session) {
    session->closing = true;
}
