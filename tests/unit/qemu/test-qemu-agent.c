/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest agent against a scripted peer: what it may do wrong, and who waits for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "agent-peer.h"

#define SHORT (80 * USEC_PER_MSEC)
#define PING "{\"execute\":\"guest-ping\"}"
#define NOT_CONNECTED "Guest agent is not responding: QEMU guest agent is not connected"

/* ---- answers ---- */

static void call_twice(void *userdata) {
    assert_int_equal(agent->state, AGENT_UNKNOWN);
    expect_reply(PING, "{\"return\":{}}");
    assert_true(agent_is_connected(agent));
    expect_reply(" {\"execute\" : \"guest-info\"}\n", "{\"return\":{\"a\":[1,\"/x\"]},\"id\":7}");
}

static void answer_twice(void *userdata) {
    peer_accept();
    peer_sync();
    peer_expect(PING);
    peer_say("{\"return\": {}}\n");
    peer_sync();
    peer_expect("{\"execute\":\"guest-info\"}");
    /* In pieces, with an empty line and a sentinel before it. */
    peer_say("\r\n");
    fiber_yield();
    peer_say("\xff{\"return\": {\"a\": [1,");
    fiber_sleep(5000);
    peer_say("\"\\/x\"]}, \"id\": 7}\r\n");
}

static void test_answers(void **data) {
    run(call_twice, answer_twice, NULL);
}

static void call_stale(void *userdata) {
    expect_reply(PING, "{\"return\":2}");
}

static void answer_stale(void *userdata) {
    CLEANUP_FREE char *garbage = malloc(300000);

    peer_accept();
    peer_read_sync();
    memset(garbage, '{', 300000);
    peer_write(garbage, 300000);
    peer_say("\n{\"return\": 1}\n{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse "
             "error\"}}\n");
    peer_say("\xff{\"retu");
    peer_say("\xff\xff{\"return\": \"1\"}\n\xff{\"error\": {}}\n\xff[1]\n\xff\n");
    peer_answer_sync(peer.sync_id - 1);
    peer_answer_sync(peer.sync_id + 1);
    peer_write("\xff", 1);
    peer_write(garbage, 1000); /* longer than an answer to a sync */
    peer_say("\n{\"return\": 3}\n");
    peer_answer_sync(peer.sync_id);
    peer_expect(PING);
    peer_say("{\"return\": 2}\n{\"return\": 9}\n");
}

static void test_sync_skips_stale_answers_and_garbage(void **data) {
    run(call_stale, answer_stale, NULL);
}

static void call_refused(void *userdata) {
    expect_error("{\"execute\":\"nope\"}", AGENT_DEFAULT, ERROR_INTERNAL,
                 "internal error: unable to execute QEMU agent command 'nope': The command nope "
                 "has not been found");
    expect_error("{\"execute\":\"nope\"}", AGENT_DEFAULT, ERROR_INTERNAL,
                 "internal error: unable to execute QEMU agent command 'nope': CommandNotFound");
    expect_error("{\"exec\":1}", AGENT_DEFAULT, ERROR_INTERNAL,
                 "internal error: unable to execute QEMU agent command '<unknown>': unknown error");
    expect_error("[1]", AGENT_DEFAULT, ERROR_INTERNAL,
                 "internal error: cannot parse the agent command: it is not one JSON object");
    expect_error("{} {}", AGENT_DEFAULT, ERROR_INTERNAL,
                 "internal error: cannot parse the agent command: it is not one JSON object");
    expect_error(PING, -3, ERROR_INVALID_ARG,
                 "invalid argument: guest agent timeout '-3' is less than the minimum '-2'");
}

static void answer_refused(void *userdata) {
    peer_accept();
    peer_sync();
    peer_read();
    peer_say("{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"The command nope has not "
             "been found\"}}\n");
    peer_sync();
    peer_read();
    peer_say("{\"error\": {\"class\": \"CommandNotFound\"}}\n");
    peer_sync();
    peer_read();
    peer_say("{\"error\": 5}\n");
}

static void test_error_replies(void **data) {
    run(call_refused, answer_refused, NULL);
}

static void call_nonsense(void *userdata) {
    for (int i = 0; i < 5; i++)
        expect_error(PING, AGENT_DEFAULT, ERROR_INTERNAL,
                     "internal error: the guest agent's answer to 'guest-ping' is malformed");
    expect_error(
        PING, AGENT_BLOCK, ERROR_INTERNAL,
        "internal error: the guest agent's answer to 'guest-ping' is longer than 10485760 bytes");
    expect_reply(PING, "{\"return\":1}");
}

