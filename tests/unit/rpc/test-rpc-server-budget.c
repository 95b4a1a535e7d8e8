/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a client and a user may have of the server: calls, bytes, connections, file descriptors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "server-world.h"
#include "util/file.h"

/* ---- budgets ---- */

/* Another server, whose limits are the defaults but for one. */
static void limit(BudgetKind kind, size_t session, size_t user) {
    RpcLimits limits = rpc_limits_default(1024);

    limits.session.of[kind] = session;
    limits.user.of[kind] = limits.all.of[kind] = user;
    rpc_server_free(t.server);
    assert_int_equal(rpc_server_new(&server_program, 1, &server_ops, NULL, &limits, &t.server), 0);
}

static void set_times(uint64_t open_usec, uint64_t stall_usec) {
    RpcLimits limits = rpc_limits_default(1024);

    limits.open_usec = open_usec;
    limits.stall_usec = stall_usec;
    rpc_server_free(t.server);
    assert_int_equal(rpc_server_new(&server_program, 1, &server_ops, NULL, &limits, &t.server), 0);
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

/* Two connections of a user that may have one call: neither waits for all calls of the other. */
static void test_those_who_wait_take_turns(void **state) {
    static const uint64_t served[] = {1, 1, 2, 1, 2, 2};
    int first = -1;

    limit(BUDGET_CALLS, RPC_MAX_ACTIVE, 1);
    for (int i = 0; i < 2; i++) {
        connect_client(false);
        for (int j = 0; j < 3; j++)
            call(PROC_HOLD, NULL);
        pump();
        first = i == 0 ? t.fd : first;
    }
    assert_int_equal(t.n_held, 1);
    release();
    pump();
    assert_int_equal(t.n_returned, 6);
    assert_memory_equal(t.held, served, sizeof(served));
    close(first);
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
    set_times(60 * USEC_PER_SEC, USEC_PER_SEC);
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
        TEST(test_calls_of_a_user_wait),
        TEST(test_those_who_wait_take_turns),
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
