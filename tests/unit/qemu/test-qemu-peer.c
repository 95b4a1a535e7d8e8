/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The scripted QEMU itself: what stands first in a script reaches the monitor first. A fiber that
 * waits for an answer goes on from the loop, after an event that came with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "qemu/monitor.h"
#include "qmp-peer.h"

#define DEADLINE deadline_in(30 * USEC_PER_SEC)

static struct {
    QmpPeer *peer;
    Monitor *monitor;
    char trace[400];
} t;

static void note(const char *text) {
    size_t used = strlen(t.trace);

    snprintf(t.trace + used, sizeof(t.trace) - used, "%s ", text);
}

static void on_event(Monitor *monitor, const char *name, json_object *data, int64_t seconds,
                     int64_t microseconds, void *userdata) {
    note(name);
}

static void on_closed(Monitor *monitor, int error, void *userdata) {
    note("closed");
}

static const MonitorOps ops = {.event = on_event, .closed = on_closed};

static void run(const char *execute) {
    CLEANUP_ERROR Error *error = NULL;

    note(monitor_run(t.monitor, execute, NULL, DEADLINE, NULL, &error) < 0 ? "failed" : "answered");
}

static void talk(void *userdata) {
    qmp_peer_event(t.peer, "EARLY", NULL);
    qmp_peer_expect(t.peer, "stop", "{}");
    qmp_peer_event(t.peer, "LATE", "{'a':1}");
    qmp_peer_expect_error(t.peer, "cont", "GenericError", "no");
    qmp_peer_expect_silent(t.peer, "quit");
    qmp_peer_event(t.peer, "BETWEEN", NULL);
    qmp_peer_answer(t.peer, "{}");
    qmp_peer_expect_silent(t.peer, "system_reset");
    qmp_peer_hang_up(t.peer);
    run("stop");
    run("cont");
    run("quit");
    run("system_reset");
    qmp_peer_wait(t.peer);
    sd_event_exit(fiber_event(), 0);
}

static void test_order(void **state) {
    assert_int_equal(fiber_start("talk", talk, NULL), 0);
    assert_int_equal(sd_event_loop(fiber_event()), 0);
    assert_string_equal(t.trace, "EARLY LATE answered failed BETWEEN answered closed failed ");
    assert_int_equal(qmp_peer_count(t.peer, "stop"), 1);
}

static int set_up(void **state) {
    sd_event *event = NULL;
    int fd;

    if (sd_event_default(&event) < 0 || fiber_init(event) < 0)
        return -1;
    t.peer = qmp_peer_new(&fd);
    return monitor_new(fd, "peer", &ops, NULL, &t.monitor);
}

static int tear_down(void **state) {
    sd_event *event = sd_event_ref(fiber_event());

    monitor_free(t.monitor);
    qmp_peer_free(t.peer);
    fiber_shutdown();
    sd_event_unref(event);
    sd_event_unref(event);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order)};

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
