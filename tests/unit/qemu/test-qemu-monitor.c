/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The monitor against a scripted QEMU: expect a command, say something, hang up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

#include "monitor-world.h"
#include "util/file.h"

static void handshake(void *userdata) {
    t.r = monitor_handshake(t.monitor, deadline_in(SOON), &t.error);
    t.done = true;
}

static void test_handshake(void **state) {
    assert_int_equal(fiber_start("handshake", handshake, NULL), 0);
    pump();
    assert_false(t.done);
    say(GREETING);
    expect("{\"execute\":\"qmp_capabilities\",\"id\":\"vireo-1\"}");
    assert_false(t.done);
    say("{\"return\": {}, \"id\": \"vireo-1\"}\r\n");
    assert_true(t.done);
    assert_int_equal(t.r, 0);
}

static void test_no_greeting(void **state) {
    assert_int_equal(fiber_start("handshake", handshake, NULL), 0);
    run_until_done();
    assert_int_equal(t.r, -ETIMEDOUT);
    assert_int_equal(t.error->code, ERROR_OPERATION_TIMEOUT);
}

static void test_hang_up_before_the_greeting(void **state) {
    assert_int_equal(fiber_start("handshake", handshake, NULL), 0);
    pump();
    hang_up();
    run_until_done();
    assert_true(t.r < 0);
    assert_string_equal(t.error->message,
                        "operation failed: QEMU closed its monitor before the greeting");
    assert_string_equal(t.trace, "closed:0 ");
}

static void test_hang_up_in_the_handshake(void **state) {
    assert_int_equal(fiber_start("handshake", handshake, NULL), 0);
    say(GREETING "{\"retu");
    hang_up();
    run_until_done();
    assert_true(t.r < 0);
    assert_non_null(strstr(t.error->message, "qmp_capabilities"));
}

/* Sent at once, answered later and in any order; each reply finds its own. */
static void test_pipelined_commands(void **state) {
    MonitorReply *replies[3];
    json_object *arguments = json_object_new_object();

    json_object_object_add(arguments, "path", json_object_new_string("/a/b"));
    replies[0] = send_command("one", arguments);
    replies[1] = send_command("two", NULL);
    replies[2] = send_command("three", NULL);
    expect("{\"execute\":\"one\",\"arguments\":{\"path\":\"/a/b\"},\"id\":\"vireo-1\"}");
    expect("{\"execute\":\"two\",\"id\":\"vireo-2\"}");
    expect("{\"execute\":\"three\",\"id\":\"vireo-3\"}");
    say("{\"return\": 3, \"id\": \"vireo-3\"}\r\n");
    assert_true(replies[2]->done && !replies[0]->done && !replies[1]->done);
    say("{\"return\": 1, \"id\": \"vireo-1\"}{\"return\": 2, \"id\": \"vireo-2\"}");
    for (int i = 0; i < 3; i++) {
        assert_true(replies[i]->done);
        assert_int_equal(monitor_wait(replies[i], 0), 0);
        assert_int_equal(json_object_get_int(replies[i]->value), i + 1);
        assert_int_equal(monitor_reply_error(replies[i], "x", NULL), 0);
        monitor_reply_free(replies[i]);
    }
}

static void test_error_reply(void **state) {
    MonitorReply *reply = send_command("device_del", NULL);
    CLEANUP_ERROR Error *error = NULL;

    say("{\"id\": \"vireo-1\", \"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"Device "
        "'vcpu3' not found\"}}\n");
    assert_true(reply->done);
    assert_int_equal(reply->error, 0);
    assert_null(reply->value);
    assert_string_equal(reply->error_class, "DeviceNotFound");
    assert_true(monitor_reply_error(reply, "device_del", &error) < 0);
    assert_string_equal(error->message,
                        "internal error: unable to execute QEMU command 'device_del': "
                        "Device 'vcpu3' not found");
    monitor_reply_free(reply);
}

