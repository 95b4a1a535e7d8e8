/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server-world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "util/log.h"

ServerWorld t;

/* ---- a program ---- */

static int echo(RpcSession *session, RpcCall *rpc, void *args, void *ret, Error **reterr) {
    *(remote_string *)ret = strdup(*(remote_string *)args);
    return 0;
}

static int nothing(RpcSession *session, RpcCall *rpc, void *args, void *ret, Error **reterr) {
    return 0;
}

static int hold(RpcSession *session, RpcCall *rpc, void *args, void *ret, Error **reterr) {
    t.held[t.n_held++ % ARRAY_SIZE(t.held)] = rpc_session_id(session);
    while (!t.gate_open)
        assert_int_equal(fiber_cond_wait(&t.gate, deadline_in(10 * USEC_PER_SEC)), 0);
    t.n_returned++;
    return 0;
}

static int login(RpcSession *session, RpcCall *rpc, void *args, void *ret, Error **reterr) {
    rpc_session_set_authenticated(session, true);
    return 0;
}

static int open_session(RpcSession *session, RpcCall *rpc, void *args, void *ret, Error **reterr) {
    rpc_session_set_open(session, true);
    return 0;
}

static int fail_call(RpcSession *session, RpcCall *rpc, void *args, void *ret, Error **reterr) {
    return error_report(reterr, FROM_QEMU, ERROR_NO_DOMAIN, "no '%s'", "x");
}

static int mute(RpcSession *session, RpcCall *rpc, void *args, void *ret, Error **reterr) {
    return -EIO;
}

static int bye(RpcSession *session, RpcCall *rpc, void *args, void *ret, Error **reterr) {
    rpc_session_close_after_reply(session);
    return 0;
}

static int event(RpcSession *session, RpcCall *rpc, void *args, void *ret, Error **reterr) {
    remote_string text = (char *)"e";

    return rpc_session_send_event(session, REMOTE_PROGRAM, 1, 318, (xdrproc_t)xdr_remote_string,
                                  &text);
}

/* A sentence that no packet could hold. */
static int fail_at_length(RpcSession *session, RpcCall *rpc, void *args, void *ret,
                          Error **reterr) {
    CLEANUP_FREE char *text = malloc(LONG_TEXT + 1);

    memset(text, 'x', LONG_TEXT);
    text[LONG_TEXT] = '\0';
    memcpy(text + FRAME_ERROR_TEXT_MAX - 1, "\xc3\xa4", 2); /* a character across the cut */
    return error_set_raw(reterr, FROM_QEMU, ERROR_INTERNAL, text);
}

static int big(RpcSession *session, RpcCall *rpc, void *args, void *ret, Error **reterr) {
    char *text = malloc(BIG + 1);

    memset(text, 'x', BIG);
    text[BIG] = '\0';
    *(remote_string *)ret = text;
    return 0;
}

/* The sizes of the files that came, as text; the first is sent back. */
static int sizes(RpcSession *session, RpcCall *rpc, void *args, void *ret, Error **reterr) {
    char text[200] = "";

    for (unsigned i = 0; i < rpc->n_fds; i++) {
        struct stat st;

        assert_int_equal(fstat(rpc->fds[i], &st), 0);
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d ", (int)st.st_size);
    }
    if (rpc->n_fds)
        rpc->ret_fds[rpc->n_ret_fds++] = TAKE_FD(rpc->fds[0]);
    *(remote_string *)ret = strdup(text);
    return 0;
}

#define STRING (xdrproc_t) xdr_remote_string, sizeof(remote_string)
#define EARLY (RPC_PROC_BEFORE_AUTH | RPC_PROC_BEFORE_OPEN)

static const RpcProc procs[] = {
    {PROC_ECHO, "virEcho", 0, echo, STRING, STRING},
    {PROC_WRITE, "virDomainCreate", RPC_PROC_WRITE, nothing, NULL, 0, NULL, 0},
    {PROC_HOLD, "virHold", 0, hold, NULL, 0, NULL, 0},
    {PROC_LOGIN, "virLogin", EARLY, login, NULL, 0, NULL, 0},
    {PROC_OPEN, "virConnectOpen", RPC_PROC_BEFORE_OPEN, open_session, NULL, 0, NULL, 0},
    {PROC_FAIL, "virFail", 0, fail_call, NULL, 0, NULL, 0},
    {PROC_MUTE, "virMute", 0, mute, NULL, 0, NULL, 0},
    {PROC_BYE, "virConnectClose", EARLY, bye, NULL, 0, NULL, 0},
    {PROC_MISSING, "virMissing", EARLY, NULL, NULL, 0, NULL, 0},
    {PROC_EVENT, "virEvent", 0, event, NULL, 0, NULL, 0},
    {PROC_LONG_ERROR, "virLong", 0, fail_at_length, NULL, 0, NULL, 0},
    {PROC_HEAVY_HOLD, "virHeavy", RPC_PROC_HEAVY, hold, NULL, 0, NULL, 0},
    {PROC_BIG, "virBig", 0, big, NULL, 0, STRING},
    {PROC_SIZES, "virSizes", 0, sizes, STRING, STRING},
};
const RpcProgram server_program = {REMOTE_PROGRAM, REMOTE_VERSION, procs, ARRAY_SIZE(procs)};

