/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The door of a migration: who has the token comes in, whoever else is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "driver/migrate-wire.h"
#include "util/file.h"
#include "util/unix-socket.h"
#include "util/worker.h"

#define STRANGERS 50

static MigrateDoor door;
static FiberCond news;
static int strangers[STRANGERS];

static void open_door(void) {
    CLEANUP_FREE char *path = strf("/tmp/vireo-door.%d", (int)getpid());
    const MigrateDoorParams params = {.path = path, .news = &news};

    assert_int_equal(migrate_door_open(&door, &params, NULL), 0);
}

/* The end of the connection is all that a stranger is told. */
static void assert_turned_away(int fd) {
    char byte;

    assert_int_equal(fiber_wait_fd(fd, EPOLLIN, deadline_in(60 * USEC_PER_SEC)), 0);
    assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
    close(fd);
}

/* Returns when what was said has been read: the next would wait in connect(2) for a full backlog.
 */
static void come(int *fd, const char *hello, size_t len) {
    int unread = 1;

    assert_int_equal(unix_socket_connect(door.path, 0, fd), 0);
    assert_int_equal(send(*fd, hello, len, MSG_NOSIGNAL), len);
    while (unread > 0) {
        fiber_sleep(500);
        assert_int_equal(ioctl(*fd, SIOCOUTQ, &unread), 0);
    }
}

static void silent_strangers(void *userdata) {
    int state = -1, words = -1;

    open_door();
    for (int i = 0; i < STRANGERS; i++)
        come(&strangers[i], "Vireo", 5);
    assert_int_equal(migrate_wire_connect(door.uri, door.token, &state, &words, NULL), 0);
    while (!migrate_door_is_complete(&door))
        assert_int_equal(fiber_cond_wait(&news, deadline_in(60 * USEC_PER_SEC)), 0);
    assert_turned_away(strangers[0]);
    assert_true(door.n_arrivals <= 16);
    migrate_door_close(&door);
    for (int i = 1; i < STRANGERS; i++)
        assert_turned_away(strangers[i]);
    close(state);
    close(words);
}

static void forged_token(void *userdata) {
    uint8_t token[MIGRATE_TOKEN_SIZE];
    int state = -1, words = -1;

    open_door();
    memcpy(token, door.token, sizeof(token));
    token[sizeof(token) - 1] ^= 1;
    assert_int_equal(migrate_wire_connect(door.uri, token, &state, &words, NULL), 0);
    assert_turned_away(state);
    assert_turned_away(words);
    assert_false(door.state >= 0 || door.words >= 0);
    migrate_door_close(&door);
}

/* The seconds after which a peer that says nothing is given up. */
static int patience_of(int fd) {
    static const int names[] = {TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT};
    int values[3], on = 0;
    socklen_t len = sizeof(int);

    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_int_equal(getsockopt(fd, IPPROTO_TCP, names[i], &values[i], &len), 0);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &len), 0);
    return on ? values[0] + values[1] * values[2] : INT_MAX;
}

/* A host that is gone without a word is noticed by the words first, on both sides. */
static void a_host_that_is_gone(void *userdata) {
    const MigrateDoorParams params = {
        .uri = "tcp:127.0.0.1", .address = "127.0.0.1", .news = &news};
    int state = -1, words = -1;

    assert_int_equal(migrate_door_open(&door, &params, NULL), 0);
    assert_int_equal(migrate_wire_connect(door.uri, door.token, &state, &words, NULL), 0);
    while (!migrate_door_is_complete(&door))
        assert_int_equal(fiber_cond_wait(&news, deadline_in(60 * USEC_PER_SEC)), 0);
    assert_true(patience_of(words) < 40 && patience_of(door.words) < 40);
    assert_true(patience_of(state) <= 120 && patience_of(door.state) <= 120);
    assert_true(patience_of(state) > 60 && patience_of(door.state) > 60);
    migrate_door_close(&door);
    close(state);
    close(words);
}

/* Words of both kinds, as they come: in one piece, cut in two, and such as nobody knows. */
static void words_with_numbers(void *userdata) {
    CLEANUP_BITMAP Bitmap *vcpus = bitmap_new();
    MigrateLink near = {.fd = -1}, far = {.fd = -1};
    int ends[2];
    char *text = NULL;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(migrate_link_open(&near, ends[0], &news), 0);
    assert_int_equal(migrate_link_open(&far, ends[1], &news), 0);
    assert_int_equal(migrate_link_say_refused(&near, vcpus), 0); /* none: nothing is said */
    assert_int_equal(bitmap_set(vcpus, 2), 0);
    assert_int_equal(bitmap_set(vcpus, 89), 0); /* 'Y' is 89 */
    assert_int_equal(migrate_link_say_refused(&near, vcpus), 0);
    assert_int_equal(send(ends[0], "1", 1, 0), 1);
    while (far.number != 1)
        assert_int_equal(fiber_cond_wait(&news, deadline_in(60 * USEC_PER_SEC)), 0);
    assert_int_equal(send(ends[0], "2N5?N99999999999N7", 18, 0), 18);
    assert_int_equal(migrate_link_say(&near, MIGRATE_YOURS), 0);
    while (!far.heard)
        assert_int_equal(fiber_cond_wait(&news, deadline_in(60 * USEC_PER_SEC)), 0);
    assert_int_equal(far.heard, MIGRATE_YOURS);
    text = bitmap_format(far.refused);
    assert_string_equal(text, "0,2,12,89");
    free(text);
    migrate_link_close(&near);
    assert_int_equal(migrate_link_say_refused(&near, vcpus), -ENOTCONN);
    migrate_link_close(&far);
}

static void run(FiberFunc func) {
    sd_event *event = NULL;

    assert_true(sd_event_new(&event) >= 0);
    assert_int_equal(fiber_init(event), 0);
    assert_int_equal(worker_init(1), 0);
    assert_int_equal(fiber_start("test", func, NULL), 0);
    while (fiber_count() > 0)
        assert_true(sd_event_run(event, UINT64_MAX) >= 0);
    worker_shutdown();
    fiber_shutdown();
    sd_event_unref(event);
}

static void test_silent_strangers(void **state) {
    run(silent_strangers);
}

static void test_forged_token(void **state) {
    run(forged_token);
}

static void test_a_host_that_is_gone(void **state) {
    run(a_host_that_is_gone);
}

static void test_words_with_numbers(void **state) {
    run(words_with_numbers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silent_strangers),
        cmocka_unit_test(test_forged_token),
        cmocka_unit_test(test_a_host_that_is_gone),
        cmocka_unit_test(test_words_with_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
