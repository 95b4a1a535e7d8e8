/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What goes to a QEMU and comes from it while an allocation fails: a line is sent whole or not at
 * all, an answer is whole, or whoever waits for it is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "failing.h"
#include "qemu/command-line.h"
#include "qemu/monitor.h"
#include "qemu/vcpu-map.h"
#include "util/file.h"
#include "util/json.h"

#define LONG "a-name-that-is-longer-than-any-buffer-that-somebody-began-with-0123456789"

static Monitor *monitor;
static int peer;

/* What has come, without the id, which is another each time; NULL: nothing. Caller frees. */
static char *received(void) {
    char line[4096];
    ssize_t n;

    monitor_flush(monitor);
    n = recv(peer, line, sizeof(line) - 1, MSG_DONTWAIT);
    if (n <= 0)
        return NULL;
    line[n] = '\0';
    assert_string_equal(line + n - 3, "}\r\n");
    *strstr(line, ",\"id\":") = '\0';
    return strdup(line);
}

static int take_line(int r, MonitorReply *reply, char **ret) {
    *ret = received();
    if (r < 0)
        assert_null(*ret);
    monitor_reply_free(reply);
    return r;
}

/* A vCPU is plugged, with the properties that QEMU named. */
static int send_plug(void *entity, char **ret) {
    MonitorReply *reply = NULL;
    json_object *arguments;
    const char *command;
    int r = -ENOMEM;

    failing_begin();
    arguments = vcpu_entity_plug_command(entity, &command);
    if (arguments)
        r = monitor_send(monitor, command, arguments, &reply);
    failing_end();
    return take_line(r, reply, ret);
}

static int send_unplug(void *entity, char **ret) {
    MonitorReply *reply = NULL;
    json_object *arguments;
    int r = -ENOMEM;

    failing_begin();
    arguments = vcpu_entity_device_del(entity);
    if (arguments)
        r = monitor_send(monitor, "device_del", arguments, &reply);
    failing_end();
    return take_line(r, reply, ret);
}

static int send_iothread(void *iothread, char **ret) {
    MonitorReply *reply = NULL;
    json_object *arguments;
    int r = -ENOMEM;

    failing_begin();
    arguments = qemu_iothread_object(iothread);
    if (arguments)
        r = monitor_send(monitor, "object-add", arguments, &reply);
    failing_end();
    return take_line(r, reply, ret);
}

