/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A monitor's connection: made when QEMU is there, and made again after it broke. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "monitor-world.h"

static struct {
    char dir[32], path[64];
    unsigned n_asked;
    bool alive;
    int listener;
} c;

/* Asked between tries; the third time QEMU has come so far. */
static bool is_alive(void *userdata) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (++c.n_asked < 3 || !c.alive)
        return c.n_asked < 3;
    if (c.listener < 0) {
        strcpy(address.sun_path, c.path);
        c.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(bind(c.listener, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(c.listener, 1), 0);
    }
    return true;
}

static void connect_monitor(void *userdata) {
    monitor_free(TAKE_PTR(t.monitor));
    t.r = monitor_connect(c.path, "vm", &ops, &t, userdata ? is_alive : NULL, deadline_in(SOON),
                          &t.monitor, &t.error);
    t.done = true;
}

static void make_path(void) {
    strcpy(c.dir, "/tmp/vireo-test-XXXXXX");
    assert_non_null(mkdtemp(c.dir));
    snprintf(c.path, sizeof(c.path), "%s/monitor", c.dir);
    c.listener = -1;
}

static void remove_path(void) {
    if (c.listener >= 0)
        close(c.listener);
    unlink(c.path);
    rmdir(c.dir);
}

static void run_connect(bool ask, bool alive) {
    make_path();
    c.n_asked = 0;
    c.alive = alive;
    assert_int_equal(fiber_start("connect", connect_monitor, ask ? &c : NULL), 0);
    run_until_done();
    remove_path();
}

static void test_connect_waits_for_the_socket(void **state) {
    run_connect(true, true);
    assert_int_equal(t.r, 0);
    assert_true(monitor_is_open(t.monitor));
    assert_int_equal(c.n_asked, 3);
}

static void test_connect_ends_with_qemu(void **state) {
    run_connect(true, false);
    assert_true(t.r < 0);
    assert_true(strstr(t.error->message, "QEMU ended before its monitor") != NULL);
}

static void test_connect_has_a_deadline(void **state) {
    run_connect(false, false);
    assert_int_equal(t.r, -ETIMEDOUT);
    assert_int_equal(t.error->code, ERROR_OPERATION_TIMEOUT);
}

/* In the place of what an earlier one left; a connection waits there, and a second accept(2) does
 * not wait for another. */
static void test_listen(void **state) {
    make_path();
    close(open(c.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(monitor_listen(c.path, &c.listener, &t.error), 0);
    assert_int_equal(fiber_start("connect", connect_monitor, NULL), 0);
    run_until_done();
    assert_int_equal(t.r, 0);
    close(accept(c.listener, NULL, NULL));
    assert_int_equal(accept(c.listener, NULL, NULL), -1);
    assert_int_equal(errno, EAGAIN);
    remove_path();
}

/* ---- a connection after the first ---- */

/* QEMU's side: a connection that is there ends the one before. */
static void accept_one(void) {
    if (t.fd >= 0)
        close(t.fd);
    do {
        pump();
        t.fd = accept4(c.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (t.fd < 0 && errno == EAGAIN);
    assert_true(t.fd >= 0);
    t.input_used = 0;
}

/* A monitor that was connected by a path, and broke. */
static void break_monitor(void) {
    make_path();
    assert_int_equal(monitor_listen(c.path, &c.listener, &t.error), 0);
    assert_int_equal(fiber_start("connect", connect_monitor, NULL), 0);
    run_until_done();
    assert_int_equal(t.r, 0);
    t.done = false;
    accept_one();
    say("\1\r\n");
    assert_false(monitor_is_open(t.monitor));
    assert_string_equal(t.trace, "closed:EBADMSG ");
}

static void reconnect(void *userdata) {
    t.r = monitor_reconnect(t.monitor, NULL, deadline_in(userdata ? SOON : 50 * SOON), &t.error);
    t.done = true;
}

static void test_reconnect(void **state) {
    MonitorReply *reply;

    break_monitor();
    assert_int_equal(fiber_start("reconnect", reconnect, NULL), 0);
    accept_one();
    assert_false(monitor_is_open(t.monitor));
    say(GREETING);
    assert_int_equal(monitor_send(t.monitor, "early", NULL, &reply), -ENOTCONN);
    expect("{\"execute\":\"qmp_capabilities\",\"id\":\"vireo-1\"}");
    say("{\"return\": {}, \"id\": \"vireo-1\"}\r\n");
    run_until_done();
    assert_int_equal(t.r, 0);
    assert_true(monitor_is_open(t.monitor));
    reply = send_command("x", NULL);
    expect("{\"execute\":\"x\",\"id\":\"vireo-2\"}");
    say("{\"event\": \"STOP\"}{\"return\": {}, \"id\": \"vireo-2\"}");
    assert_true(reply->done && reply->error == 0);
    monitor_reply_free(reply);
    hang_up();
    assert_string_equal(t.trace, "closed:EBADMSG !STOP closed:0 ");
    remove_path();
}

static void test_reconnect_fails_and_is_tried_again(void **state) {
    break_monitor();
    assert_int_equal(fiber_start("reconnect", reconnect, &t), 0);
    accept_one();
    say("{\"event\": \"RESUME\"}");
    hang_up();
    run_until_done();
    assert_true(t.r < 0);
    assert_string_equal(t.error->message,
                        "operation failed: QEMU closed its monitor before the greeting");
    assert_false(monitor_is_open(t.monitor));
    assert_string_equal(t.trace, "closed:EBADMSG !RESUME ");
    t.done = false;
    error_free(TAKE_PTR(t.error));
    assert_int_equal(fiber_start("reconnect", reconnect, &t), 0);
    run_until_done();
    assert_int_equal(t.r, -ETIMEDOUT);
    remove_path();
}

static void test_freed_while_it_reconnects(void **state) {
    break_monitor();
    assert_int_equal(fiber_start("reconnect", reconnect, NULL), 0);
    accept_one();
    monitor_free(TAKE_PTR(t.monitor));
    run_until_done();
    assert_true(t.r < 0);
    remove_path();
}

static void test_listen_errors(void **state) {
    char path[200] = "/nowhere/monitor";
    int fd;

    assert_int_equal(monitor_listen(path, &fd, &t.error), -ENOENT);
    assert_string_equal(
        t.error->message,
        "cannot make the monitor's socket '/nowhere/monitor': No such file or directory");
    memset(path, 'x', sizeof(path) - 1);
    assert_true(monitor_listen(path, &fd, &t.error) < 0);
    assert_non_null(strstr(t.error->message, "is longer than 107 bytes; use a shorter --root"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_connect_waits_for_the_socket),
        TEST(test_connect_ends_with_qemu),
        TEST(test_connect_has_a_deadline),
        TEST(test_listen),
        TEST(test_listen_errors),
        TEST(test_reconnect),
        TEST(test_reconnect_fails_and_is_tried_again),
        TEST(test_freed_while_it_reconnects),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