static void test_odd_error_replies(void **state) {
    static const char *const answers[] = {
        "{\"id\": \"vireo-1\", \"error\": null}", "{\"id\": \"vireo-2\", \"error\": 7}",
        "{\"id\": \"vireo-3\", \"error\": {\"class\": 1, \"desc\": []}}"};

    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        MonitorReply *reply = send_command("x", NULL);

        say(answers[i]);
        assert_true(reply->done);
        assert_string_equal(reply->error_class, "GenericError");
        assert_string_equal(reply->error_desc, "no description");
        monitor_reply_free(reply);
    }
}

static void test_events_keep_their_place(void **state) {
    MonitorReply *reply = send_command("x", NULL);

    say("{\"timestamp\": {\"seconds\": 5, \"microseconds\": 10}, \"event\": \"STOP\"}\r\n"
        "{\"event\": \"DEVICE_DELETED\", \"data\": {\"path\": \"p\"}}\r\n");
    assert_string_equal(t.trace, "!STOP !DEVICE_DELETED {\"path\":\"p\"} ");
    assert_false(reply->done);
    say("{\"return\": {}, \"id\": \"vireo-1\"}{\"event\": \"RESUME\"}");
    assert_true(reply->done);
    assert_string_equal(t.trace, "!STOP !DEVICE_DELETED {\"path\":\"p\"} !RESUME ");
    monitor_reply_free(reply);
}

static void test_byte_by_byte(void **state) {
    static const char text[] =
        "  \r\n{\"event\": \"A\\u00e9\\\"}{\"}\r\n\t{\"return\": [\"}\"], \"id\": \"vireo-1\"}\r\n";
    MonitorReply *reply = send_command("x", NULL);

    for (const char *at = text; *at; at++) {
        const char one[] = {*at, '\0'};

        say(one);
    }
    assert_string_equal(t.trace, "!Aé\"}{ ");
    assert_true(reply->done);
    monitor_reply_free(reply);
}

static void test_stray_replies_are_ignored(void **state) {
    MonitorReply *reply = send_command("x", NULL);

    say("{\"return\": {}}{\"return\": {}, \"id\": 1}{\"return\": {}, \"id\": \"vireo-99\"}"
        "{\"return\": {}, \"id\": \"other-1\"}{\"error\": {}, \"id\": \"vireo-\"}{}{\"id\": "
        "\"vireo-1\"}");
    assert_false(reply->done);
    assert_true(monitor_is_open(t.monitor));
    say("{\"return\": {}, \"id\": \"vireo-1\"}{\"return\": {}, \"id\": \"vireo-1\"}");
    assert_true(reply->done);
    monitor_reply_free(reply);
}

static void expect_broken(const char *text, const char *trace) {
    MonitorReply *reply = send_command("x", NULL);

    say(text);
    assert_false(monitor_is_open(t.monitor));
    assert_true(reply->done);
    assert_true(reply->error < 0);
    assert_string_equal(t.trace, trace);
    monitor_reply_free(reply);
    assert_int_equal(monitor_send(t.monitor, "y", NULL, &reply), -ENOTCONN);
}

static void test_garbage_closes(void **state) {
    expect_broken("HTTP/1.0 200 OK\r\n", "closed:EBADMSG ");
}

static void test_nul_closes(void **state) {
    MonitorReply *reply = send_command("x", NULL);

    assert_int_equal(send(t.fd, "\0\0{}", 4, 0), 4);
    pump();
    assert_false(monitor_is_open(t.monitor));
    assert_true(reply->error < 0);
    monitor_reply_free(reply);
}

static void test_an_array_closes(void **state) {
    expect_broken("[]", "closed:EBADMSG ");
}

static void test_bad_json_closes(void **state) {
    expect_broken("{\"event\": \"STOP\"}{\"event\" \"x\"}", "!STOP closed:EBADMSG ");
}

static void test_depth_is_limited(void **state) {
    char text[2 * QMP_DEPTH_MAX] = "{\"a\":";

    memset(text + 5, '[', QMP_DEPTH_MAX);
    expect_broken(text, "closed:EBADMSG ");
}

static void say_much(void) {
    size_t chunk = 1 << 16;
    CLEANUP_FREE char *filler = malloc(chunk);

    memset(filler, 'x', chunk);
    for (size_t sent = 0; sent < QMP_MESSAGE_MAX + 2 * chunk; sent += chunk) {
        assert_int_equal(send(t.fd, filler, chunk, MSG_NOSIGNAL), chunk);
        pump();
    }
}

