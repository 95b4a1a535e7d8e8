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
    added.props = json_tokener_parse("{\"socket-id\":4095,\"core-id\":0}");
    assert_non_null(added.props);
    failing_sweep("device_add", send_plug, &added);
    failing_sweep("cpu-add", send_plug, &by_id);
    failing_sweep("device_del", send_unplug, &added);
    failing_sweep("object-add", send_iothread, &iothread);
    json_object_put(added.props);
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