static void answer_nonsense(void *userdata) {
    CLEANUP_FREE char *deep = malloc(5001), *huge = malloc(1 << 20);
    const char *const answers[] = {"hello\n", "[{\"return\":1}]\n", "{\"return\":1} x\n",
                                   "{\"return\":\"\xc3\x28\"}\n", deep};

    memcpy(deep, "{\"return\":", 10);
    memset(deep + 10, '[', 4989);
    strcpy(deep + 4999, "\n");
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        peer_accept(); /* nonsense ends the connection */
        peer_sync();
        peer_expect(PING);
        peer_say(answers[i]);
    }
    peer_accept();
    peer_sync();
    peer_expect(PING);
    memset(huge, ' ', 1 << 20);
    /* The connection ends somewhere in this. */
    for (int i = 0; i < 11; i++)
        for (size_t sent = 0; sent < 1 << 20;) {
            ssize_t n = send(peer.fd, huge, (1 << 20) - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

            if (n < 0 && errno == EPIPE)
                break;
            if (n < 0)
                fiber_wait_fd(peer.fd, EPOLLOUT, soon());
            else
                sent += n;
        }
    peer_accept();
    peer_sync();
    peer_expect(PING);
    peer_say("{\"return\":1}\n");
}

static void test_nonsense_is_bounded(void **data) {
    run(call_nonsense, answer_nonsense, NULL);
}

/* ---- silence ---- */

static void call_silent(void *userdata) {
    uint64_t start = now_usec();

    agent_set_response_timeout(agent, SHORT);
    expect_error(
        PING, AGENT_DEFAULT, ERROR_AGENT_UNRESPONSIVE,
        "Guest agent is not responding: no answer to the synchronisation within 0.08 seconds");
    assert_in_range(now_usec() - start, SHORT, 10 * SHORT);
    assert_int_equal(agent->state, AGENT_UNKNOWN);
    expect_error(
        PING, AGENT_DEFAULT, ERROR_AGENT_UNRESPONSIVE,
        "Guest agent is not responding: no answer to the command 'guest-ping' within 0.08 seconds");
    /* The late answer is not taken for this one's. */
    expect_reply(PING, "{\"return\":\"new\"}");
    start = now_usec();
    expect_error(
        PING, 1, ERROR_AGENT_UNRESPONSIVE,
        "Guest agent is not responding: no answer to the command 'guest-ping' within 1 seconds");
    assert_in_range(now_usec() - start, USEC_PER_SEC, 3 * USEC_PER_SEC);
}

static void answer_late(void *userdata) {
    peer_accept();
    peer_read_sync();
    peer_accept(); /* a failed sync drops the connection */
    peer_sync();
    peer_expect(PING);
    fiber_sleep(SHORT * 3 / 2);
    peer_say("{\"return\": \"old\"}\n");
    peer_sync();
    peer_expect(PING);
    peer_say("{\"return\": \"new\"}\n");
    peer_sync();
    peer_expect(PING);
}

static void test_timeouts(void **data) {
    run(call_silent, answer_late, NULL);
}

static void call_no_wait(void *userdata) {
    CLEANUP_FREE char *text = NULL;

    assert_int_equal(
        agent_command(agent, "{\"execute\":\"guest-shutdown\"}", AGENT_NO_WAIT, &text, NULL), 0);
    assert_string_equal(text, "{}");
    expect_reply(PING, "{\"return\":1}");
}

static void answer_no_wait(void *userdata) {
    peer_accept();
    peer_sync();
    peer_expect("{\"execute\":\"guest-shutdown\"}");
    peer_read_sync();
    peer_say("{\"return\":{}}\n");
    peer_answer_sync(peer.sync_id);
    peer_expect(PING);
    peer_say("{\"return\":1}\n");
}

static void test_no_wait(void **data) {
    run(call_no_wait, answer_no_wait, NULL);
}

static void call_long_no_wait(void *userdata) {
    CLEANUP_FREE char *command = malloc(1 << 20), *text = NULL;

    memset(command, 'x', 1 << 20);
    memcpy(command, "{\"execute\":\"", 12);
    strcpy(command + (1 << 20) - 3, "\"}");
    assert_int_equal(agent_command(agent, command, AGENT_NO_WAIT, &text, NULL), 0);
    expect_reply(PING, "{\"return\":1}");
}

static void answer_long_no_wait(void *userdata) {
    CLEANUP_FREE char *command = calloc(1, (1 << 20) + 1);
    ssize_t got;

    peer_accept();
    peer_sync();
    for (size_t n = 0; n<1 << 20; n += got> 0 ? (size_t)got : 0) {
        got = recv(peer.fd, command + n, (1 << 20) - n, MSG_DONTWAIT);
        if (got < 0)
            assert_int_equal(fiber_wait_fd(peer.fd, EPOLLIN, soon()), 0);
    }
    assert_ptr_equal(strchr(command, '\n'), command + (1 << 20) - 1);
    peer_sync();
    peer_expect(PING);
    peer_say("{\"return\":1}\n");
}

static void test_half_sent_command_stays_whole(void **data) {
    run(call_long_no_wait, answer_long_no_wait, NULL);
}