/* At once: the rest of it may never come. */
static void test_reply_that_is_too_large_ends_its_command_only(void **state) {
    MonitorReply *replies[3];

    for (size_t i = 0; i < ARRAY_SIZE(replies); i++)
        replies[i] = send_command("query-x", NULL);
    say("{\"id\": \"vireo-2\", \"return\": \"");
    say_much();
    assert_true(replies[1]->done && !replies[0]->done);
    assert_int_equal(replies[1]->error, -EMSGSIZE);
    say("\"}\r\n{\"event\": \"STOP\"}\r\n{\"return\": \"");
    say_much();
    assert_int_equal(replies[0]->error, -EMSGSIZE);
    say("\", \"id\": \"vireo-1\"}\r\n{\"event\": \"");
    say_much();
    say("\"}\r\n");
    assert_false(replies[2]->done);
    say("{\"return\": 5, \"id\": \"vireo-3\"}\r\n");
    assert_int_equal(replies[2]->error, 0);
    assert_int_equal(json_object_get_int(replies[2]->value), 5);
    assert_string_equal(t.trace, "!STOP ");
    assert_true(monitor_is_open(t.monitor));
    for (size_t i = 0; i < ARRAY_SIZE(replies); i++)
        monitor_reply_free(replies[i]);
}

static void run_query(void *userdata) {
    t.r = monitor_run(t.monitor, "query-x", NULL, deadline_in(50 * SOON), NULL, &t.error);
    t.done = true;
}

static void test_reply_that_is_too_large_is_a_sentence(void **state) {
    assert_int_equal(fiber_start("query", run_query, NULL), 0);
    expect("{\"execute\":\"query-x\",\"id\":\"vireo-1\"}");
    say("{\"return\": \"");
    say_much();
    say("\", \"id\": \"vireo-1\"}\n");
    run_until_done();
    assert_int_equal(t.r, -EMSGSIZE);
    assert_non_null(strstr(t.error->message,
                           "QEMU's answer to 'query-x' was ignored: it is longer than 32 MiB"));
}

static void test_reasons_of_the_end(void **state) {
    static const struct {
        const char *text, *reason;
    } rows[] = {{"nonsense\r\n", "QEMU sent what is not JSON"},
                {"[]\r\n", "QEMU sent what is not a JSON object"}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (i > 0) {
            tear_down(state);
            set_up(state);
        }
        say(rows[i].text);
        assert_false(monitor_is_open(t.monitor));
        assert_string_equal(monitor_reason(t.monitor), rows[i].reason);
    }
}

static void test_hang_up_in_a_reply(void **state) {
    MonitorReply *first = send_command("one", NULL), *second = send_command("two", NULL);

    say("{\"return\": {}, \"id\": \"vireo-1\"}{\"return\": {\"a\":");
    assert_true(first->done && !second->done);
    expect("{\"execute\":\"one\",\"id\":\"vireo-1\"}");
    expect("{\"execute\":\"two\",\"id\":\"vireo-2\"}");
    hang_up();
    assert_int_equal(first->error, 0);
    assert_true(second->done);
    assert_int_equal(second->error, -ENOTCONN);
    assert_string_equal(t.trace, "closed:0 ");
    monitor_reply_free(first);
    monitor_reply_free(second);
}

/* A killed QEMU leaves what it had not read: the kernel calls that a reset. */
static void test_killed_with_commands_unread(void **state) {
    MonitorReply *reply = send_command("one", NULL);

    hang_up();
    assert_true(reply->done);
    assert_int_equal(reply->error, -ECONNRESET);
    assert_string_equal(t.trace, "closed:ECONNRESET ");
    monitor_reply_free(reply);
}

static void test_dropped_reply(void **state) {
    MonitorReply *reply = send_command("one", NULL), *next = send_command("two", NULL);

    monitor_reply_free(reply);
    say("{\"return\": {}, \"id\": \"vireo-1\"}{\"return\": 2, \"id\": \"vireo-2\"}");
    assert_true(next->done);
    monitor_free(TAKE_PTR(t.monitor));
    assert_int_equal(json_object_get_int(next->value), 2); /* outlives the monitor */
    monitor_reply_free(next);
}