static void test_a_line_is_whole_or_not_sent(void **state) {
    IothreadDef iothread = {.id = 1};
    VcpuEntity added = {.first_id = 3, .n_vcpus = 1, .type = LONG, .alias = LONG},
               by_id = {.first_id = 3, .n_vcpus = 1, .cpu_add = true};
    sd_event *loop = NULL;
    int fds[2];

    assert_int_equal(sd_event_new(&loop), 0);
    assert_int_equal(fiber_init(loop), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    peer = fds[1];
    assert_int_equal(monitor_new(fds[0], LONG, NULL, NULL, &monitor), 0);
    added.props = (char[]){"{\"socket-id\":4095,\"core-id\":0}"};
    assert_non_null(added.props);
    failing_sweep("device_add", send_plug, &added);
    failing_sweep("cpu-add", send_plug, &by_id);
    failing_sweep("device_del", send_unplug, &added);
    failing_sweep("object-add", send_iothread, &iothread);
    monitor_free(monitor);
    close(peer);
    fiber_shutdown();
    sd_event_unref(loop);
}

/* ---- what comes ---- */

#define ANSWER "{\"return\": {\"path\": \"" LONG "\"}, \"id\": \"vireo-1\"}\r\n"
#define REFUSAL                                                                                    \
    "{\"error\": {\"class\": \"GenericError\", \"desc\": \"" LONG "\"}, \"id\": \"vireo-1\"}\r\n"
#define EVENT "{\"event\": \"E\", \"data\": {\"path\": \"" LONG "\"}, \"timestamp\": {}}\r\n"

static char told[200]; /* of the event */
static bool was_closed;

static void on_event(Monitor *from, const char *name, json_object *data, int64_t seconds,
                     int64_t microseconds, void *userdata) {
    snprintf(told, sizeof(told), "%s:%s", name, json_member_string(data, "path"));
}

static void on_closed(Monitor *from, int error, void *userdata) {
    was_closed = true;
}

static const MonitorOps ops = {.event = on_event, .closed = on_closed};

static void say(const char *text) {
    assert_int_equal(send(peer, text, strlen(text), 0), strlen(text));
}

static void connect_anew(void) {
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    peer = fds[1];
    was_closed = false;
    assert_int_equal(monitor_new(fds[0], LONG, &ops, NULL, &monitor), 0);
}

static void disconnect(void) {
    monitor_free(monitor);
    close(peer);
    *told = '\0';
}

/* The event and the answer, or who waits has an error and the owner of the monitor knows that it
 * was closed: with what json-c says of a text that it has no memory for, too. */
static int take_answer(void *userdata, char **ret) {
    CLEANUP(monitor_reply_freep) MonitorReply *reply = NULL;
    int r;

    connect_anew();
    assert_int_equal(monitor_send(monitor, "query", NULL, &reply), 0);
    free(received());
    say(userdata);
    failing_begin();
    sd_event_run(fiber_event(), 0);
    failing_end();
    while (!reply->done)
        assert_true(sd_event_run(fiber_event(), 30 * USEC_PER_SEC) > 0);
    r = reply->error;
    assert_true(r >= 0 || !reply->value);
    assert_true(was_closed == !monitor_is_open(monitor));
    if (r >= 0)
        *ret = strf("%s%s%s%s", told, json_object_to_json_string(reply->value),
                    reply->error_class ? reply->error_class : "",
                    reply->error_desc ? reply->error_desc : "");
    disconnect();
    return r == -EBADMSG ? -ENOMEM : r;
}

typedef struct Passing {
    const char *json;
    char *answer;
    int r;
    bool done;
} Passing;

static void pass(void *userdata) {
    Passing *passing = userdata;
    CLEANUP_ERROR Error *error = NULL;

    failing_begin();
    passing->r = monitor_passthrough(monitor, passing->json, deadline_in(30 * USEC_PER_SEC),
                                     &passing->answer, &error);
    failing_end();
    if (passing->r < 0 && (!monitor_is_open(monitor) || error->code == ERROR_NO_MEMORY))
        passing->r = -ENOMEM;
    passing->done = true;
}

static int pass_through(void *json, char **ret) {
    Passing passing = {.json = json};
    bool is_answered = false;

    connect_anew();
    assert_int_equal(fiber_start("pass", pass, &passing), 0);
    while (!passing.done) {
        char line[1024];

        sd_event_run(fiber_event(), 10 * USEC_PER_MSEC);
        if (!is_answered && recv(peer, line, sizeof(line), MSG_DONTWAIT) > 0) {
            is_answered = true;
            say(ANSWER);
        }
    }
    *ret = passing.answer;
    disconnect();
    return passing.r;
}

static void test_an_answer_is_whole_or_an_error(void **state) {
    sd_event *loop = NULL;

    assert_int_equal(sd_event_new(&loop), 0);
    assert_int_equal(fiber_init(loop), 0);
    failing_sweep("an answer", take_answer, (char *)EVENT ANSWER);
    failing_sweep("a refusal", take_answer, (char *)EVENT REFUSAL);
    failing_sweep("without an id", pass_through, (char *)"{\"execute\":\"q\"}");
    failing_sweep("with an id", pass_through, (char *)"{\"execute\":\"q\",\"id\":{\"my\":1}}");
    fiber_shutdown();
    sd_event_unref(loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_is_whole_or_not_sent),
        cmocka_unit_test(test_an_answer_is_whole_or_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
