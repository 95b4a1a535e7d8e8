/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests to a QEMU made while an allocation fails: a line is sent whole or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "failing.h"
#include "qemu/command-line.h"
#include "qemu/monitor.h"
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

static int send_device(void *userdata, char **ret) {
    MonitorReply *reply = NULL;
    json_object *arguments;
    int r = -ENOMEM;

    failing_begin();
    arguments = json_object_new_object();
    if (arguments && json_add_string(arguments, "driver", LONG) >= 0 &&
        json_add_int(arguments, "socket-id", 4095) >= 0)
        r = monitor_send(monitor, "device_add", arguments, &reply);
    else
        json_object_put(arguments);
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
    sd_event *loop = NULL;
    int fds[2];

    assert_int_equal(sd_event_new(&loop), 0);
    assert_int_equal(fiber_init(loop), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    peer = fds[1];
    assert_int_equal(monitor_new(fds[0], LONG, NULL, NULL, &monitor), 0);
    failing_sweep("device_add", send_device, NULL);
    failing_sweep("object-add", send_iothread, &iothread);
    monitor_free(monitor);
    close(peer);
    fiber_shutdown();
    sd_event_unref(loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_is_whole_or_not_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