static void wait_for(void *userdata) {
    t.r = monitor_wait(userdata, deadline_in(SOON / 4));
    t.done = true;
}

static void test_deadline(void **state) {
    MonitorReply *reply = send_command("slow", NULL);
    uint64_t waiting;

    assert_int_equal(fiber_start("wait", wait_for, reply), 0);
    run_until_done();
    assert_int_equal(t.r, -ETIMEDOUT);
    monitor_reply_free(reply);
    waiting = monitor_waiting_usec(t.monitor); /* also when nobody waits for it */
    assert_true(waiting >= SOON / 4);
    say("{\"return\": {}, \"id\": \"vireo-1\"}"); /* too late, harmless */
    assert_int_equal(monitor_waiting_usec(t.monitor), 0);
    assert_true(monitor_is_open(t.monitor));
}

static void test_free_wakes_the_waiting(void **state) {
    MonitorReply *reply = send_command("slow", NULL);

    assert_int_equal(fiber_start("wait", wait_for, reply), 0);
    pump();
    monitor_free(TAKE_PTR(t.monitor));
    run_until_done();
    assert_int_equal(t.r, -ENOTCONN);
    assert_string_equal(t.trace, ""); /* nobody is told what he did himself */
    monitor_reply_free(reply);
}

static void run_command(void *userdata) {
    t.r = monitor_run(t.monitor, "stop", NULL, deadline_in(SOON), NULL, &t.error);
    t.done = true;
}

static void test_run(void **state) {
    assert_int_equal(fiber_start("run", run_command, NULL), 0);
    expect("{\"execute\":\"stop\",\"id\":\"vireo-1\"}");
    say("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": \"vireo-1\"}");
    run_until_done();
    assert_int_equal(t.error->code, ERROR_INTERNAL);
    assert_string_equal(t.error->message,
                        "internal error: unable to execute QEMU command 'stop': no");
}

static void test_run_and_hang_up(void **state) {
    assert_int_equal(fiber_start("run", run_command, NULL), 0);
    pump();
    hang_up();
    run_until_done();
    assert_int_equal(t.error->code, ERROR_OPERATION_FAILED);
}

static void pass_through(void *userdata) {
    char *answer = NULL;

    t.r = monitor_passthrough(t.monitor, userdata, deadline_in(SOON), &answer, &t.error);
    if (t.r >= 0)
        note("%s", answer);
    free(answer);
    t.done = true;
}

static void test_passthrough_keeps_the_clients_id(void **state) {
    assert_int_equal(
        fiber_start("pass", pass_through, (char *)"{\"execute\":\"q\",\"id\":{\"my\":1}}"), 0);
    expect("{\"execute\":\"q\",\"id\":\"vireo-1\"}");
    say("{\"error\": {\"class\": \"C\", \"desc\": \"d\"}, \"id\": \"vireo-1\"}");
    run_until_done();
    assert_string_equal(t.trace, "{\"error\":{\"class\":\"C\",\"desc\":\"d\"},\"id\":{\"my\":1}}");
}

static void test_passthrough_without_id(void **state) {
    assert_int_equal(fiber_start("pass", pass_through, (char *)"{\"execute\":\"q\"}"), 0);
    expect("{\"execute\":\"q\",\"id\":\"vireo-1\"}");
    say("{\"return\": {\"path\": \"/a\"}, \"id\": \"vireo-1\"}");
    run_until_done();
    assert_string_equal(t.trace, "{\"return\":{\"path\":\"/a\"}}");
}

static void test_passthrough_refuses_what_is_not_one_object(void **state) {
    static const char *const texts[] = {"", "{", "7", "[]", "quit", "{}{\"execute\":\"quit\"}"};

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        t.done = false;
        assert_int_equal(fiber_start("pass", pass_through, (char *)texts[i]), 0);
        run_until_done();
        if (t.r >= 0 || !strstr(t.error->message, "not one JSON object"))
            fail_msg("'%s': %s", texts[i], error_message(t.error));
        error_free(TAKE_PTR(t.error));
    }
    assert_true(monitor_is_open(t.monitor));
}

