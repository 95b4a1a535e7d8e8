/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "monitor-world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/socket.h>

#include "util/log.h"

MonitorWorld t;

void note(const char *format, const char *text) {
    size_t used = strlen(t.trace);

    snprintf(t.trace + used, sizeof(t.trace) - used, format, text);
}

static void on_event(Monitor *monitor, const char *name, json_object *data, int64_t seconds,
                     int64_t microseconds, void *userdata) {
    assert_ptr_equal(userdata, &t);
    note("!%s ", name);
    if (data)
        note("%s ", json_object_to_json_string_ext(data, JSON_C_TO_STRING_PLAIN));
    if (seconds)
        assert_int_equal(microseconds, seconds * 2);
}

static void on_closed(Monitor *monitor, int error, void *userdata) {
    note("closed:%s ", error ? strerrorname_np(-error) : "0");
}

const MonitorOps ops = {.event = on_event, .closed = on_closed};

void pump(void) {
    while (sd_event_run(fiber_event(), 0) > 0)
        ;
}

void say(const char *text) {
    assert_int_equal(send(t.fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
    pump();
}

void hang_up(void) {
    close(TAKE_FD(t.fd));
    pump();
}

void expect(const char *line) {
    char *end;
    ssize_t n;

    pump();
    n = recv(t.fd, t.input + t.input_used, sizeof(t.input) - t.input_used - 1, MSG_DONTWAIT);
    if (n > 0)
        t.input_used += n;
    t.input[t.input_used] = '\0';
    end = strstr(t.input, "\r\n");
    if (!end)
        fail_msg("no line, wanted %s", line);
    *end = '\0';
    assert_string_equal(t.input, line);
    t.input_used -= end + 2 - t.input;
    memmove(t.input, end + 2, t.input_used);
}

int set_up(void **state) {
    sd_event *loop = NULL;
    int fds[2];

    memset(&t, 0, sizeof(t));
    log_init(LOG_ERR);
    assert_true(sd_event_new(&loop) >= 0);
    assert_int_equal(fiber_init(loop), 0);
    sd_event_unref(loop);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    t.fd = fds[1];
    assert_int_equal(monitor_new(fds[0], "vm", &ops, &t, &t.monitor), 0);
    return 0;
}

int tear_down(void **state) {
    monitor_free(TAKE_PTR(t.monitor));
    pump();
    assert_int_equal(fiber_count(), 0);
    if (t.fd >= 0)
        close(t.fd);
    error_free(TAKE_PTR(t.error));
    fiber_shutdown();
    return 0;
}

MonitorReply *queue_command(const char *name, json_object *arguments) {
    MonitorReply *reply = NULL;

    assert_int_equal(monitor_send(t.monitor, name, arguments, &reply), 0);
    return reply;
}

MonitorReply *send_command(const char *name, json_object *arguments) {
    MonitorReply *reply = queue_command(name, arguments);

    monitor_flush(t.monitor);
    return reply;
}

void run_until_done(void) {
    while (!t.done)
        assert_true(sd_event_run(fiber_event(), 5 * USEC_PER_SEC) > 0);
}