static void stuck(void *userdata) {
    agent_set_response_timeout(agent, SHORT);
    note("a");
    expect_error(PING, AGENT_BLOCK, ERROR_AGENT_UNRESPONSIVE,
                 "Guest agent is not responding: the agent was disconnected while the command "
                 "'guest-ping' was "
                 "under way");
    note("A");
}

static void behind_stuck(void *userdata) {
    note("b");
    expect_error("{\"execute\":\"other\"}", AGENT_DEFAULT, ERROR_AGENT_UNRESPONSIVE, NOT_CONNECTED);
    note("B");
}

static void answer_stuck(void *userdata) {
    peer_accept();
    peer_sync();
    peer_expect(PING);
    fiber_sleep(3 * SHORT);
    note("x");
    agent_set_connected(agent, false);
    assert_false(agent_is_connected(agent));
}

static void test_stuck_agent_ends_by_the_event(void **data) {
    run(stuck, behind_stuck, answer_stuck);
    assert_string_equal(trace, "abxAB");
}

static void answer_free(void *userdata) {
    peer_accept();
    peer_sync();
    peer_expect(PING);
    note("x");
    agent_free(TAKE_PTR(agent));
}

static void test_free_ends_conversations(void **data) {
    run(stuck, behind_stuck, answer_free);
    assert_string_equal(trace, "abxAB");
}

static void first(void *userdata) {
    expect_reply("{\"execute\":\"one\"}", "{\"return\":1}");
    note("1");
}

static void second(void *userdata) {
    expect_reply("{\"execute\":\"two\"}", "{\"return\":2}");
    note("2");
}

static void answer_in_order(void *userdata) {
    peer_accept();
    peer_sync();
    peer_expect("{\"execute\":\"one\"}");
    fiber_sleep(5000);
    assert_int_equal(peer.used, 0);
    peer_say("{\"return\":1}\n");
    peer_sync();
    peer_expect("{\"execute\":\"two\"}");
    peer_say("{\"return\":2}\n");
}

static void test_first_come_first_served(void **data) {
    run(first, second, answer_in_order);
    assert_string_equal(trace, "12");
}

/* ---- connections ---- */

static void call_across_losses(void *userdata) {
    expect_reply(PING, "{\"return\":1}");
    expect_error(PING, AGENT_DEFAULT, ERROR_AGENT_UNRESPONSIVE,
                 "Guest agent is not responding: the agent was disconnected while the command "
                 "'guest-ping' was "
                 "under way");
    expect_reply(PING, "{\"return\":2}");
    agent_set_connected(agent, false);
    expect_error(PING, AGENT_DEFAULT, ERROR_AGENT_UNRESPONSIVE, NOT_CONNECTED);
    agent_set_connected(agent, true);
    assert_true(agent_is_connected(agent));
    expect_reply(PING, "{\"return\":3}");
    unlink(peer.path);
    agent_set_connected(agent, false);
    agent_set_connected(agent, true);
    expect_error(PING, AGENT_DEFAULT, ERROR_AGENT_UNRESPONSIVE, NOT_CONNECTED);
}

static void answer_across_losses(void *userdata) {
    for (int i = 1; i <= 3; i++) {
        char text[32];

        peer_accept();
        peer_sync();
        peer_expect(PING);
        snprintf(text, sizeof(text), "{\"return\":%d}\n", i);
        peer_say(text);
        if (i == 1) {
            peer_sync();
            peer_expect(PING);
            close(TAKE_FD(peer.fd));
        }
    }
}

static void test_reconnect(void **data) {
    run(call_across_losses, answer_across_losses, NULL);
}

static void call_after_idle_loss(void *userdata) {
    expect_reply(PING, "{\"return\":1}");
    fiber_sleep(20000); /* the loss is noticed meanwhile */
    expect_reply(PING, "{\"return\":2}");
}

static void answer_idle_loss(void *userdata) {
    peer_accept();
    peer_sync();
    peer_expect(PING);
    peer_say("{\"return\":1}\n");
    fiber_sleep(5000);
    close(TAKE_FD(peer.fd));
    peer_accept();
    peer_sync();
    peer_expect(PING);
    peer_say("{\"return\":2}\n");
}

static void test_loss_while_idle(void **data) {
    run(call_after_idle_loss, answer_idle_loss, NULL);
}

static void test_long_path(void **data) {
    char path[200];
    Agent *other = NULL;

    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(agent_new(path, "long", &other), -ENAMETOOLONG);
    assert_null(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_answers),
        TEST(test_sync_skips_stale_answers_and_garbage),
        TEST(test_error_replies),
        TEST(test_nonsense_is_bounded),
        TEST(test_timeouts),
        TEST(test_no_wait),
        TEST(test_half_sent_command_stays_whole),
        TEST(test_stuck_agent_ends_by_the_event),
        TEST(test_free_ends_conversations),
        TEST(test_first_come_first_served),
        TEST(test_reconnect),
        TEST(test_loss_while_idle),
        TEST(test_long_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