static int session_opened(RpcSession *session, void *userdata) {
    t.n_opened++;
    rpc_session_set_authenticated(session, t.authenticated);
    rpc_session_set_open(session, t.open);
    return 0;
}

static void session_closed(RpcSession *session, void *userdata) {
    t.n_closed++;
}

const RpcServerOps server_ops = {.session_opened = session_opened,
                                 .session_closed = session_closed};

/* ---- the client ---- */

void pump(void) {
    while (sd_event_run(fiber_event(), 0) > 0)
        ;
}

void connect_client(bool readonly) {
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    t.fd = fds[1];
    t.input_used = 0;
    assert_int_equal(rpc_server_add_connection(t.server, fds[0], readonly), 0);
}

void hang_up(void) {
    close(TAKE_FD(t.fd));
    pump();
}

void send_bytes(const void *bytes, size_t len) {
    assert_int_equal(send(t.fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

void send_frame(const FrameHeader *header, const char *text) {
    CLEANUP_FREE uint8_t *bytes = NULL;
    remote_string string = (char *)text;
    size_t len = 0;

    assert_int_equal(
        frame_encode(header, text ? (xdrproc_t)xdr_remote_string : NULL, &string, &bytes, &len), 0);
    send_bytes(bytes, len);
}

FrameHeader call_header(int procedure) {
    return (FrameHeader){.program = REMOTE_PROGRAM,
                         .version = REMOTE_VERSION,
                         .procedure = procedure,
                         .type = FRAME_CALL,
                         .serial = ++t.serial};
}

uint32_t call(int procedure, const char *text) {
    FrameHeader header = call_header(procedure);

    send_frame(&header, text);
    return header.serial;
}

bool next_packet(FrameHeader *header, uint8_t *payload, size_t *ret_len) {
    uint32_t length;
    ssize_t n;

    pump();
    n = recv(t.fd, t.input + t.input_used, sizeof(t.input) - t.input_used, MSG_DONTWAIT);
    if (n > 0)
        t.input_used += n;
    if (t.input_used < 4)
        return false;
    length = frame_length(t.input);
    assert_in_range(length, FRAME_HEADER_SIZE, 4096);
    assert_true(t.input_used >= length);
    frame_parse_header(t.input, header);
    *ret_len = length - FRAME_HEADER_SIZE;
    memcpy(payload, t.input + FRAME_HEADER_SIZE, *ret_len);
    memmove(t.input, t.input + length, t.input_used - length);
    t.input_used -= length;
    return true;
}

void expect_nothing(void) {
    uint8_t payload[4096];
    FrameHeader header;
    size_t len;

    assert_false(next_packet(&header, payload, &len));
}

void expect_ok(uint32_t serial, const char *text) {
    uint8_t payload[4096];
    FrameHeader header;
    remote_string back = NULL;
    size_t len;

    assert_true(next_packet(&header, payload, &len));
    assert_int_equal(header.program, REMOTE_PROGRAM);
    assert_int_equal(header.type, FRAME_REPLY);
    assert_int_equal(header.status, FRAME_OK);
    assert_int_equal(header.serial, serial);
    if (!text) {
        assert_int_equal(len, 0);
        return;
    }
    assert_int_equal(frame_decode(payload, len, (xdrproc_t)xdr_remote_string, &back), 0);
    assert_string_equal(back, text);
    xdr_free((xdrproc_t)xdr_remote_string, &back);
}

void expect_error(uint32_t serial, ErrorCode code, ErrorFrom from, const char *message) {
    CLEANUP_ERROR Error *error = NULL;
    uint8_t payload[4096];
    FrameHeader header;
    size_t len;

    assert_true(next_packet(&header, payload, &len));
    assert_int_equal(header.type, FRAME_REPLY);
    assert_int_equal(header.status, FRAME_ERROR);
    assert_int_equal(header.serial, serial);
    frame_decode_error(payload, len, &error);
    assert_string_equal(error->message, message);
    assert_int_equal(error->code, code);
    assert_int_equal(error->from, from);
}

void expect_closed(void) {
    uint8_t byte;

    pump();
    assert_int_equal(recv(t.fd, &byte, 1, MSG_DONTWAIT), 0);
    assert_int_equal(rpc_server_n_sessions(t.server), 0);
    assert_int_equal(t.n_closed, t.n_opened);
}

int set_up(void **state) {
    sd_event *loop = NULL;

    memset(&t, 0, sizeof(t));
    t.fd = -1;
    t.authenticated = t.open = true;
    log_init(LOG_ERR);
    assert_true(sd_event_new(&loop) >= 0);
    assert_int_equal(fiber_init(loop), 0);
    sd_event_unref(loop);
    assert_int_equal(rpc_server_new(&server_program, 1, &server_ops, NULL, NULL, &t.server), 0);
    return 0;
}

int tear_down(void **state) {
    if (t.fd >= 0)
        hang_up();
    assert_int_equal(fiber_count(), 0);
    assert_int_equal(rpc_server_n_sessions(t.server), 0);
    assert_int_equal(t.n_closed, t.n_opened);
    rpc_server_free(t.server);
    fiber_shutdown();
    return 0;
}

void release(void) {
    t.gate_open = true;
    fiber_cond_broadcast(&t.gate);
}

int connect_to(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    strcpy(address.sun_path, path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}
