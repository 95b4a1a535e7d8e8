/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server's session over a socketpair: admission, queueing, framing, keepalive, clients that go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "rpc/frame.h"
#include "rpc/remote_protocol.h"
#include "rpc/server-internal.h"
#include "util/fiber.h"
#include "util/file.h"
#include "util/log.h"

enum {
    PROC_ECHO = 1,
    PROC_WRITE,
    PROC_HOLD,
    PROC_LOGIN,
    PROC_OPEN,
    PROC_FAIL,
    PROC_MUTE,
    PROC_BYE,
    PROC_MISSING,
    PROC_EVENT,
    PROC_LONG_ERROR,
    PROC_HEAVY_HOLD,
    PROC_SIZES,
    PROC_BIG
};

enum { LONG_TEXT = 5 << 20, BIG = 1 << 20 };

static struct {
    RpcServer *server;
    int fd; /* the client's end */
    bool authenticated, open;
    FiberCond gate;
    bool gate_open;
    unsigned n_held, n_returned, n_opened, n_closed;
    uint8_t input[1 << 20];
    size_t input_used;
    uint32_t serial;
} t;

/* ---- a program ---- */

static int echo(RpcSession *session, RpcCall *rpc, void *args, void *ret, Error **reterr) {
    *(remote_string *)ret = strdup(*(remote_string *)args);
    return 0;
}

static int nothing(RpcSession *session, RpcCall *rpc, void *args, void *ret, Error **reterr) {
    return 0;
}