/* Far more than the socket takes at once: the rest waits for the loop. */
static void test_many_commands(void **state) {
    enum { N = 5000 };
    MonitorReply **replies = calloc(N, sizeof(MonitorReply *));
    size_t n_lines = 0;

    for (int i = 0; i < N; i++) {
        json_object *arguments = json_object_new_object();

        json_object_object_add(arguments, "filler",
                               json_object_new_string("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"));
        replies[i] = queue_command("device_add", arguments);
    }
    assert_int_equal(recv(t.fd, t.input, sizeof(t.input), MSG_DONTWAIT),
                     -1); /* nothing has left yet */
    monitor_flush(t.monitor);
    while (n_lines < N) {
        ssize_t n = recv(t.fd, t.input, sizeof(t.input), MSG_DONTWAIT);

        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++)
            n_lines += t.input[i] == '\n';
        pump();
    }
    for (int i = 0; i < N; i++) {
        CLEANUP_FREE char *text = strf("{\"return\": %d, \"id\": \"vireo-%d\"}\r\n", i, i + 1);

        say(text);
        assert_true(replies[i]->done);
        assert_int_equal(json_object_get_int(replies[i]->value), i);
        monitor_reply_free(replies[i]);
    }
    free(replies);
}

/* ---- the human monitor ---- */

static void run_human(void *userdata) {
    CLEANUP_FREE char *answer = NULL;

    t.r = monitor_run_human(t.monitor, "info x", userdata ? 3 : -1, deadline_in(SOON), &answer,
                            &t.error);
    if (t.r >= 0)
        note("%s ", answer);
    t.done = true;
}

static void test_human_monitor(void **state) {
    assert_int_equal(fiber_start("human", run_human, NULL), 0);
    expect("{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"info x\"},"
           "\"id\":\"vireo-1\"}");
    say("{\"return\": \"yes\", \"id\": \"vireo-1\"}");
    run_until_done();
    assert_int_equal(t.r, 0);
    assert_string_equal(t.trace, "yes ");
    t.done = false;
    assert_int_equal(fiber_start("human", run_human, &t), 0);
    expect("{\"execute\":\"human-monitor-command\",\"arguments\":{\"command-line\":\"info x\","
           "\"cpu-index\":3},\"id\":\"vireo-2\"}");
    say("{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"gone\"}, "
        "\"id\": \"vireo-2\"}");
    run_until_done();
    assert_true(t.r < 0);
    assert_int_equal(t.error->code, ERROR_OPERATION_UNSUPPORTED);
    assert_non_null(strstr(t.error->message, "this QEMU has no human monitor"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_handshake),
        TEST(test_no_greeting),
        TEST(test_hang_up_before_the_greeting),
        TEST(test_hang_up_in_the_handshake),
        TEST(test_pipelined_commands),
        TEST(test_error_reply),
        TEST(test_odd_error_replies),
        TEST(test_events_keep_their_place),
        TEST(test_byte_by_byte),
        TEST(test_stray_replies_are_ignored),
        TEST(test_garbage_closes),
        TEST(test_nul_closes),
        TEST(test_an_array_closes),
        TEST(test_bad_json_closes),
        TEST(test_depth_is_limited),
        TEST(test_reply_that_is_too_large_ends_its_command_only),
        TEST(test_reply_that_is_too_large_is_a_sentence),
        TEST(test_reasons_of_the_end),
        TEST(test_hang_up_in_a_reply),
        TEST(test_killed_with_commands_unread),
        TEST(test_dropped_reply),
        TEST(test_deadline),
        TEST(test_free_wakes_the_waiting),
        TEST(test_run),
        TEST(test_run_and_hang_up),
        TEST(test_passthrough_keeps_the_clients_id),
        TEST(test_passthrough_without_id),
        TEST(test_passthrough_refuses_what_is_not_one_object),
        TEST(test_many_commands),
        TEST(test_human_monitor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
