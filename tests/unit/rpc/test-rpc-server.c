/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The server's session over a socketpair: admission, queueing, framing, keepalive, clients that go.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "server-world.h"
#include "util/file.h"

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
        TEST(test_listening_where_it_cannot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