static int hold(RpcSession *session, RpcCall *rpc, void *args, void *ret, Error **reterr) {
    t.n_held++;
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
static const RpcProgram program = {REMOTE_PROGRAM, REMOTE_VERSION, procs, ARRAY_SIZE(procs)};

static int session_opened(RpcSession *session, void *userdata) {
    t.n_opened++;
    rpc_session_set_authenticated(session, t.authenticated);
    rpc_session_set_open(session, t.open);
    return 0;
}

static void session_closed(RpcSession *session, void *userdata) {
    t.n_closed++;
}

static const RpcServerOps ops = {.session_opened = session_opened,
                                 .session_closed = session_closed};

/* ---- the client ---- */

static void pump(void) {
    while (sd_event_run(fiber_event(), 0) > 0)
        ;
}

static void connect_client(bool readonly) {
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    t.fd = fds[1];
    t.input_used = 0;
    assert_int_equal(rpc_server_add_connection(t.server, fds[0], readonly), 0);
}

static void hang_up(void) {
    close(TAKE_FD(t.fd));
    pump();
}

static void send_bytes(const void *bytes, size_t len) {
    assert_int_equal(send(t.fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void send_frame(const FrameHeader *header, const char *text) {
    CLEANUP_FREE uint8_t *bytes = NULL;
    remote_string string = (char *)text;
    size_t len = 0;

    assert_int_equal(
        frame_encode(header, text ? (xdrproc_t)xdr_remote_string : NULL, &string, &bytes, &len), 0);
    send_bytes(bytes, len);
}

static FrameHeader call_header(int procedure) {
    return (FrameHeader){.program = REMOTE_PROGRAM,
                         .version = REMOTE_VERSION,
                         .procedure = procedure,
                         .type = FRAME_CALL,
                         .serial = ++t.serial};
}

static uint32_t call(int procedure, const char *text) {
    FrameHeader header = call_header(procedure);

    send_frame(&header, text);
    return header.serial;
}

/* The next packet that is there already: its header, and payload copied. False: none. */
static bool next_packet(FrameHeader *header, uint8_t *payload, size_t *ret_len) {
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

static void expect_nothing(void) {
    uint8_t payload[4096];
    FrameHeader header;
    size_t len;

    assert_false(next_packet(&header, payload, &len));
}

static void expect_ok(uint32_t serial, const char *text) {
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

static void expect_error(uint32_t serial, ErrorCode code, ErrorFrom from, const char *message) {
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

/* The server has closed and let go of the session. */
static void expect_closed(void) {
    uint8_t byte;

    pump();
    assert_int_equal(recv(t.fd, &byte, 1, MSG_DONTWAIT), 0);
    assert_int_equal(rpc_server_n_sessions(t.server), 0);
    assert_int_equal(t.n_closed, t.n_opened);
}

static int set_up(void **state) {
    sd_event *loop = NULL;

    memset(&t, 0, sizeof(t));
    t.fd = -1;
    t.authenticated = t.open = true;
    log_init(LOG_ERR);
    assert_true(sd_event_new(&loop) >= 0);
    assert_int_equal(fiber_init(loop), 0);
    sd_event_unref(loop);
    assert_int_equal(rpc_server_new(&program, 1, &ops, NULL, NULL, &t.server), 0);
    return 0;
}

static int tear_down(void **state) {
    if (t.fd >= 0)
        hang_up();
    assert_int_equal(fiber_count(), 0);
    assert_int_equal(rpc_server_n_sessions(t.server), 0);
    assert_int_equal(t.n_closed, t.n_opened);
    rpc_server_free(t.server);
    fiber_shutdown();
    return 0;
}

/* ---- tests ---- */

static void test_calls_and_replies(void **state) {
    connect_client(false);
    expect_ok(call(PROC_ECHO, "hello"), "hello");
    expect_ok(call(PROC_WRITE, NULL), NULL);
    expect_error(call(PROC_FAIL, NULL), ERROR_NO_DOMAIN, FROM_QEMU, "Domain not found: no 'x'");
    expect_error(call(PROC_MUTE, NULL), ERROR_INTERNAL, FROM_RPC,
                 "internal error: the call failed without saying why");
    expect_ok(call(PROC_ECHO, "still here"), "still here");
}

static void test_unknown_things_are_errors(void **state) {
    FrameHeader header = call_header(PROC_ECHO);

    connect_client(false);
    header.program = 4711;
    send_frame(&header, "x");
    expect_error(header.serial, ERROR_RPC, FROM_RPC, "Cannot find program 4711 version 1");
    header = call_header(PROC_ECHO);
    header.version = 2;
    send_frame(&header, "x");
    expect_error(header.serial, ERROR_RPC, FROM_RPC, "Cannot find program 536903814 version 2");
    expect_error(call(9999, NULL), ERROR_RPC, FROM_RPC, "unknown procedure: 9999");
    expect_error(call(-1, NULL), ERROR_RPC, FROM_RPC, "unknown procedure: -1");
    expect_error(call(INT32_MIN, NULL), ERROR_RPC, FROM_RPC, "unknown procedure: -2147483648");
    expect_error(call(PROC_MISSING, NULL), ERROR_RPC, FROM_RPC, "unknown procedure: 9");
    header = call_header(PROC_ECHO);
    header.status = 1;
    send_frame(&header, "x");
    expect_error(header.serial, ERROR_RPC, FROM_RPC, "Unexpected message status 1");
    expect_error(call(PROC_ECHO, NULL), ERROR_RPC, FROM_RPC, "Unable to decode message payload");
    expect_ok(call(PROC_ECHO, "on"), "on");
}

static void test_stray_packets_are_ignored(void **state) {
    connect_client(false);
    for (int type = FRAME_REPLY; type <= 9; type++) {
        FrameHeader header = call_header(PROC_ECHO);

        header.type = type;
        if (type != FRAME_CALL_WITH_FDS)
            send_frame(&header, "x");
    }
    expect_nothing();
    expect_ok(call(PROC_ECHO, "on"), "on");
}

static void test_login_and_open_come_first(void **state) {
    t.authenticated = t.open = false;
    connect_client(false);
    expect_error(call(PROC_ECHO, "x"), ERROR_RPC, FROM_RPC, "authentication required");
    expect_error(call(PROC_OPEN, NULL), ERROR_RPC, FROM_RPC, "authentication required");
    expect_ok(call(PROC_LOGIN, NULL), NULL);
    expect_error(call(PROC_ECHO, "x"), ERROR_INTERNAL, FROM_RPC,
                 "internal error: hypervisor connection not open");
    expect_ok(call(PROC_OPEN, NULL), NULL);
    expect_ok(call(PROC_ECHO, "x"), "x");
}

static void test_readonly_cannot_write(void **state) {
    connect_client(true);
    expect_error(call(PROC_WRITE, NULL), ERROR_OPERATION_DENIED, FROM_DOMAIN,
                 "operation forbidden: read only access prevents virDomainCreate");
    expect_ok(call(PROC_ECHO, "reads"), "reads");
}

static void test_bad_lengths_close(void **state) {
    static const uint32_t lengths[] = {0, 1, 4, 27, RPC_LENGTH_MAX + 1, 0x80000000u, UINT32_MAX};

    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        const uint32_t length = lengths[i];
        const uint8_t word[] = {length >> 24, length >> 16, length >> 8, length};

        connect_client(false);
        send_bytes(word, 4);
        expect_closed();
        hang_up();
    }
}

/* A length word that is allowed waits for its bytes; nothing is answered, nothing closes. */
static void test_truncated_frames_wait(void **state) {
    static const uint8_t word[] = {RPC_LENGTH_MAX >> 24, RPC_LENGTH_MAX >> 16 & 255,
                                   RPC_LENGTH_MAX >> 8 & 255, RPC_LENGTH_MAX & 255};
    FrameHeader header = call_header(PROC_ECHO);
    CLEANUP_FREE uint8_t *bytes = NULL;
    remote_string text = (char *)"in pieces";
    size_t len = 0;

    assert_int_equal(frame_encode(&header, (xdrproc_t)xdr_remote_string, &text, &bytes, &len), 0);
    connect_client(false);
    for (size_t i = 0; i < len; i++) {
        expect_nothing();
        send_bytes(bytes + i, 1);
    }
    expect_ok(header.serial, "in pieces");
    send_bytes(word, 4);
    send_bytes(bytes, len);
    expect_nothing();
    assert_int_equal(rpc_server_n_sessions(t.server), 1);
    hang_up();
}

static void release(void) {
    t.gate_open = true;
    fiber_cond_broadcast(&t.gate);
}

static void test_calls_beyond_the_limit_wait(void **state) {
    uint32_t first = t.serial + 1;
    bool answered[RPC_MAX_ACTIVE + 4] = {false};

    connect_client(false);
    for (int i = 0; i < RPC_MAX_ACTIVE + 3; i++)
        call(PROC_HOLD, NULL);
    call(PROC_ECHO, "last");
    pump();
    assert_int_equal(t.n_held, RPC_MAX_ACTIVE);
    expect_nothing();
    release();
    for (size_t i = 0; i < ARRAY_SIZE(answered); i++) {
        uint8_t payload[4096];
        FrameHeader header;
        size_t len;

        assert_true(next_packet(&header, payload, &len));
        assert_in_range(header.serial - first, 0, ARRAY_SIZE(answered) - 1);
        assert_false(answered[header.serial - first]);
        answered[header.serial - first] = true;
    }
    assert_int_equal(t.n_returned, RPC_MAX_ACTIVE + 3);
    expect_nothing();
}

/* One client at its limit does not hold up another. */
static void test_a_busy_client_does_not_block_others(void **state) {
    int busy;

    connect_client(false);
    for (int i = 0; i < RPC_MAX_ACTIVE + 3; i++)
        call(PROC_HOLD, NULL);
    pump();
    busy = t.fd;
    connect_client(false);
    expect_ok(call(PROC_ECHO, "me"), "me");
    close(busy);
    release();
    pump();
    assert_int_equal(rpc_server_n_sessions(t.server), 1);
}

static void test_keepalive_is_answered(void **state) {
    FrameHeader ping = {.program = KEEPALIVE_PROGRAM,
                        .version = KEEPALIVE_VERSION,
                        .procedure = 1,
                        .type = FRAME_MESSAGE},
                header;
    uint8_t payload[4096];
    size_t len;

    t.authenticated = t.open = false; /* it needs neither */
    connect_client(false);
    send_frame(&ping, NULL);
    assert_true(next_packet(&header, payload, &len));
    assert_int_equal(header.program, KEEPALIVE_PROGRAM);
    assert_int_equal(header.procedure, 2);
    assert_int_equal(header.type, FRAME_MESSAGE);
    assert_int_equal(header.serial, 0);
    assert_int_equal(len, 0);
    ping.procedure = 2;
    send_frame(&ping, NULL);
    expect_nothing();
}

static void test_client_vanishes_in_a_call(void **state) {
    connect_client(false);
    call(PROC_HOLD, NULL);
    call(PROC_HOLD, NULL);
    pump();
    assert_int_equal(t.n_held, 2);
    hang_up();
    assert_int_equal(t.n_returned, 0); /* the work goes on */
    assert_int_equal(t.n_closed, 0);   /* its session is still of use to it */
    release();
    pump();
    assert_int_equal(t.n_returned, 2);
    assert_int_equal(t.n_closed, 1);
    assert_int_equal(rpc_server_n_sessions(t.server), 0);
}

static void test_close_comes_after_the_reply(void **state) {
    uint32_t serial;

    connect_client(false);
    serial = call(PROC_BYE, NULL);
    call(PROC_ECHO, "too late");
    expect_ok(serial, NULL);
    expect_closed();
}

static void test_events_keep_their_place(void **state) {
    uint8_t payload[4096];
    FrameHeader header;
    uint32_t serial;
    size_t len;

    connect_client(false);
    serial = call(PROC_EVENT, NULL);
    assert_true(next_packet(&header, payload, &len));
    assert_int_equal(header.type, FRAME_MESSAGE);
    assert_int_equal(header.procedure, 318);
    assert_int_equal(header.serial, 0);
    expect_ok(serial, NULL);
}

/* Replies to a client that never reads are kept up to a limit, then it is closed. */
static void test_a_client_that_does_not_read_is_closed(void **state) {
    enum { SIZE = 1 << 20, MANY = 200 };
    CLEANUP_FREE char *text = malloc(SIZE + 1);
    CLEANUP_FREE uint8_t *bytes = NULL;
    FrameHeader header = call_header(PROC_ECHO);
    size_t len = 0, sent = 0;
    unsigned n = 0;

    memset(text, 'x', SIZE);
    text[SIZE] = '\0';
    assert_int_equal(frame_encode(&header, (xdrproc_t)xdr_remote_string, &text, &bytes, &len), 0);
    connect_client(false);
    while (n < MANY && rpc_server_n_sessions(t.server) == 1) {
        ssize_t r = send(t.fd, bytes + sent, len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (r > 0)
            sent += r;
        if (sent == len) {
            sent = 0;
            n++;
        }
        pump();
    }
    assert_in_range(n, 32, 100);
    assert_int_equal(rpc_server_n_sessions(t.server), 0);
    hang_up();
}

static void stop(void *userdata) {
    *(int *)userdata = rpc_server_stop(t.server, deadline_in(10 * USEC_PER_MSEC));
}

static void test_stop_waits_for_calls(void **state) {
    int r = 1;

    connect_client(false);
    call(PROC_HOLD, NULL);
    pump();
    assert_int_equal(fiber_start("stop", stop, &r), 0);
    while (r == 1)
        assert_true(sd_event_run(fiber_event(), UINT64_MAX) >= 0);
    assert_int_equal(r, -ETIMEDOUT);
    release();
    r = 1;
    assert_int_equal(fiber_start("stop", stop, &r), 0);
    pump();
    assert_int_equal(r, 0);
}

/* ---- listening ---- */

static int connect_to(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    strcpy(address.sun_path, path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void test_listening(void **state) {
    char dir[] = "/tmp/vireo-test-XXXXXX";
    CLEANUP_FREE char *path = NULL;
    CLEANUP_ERROR Error *error = NULL;
    struct stat st;
    int fd = -1, other = -1;

    assert_non_null(mkdtemp(dir));
    path = path_join(dir, "sock");
    assert_int_equal(rpc_listen_unix(path, 0600, &fd, &error), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(rpc_listen_unix(path, 0600, &other, &error), -EADDRINUSE); /* it lives */
    assert_true(strstr(error->message, "another daemon is listening") != NULL);
    close(fd);
    assert_int_equal(rpc_listen_unix(path, 0660, &fd, NULL), 0); /* a dead one is replaced */

    assert_int_equal(rpc_server_add_listener(t.server, fd, true), 0);
    t.fd = connect_to(path);
    expect_ok(call(PROC_ECHO, "accepted"), "accepted");
    expect_error(call(PROC_WRITE, NULL), ERROR_OPERATION_DENIED, FROM_DOMAIN,
                 "operation forbidden: read only access prevents virDomainCreate");
    unlink(path);
    rmdir(dir);
}

static void test_listening_where_it_cannot(void **state) {
    CLEANUP_ERROR Error *error = NULL;
    char path[200];
    int fd = -1;

    memset(path, 'x', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    assert_true(rpc_listen_unix(path, 0600, &fd, &error) < 0);
    assert_true(strstr(error->message, "longer than 107 bytes") != NULL);
    assert_true(rpc_listen_unix("/nowhere/sock", 0600, &fd, &error) < 0);
    assert_true(strstr(error->message, "cannot listen on '/nowhere/sock'") != NULL);
    assert_int_equal(fd, -1);
}

/* ---- budgets ---- */

/* Another server, whose limits are the defaults but for one. */
static void limit(BudgetKind kind, size_t session, size_t user) {
    RpcLimits limits = rpc_limits_default(1024);

    limits.session.of[kind] = session;
    limits.user.of[kind] = limits.all.of[kind] = user;
    rpc_server_free(t.server);
    assert_int_equal(rpc_server_new(&program, 1, &ops, NULL, &limits, &t.server), 0);
}

static void set_times(uint64_t open_usec, uint64_t stall_usec) {
    RpcLimits limits = rpc_limits_default(1024);

    limits.open_usec = open_usec;
    limits.stall_usec = stall_usec;
    rpc_server_free(t.server);
    assert_int_equal(rpc_server_new(&program, 1, &ops, NULL, &limits, &t.server), 0);
}

static void run_until_alone(void) {
    uint64_t deadline = deadline_in(10 * USEC_PER_SEC);

    while (rpc_server_n_sessions(t.server) > 0 && now_usec() < deadline)
        assert_true(sd_event_run(fiber_event(), 100 * USEC_PER_MSEC) >= 0);
    assert_int_equal(rpc_server_n_sessions(t.server), 0);
}

/* Calls of one user on two connections wait for each other. */
static void test_calls_of_a_user_wait(void **state) {
    int other;

    limit(BUDGET_CALLS, RPC_MAX_ACTIVE, 6);
    connect_client(false);
    other = t.fd;
    for (int i = 0; i < 5; i++)
        call(PROC_HOLD, NULL);
    connect_client(false);
    call(PROC_HOLD, NULL);
    call(PROC_HOLD, NULL);
    call(PROC_ECHO, "last");
    pump();
    assert_int_equal(t.n_held, 6);
    release();
    pump();
    assert_int_equal(t.n_returned, 7);
    close(other);
}

static void test_heavy_calls_are_few(void **state) {
    limit(BUDGET_HEAVY, 2, 2);
    connect_client(false);
    for (int i = 0; i < 4; i++)
        call(PROC_HEAVY_HOLD, NULL);
    pump();
    assert_int_equal(t.n_held, 2);
    release();
    pump();
    assert_int_equal(t.n_returned, 4);
}

static void test_a_long_error_is_cut(void **state) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE uint8_t *bytes = malloc(1 << 20);
    size_t used = 0;

    connect_client(false);
    call(PROC_LONG_ERROR, NULL);
    for (ssize_t n = 1; n > 0; used += n > 0 ? (size_t)n : 0) {
        pump();
        n = recv(t.fd, bytes + used, (1 << 20) - used, MSG_DONTWAIT);
    }
    assert_in_range(used, FRAME_ERROR_TEXT_MAX, 3 * FRAME_ERROR_TEXT_MAX);
    assert_int_equal(used, frame_length(bytes));
    frame_decode_error(bytes + FRAME_HEADER_SIZE, used - FRAME_HEADER_SIZE, &error);
    assert_int_equal(strlen(error->message), FRAME_ERROR_TEXT_MAX - 1);
    assert_int_equal(error->message[FRAME_ERROR_TEXT_MAX - 2], 'x');
    expect_ok(call(PROC_ECHO, "on"), "on");
}

/* Whoever connects and does nothing makes room for who comes next; open connections stay. */
static void test_half_open_connections_make_room(void **state) {
    int idle[4], opened, spare;
    uint8_t byte;

    limit(BUDGET_OPENING, 1, 3);
    connect_client(false);
    opened = t.fd;
    t.open = false;
    for (size_t i = 0; i < ARRAY_SIZE(idle); i++) {
        connect_client(false);
        idle[i] = t.fd;
        pump();
        usleep(1000); /* the next one is younger */
    }
    assert_int_equal(rpc_server_n_sessions(t.server), 4);
    assert_int_equal(recv(idle[0], &byte, 1, MSG_DONTWAIT), 0); /* the oldest had to go */
    for (size_t i = 1; i < ARRAY_SIZE(idle); i++)
        assert_int_equal(recv(idle[i], &byte, 1, MSG_DONTWAIT), -1);
    spare = t.fd;
    t.fd = opened;
    t.input_used = 0;
    expect_ok(call(PROC_ECHO, "still here"), "still here");
    t.fd = spare;
    close(opened);
    for (size_t i = 0; i < ARRAY_SIZE(idle) - 1; i++)
        close(idle[i]);
}

static void test_half_open_connections_end(void **state) {
    set_times(40 * USEC_PER_MSEC, 60 * USEC_PER_SEC);
    t.open = false;
    connect_client(false);
    run_until_alone();
    expect_closed();
}

static void test_an_open_connection_stays(void **state) {
    uint64_t until = now_usec() + 150 * USEC_PER_MSEC;

    set_times(20 * USEC_PER_MSEC, 20 * USEC_PER_MSEC);
    connect_client(false);
    while (now_usec() < until)
        assert_true(sd_event_run(fiber_event(), 10 * USEC_PER_MSEC) >= 0);
    expect_ok(call(PROC_ECHO, "idle"), "idle");
}

static void fill_with_replies(size_t n) {
    for (; n > 0 && rpc_server_n_sessions(t.server) > 0; n--) {
        FrameHeader header = call_header(PROC_BIG);
        CLEANUP_FREE uint8_t *bytes = NULL;
        size_t len = 0;

        assert_int_equal(frame_encode(&header, NULL, NULL, &bytes, &len), 0);
        send(t.fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        pump();
    }
}

static void test_a_client_that_stops_reading_ends(void **state) {
    set_times(60 * USEC_PER_SEC, 40 * USEC_PER_MSEC);
    connect_client(false);
    fill_with_replies(2);
    assert_int_equal(rpc_server_n_sessions(t.server), 1);
    run_until_alone();
}

/* Bytes that a user has not read count for all of its connections together. */
static void test_bytes_of_a_user_are_bounded(void **state) {
    int first;

    limit(BUDGET_BYTES, 8 << 20, 10 << 20);
    connect_client(false);
    fill_with_replies(5);
    first = t.fd;
    connect_client(false);
    fill_with_replies(8);
    assert_int_equal(rpc_server_n_sessions(t.server), 1);
    close(first);
}

/* What was sent and is no whole packet yet counts, too. */
static void test_input_is_bounded(void **state) {
    CLEANUP_FREE uint8_t *bytes = calloc(1, 4 << 20);
    size_t sent = 0;

    limit(BUDGET_BYTES, 1 << 20, 1 << 20);
    connect_client(false);
    bytes[0] = 1; /* 16 MiB and a little */
    bytes[3] = 64;
    while (sent < (4 << 20)) {
        ssize_t n = send(t.fd, bytes + sent, (4 << 20) - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno != EAGAIN)
            break;
        sent += n > 0 ? (size_t)n : 0;
        pump();
    }
    assert_in_range(sent, 1 << 19, 3 << 20);
    assert_int_equal(rpc_server_n_sessions(t.server), 0);
}

static void test_packets_before_open_are_small(void **state) {
    static const uint8_t word[] = {0, 1, 0, 1};

    t.open = false;
    connect_client(false);
    send_bytes(word, 4);
    expect_closed();
}

/* ---- file descriptors ---- */

static void send_fd(int fd) {
    char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 0;
    struct iovec io = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(int));
    assert_int_equal(sendmsg(t.fd, &message, MSG_NOSIGNAL), 1);
}

static int file_of(size_t size) {
    char path[] = "/tmp/vireo-test-XXXXXX";
    int fd = mkstemp(path);

    unlink(path);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    return fd;
}

static unsigned count_fds(void) {
    unsigned n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static uint32_t call_with_fds(const size_t *file_sizes, unsigned n) {
    FrameHeader header = call_header(PROC_SIZES);
    CLEANUP_FREE uint8_t *bytes = NULL;
    remote_string text = (char *)"x";
    size_t len = 0;

    header.type = FRAME_CALL_WITH_FDS;
    assert_int_equal(
        frame_encode_with_fds(&header, n, (xdrproc_t)xdr_remote_string, &text, &bytes, &len), 0);
    send_bytes(bytes, len);
    for (unsigned i = 0; i < n; i++) {
        CLEANUP_CLOSE int fd = file_of(file_sizes[i]);

        pump(); /* they may come one by one */
        send_fd(fd);
    }
    return header.serial;
}

static int receive_fd(void) {
    char control[CMSG_SPACE(sizeof(int))], byte;
    struct iovec io = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &io, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    int fd = -1;

    assert_int_equal(recvmsg(t.fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC), 1);
    assert_non_null(CMSG_FIRSTHDR(&message));
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
    return fd;
}

static void test_files_go_both_ways(void **state) {
    static const size_t files[] = {11, 22};
    CLEANUP_CLOSE int back = -1;
    remote_string text = NULL;
    uint8_t reply[64];
    FrameHeader header;
    unsigned n_fds;
    struct stat st;

    connect_client(false);
    n_fds = count_fds();
    call_with_fds(files, 2);
    pump();
    assert_int_equal(recv(t.fd, reply, 28 + 4 + 4 + 8, MSG_DONTWAIT), 44);
    frame_parse_header(reply, &header);
    assert_int_equal(header.type, FRAME_REPLY_WITH_FDS);
    assert_int_equal(frame_length(reply + FRAME_HEADER_SIZE), 1);
    assert_int_equal(frame_decode(reply + 32, 12, (xdrproc_t)xdr_remote_string, &text), 0);
    assert_string_equal(text, "11 22 ");
    free(text);
    back = receive_fd();
    assert_int_equal(fstat(back, &st), 0);
    assert_int_equal(st.st_size, 11);
    expect_ok(call(PROC_ECHO, "on"), "on");
    close(TAKE_FD(back));
    assert_int_equal(count_fds(), n_fds);
}

/* Files that nobody asked for are closed. */
static void test_stray_files_are_closed(void **state) {
    static const size_t files[] = {1, 2, 3};
    FrameHeader header = call_header(PROC_ECHO);
    CLEANUP_FREE uint8_t *bytes = NULL;
    remote_string text = (char *)"x";
    unsigned n_fds;
    size_t len = 0;

    connect_client(false);
    n_fds = count_fds();
    header.procedure = 999;
    header.type = FRAME_CALL_WITH_FDS;
    assert_int_equal(
        frame_encode_with_fds(&header, 3, (xdrproc_t)xdr_remote_string, &text, &bytes, &len), 0);
    send_bytes(bytes, len);
    for (int i = 0; i < 3; i++) {
        CLEANUP_CLOSE int fd = file_of(files[i]);

        send_fd(fd);
    }
    expect_error(header.serial, ERROR_RPC, FROM_RPC, "unknown procedure: 999");
    assert_int_equal(count_fds(), n_fds);
}

/* Without file descriptors the loop does not spin, and the client learns of it. */
static void test_no_descriptors_left(void **state) {
    char dir[] = "/tmp/vireo-test-XXXXXX";
    CLEANUP_FREE char *path = NULL;
    struct rlimit old, few;
    int fd = -1, waiting, turns = 0, used[256], n = 0;
    uint64_t until;
    uint8_t byte;

    assert_non_null(mkdtemp(dir));
    path = path_join(dir, "sock");
    assert_int_equal(rpc_listen_unix(path, 0600, &fd, NULL), 0);
    assert_int_equal(rpc_server_add_listener(t.server, fd, false), 0);
    waiting = connect_to(path);
    t.fd = connect_to(path);
    getrlimit(RLIMIT_NOFILE, &old);
    few = (struct rlimit){64, old.rlim_max};
    setrlimit(RLIMIT_NOFILE, &few);
    while (n < 256 && (used[n] = dup(0)) >= 0)
        n++;
    until = now_usec() + 100 * USEC_PER_MSEC;
    while (now_usec() < until) {
        sd_event_run(fiber_event(), 100 * USEC_PER_MSEC);
        turns++;
    }
    assert_in_range(turns, 1, 20);
    assert_int_equal(recv(waiting, &byte, 1, MSG_DONTWAIT), 0); /* turned away */
    while (n > 0)
        close(used[--n]);
    setrlimit(RLIMIT_NOFILE, &old);
    until = deadline_in(10 * USEC_PER_SEC);
    while (rpc_server_n_sessions(t.server) == 0 && now_usec() < until)
        sd_event_run(fiber_event(), 10 * USEC_PER_MSEC);
    expect_ok(call(PROC_ECHO, "later"), "later");
    close(waiting);
    unlink(path);
    rmdir(dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_calls_and_replies),
        TEST(test_unknown_things_are_errors),
        TEST(test_stray_packets_are_ignored),
        TEST(test_login_and_open_come_first),
        TEST(test_readonly_cannot_write),
        TEST(test_bad_lengths_close),
        TEST(test_truncated_frames_wait),
        TEST(test_calls_beyond_the_limit_wait),
        TEST(test_a_busy_client_does_not_block_others),
        TEST(test_keepalive_is_answered),
        TEST(test_client_vanishes_in_a_call),
        TEST(test_close_comes_after_the_reply),
        TEST(test_events_keep_their_place),
        TEST(test_a_client_that_does_not_read_is_closed),
        TEST(test_stop_waits_for_calls),
        TEST(test_listening),
        TEST(test_calls_of_a_user_wait),
        TEST(test_heavy_calls_are_few),
        TEST(test_a_long_error_is_cut),
        TEST(test_half_open_connections_make_room),
        TEST(test_half_open_connections_end),
        TEST(test_an_open_connection_stays),
        TEST(test_a_client_that_stops_reading_ends),
        TEST(test_bytes_of_a_user_are_bounded),
        TEST(test_input_is_bounded),
        TEST(test_packets_before_open_are_small),
        TEST(test_files_go_both_ways),
        TEST(test_stray_files_are_closed),
        TEST(test_no_descriptors_left),
        TEST(test_listening_where_it_cannot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
