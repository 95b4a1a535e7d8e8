/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fibers and the worker pool: order, deadlines, many at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "util/fiber.h"
#include "util/worker.h"

static char trace[4096];

static void note(const char *text) {
    strncat(trace, text, sizeof(trace) - strlen(trace) - 1);
}

static void run_until_idle(void) {
    while (fiber_count() > 0)
        assert_true(sd_event_run(fiber_event(), UINT64_MAX) >= 0);
}

static int set_up(void **data) {
    sd_event *event = NULL;

    trace[0] = '\0';
    assert_true(sd_event_new(&event) >= 0);
    assert_int_equal(fiber_init(event), 0);
    assert_int_equal(worker_init(2), 0);
    sd_event_unref(event);
    return 0;
}

static int tear_down(void **data) {
    worker_shutdown();
    fiber_shutdown();
    return 0;
}

typedef struct Box {
    FiberCond cond;
    bool ready;
    int result;
} Box;

static void waiter(void *userdata) {
    Box *box = userdata;

    note("w");
    while (!box->ready)
        assert_int_equal(fiber_cond_wait(&box->cond, deadline_in(USEC_PER_SEC)), 0);
    note("W");
}

static void waker(void *userdata) {
    Box *box = userdata;

    note("k");
    box->ready = true;
    fiber_cond_broadcast(&box->cond);
    note("K"); /* waking never switches: K comes before W */
}

static void test_wake_posts_and_does_not_switch(void **data) {
    Box box = {0};

    fiber_start("waiter", waiter, &box);
    fiber_start("waker", waker, &box);
    run_until_idle();
    assert_string_equal(trace, "wkKW");
}

static void late(void *userdata) {
    Box *box = userdata;

    box->result = fiber_cond_wait(&box->cond, deadline_in(20 * USEC_PER_MSEC));
}

static void test_wait_ends_at_its_deadline(void **data) {
    Box box = {0};
    uint64_t before = now_usec();

    fiber_start("late", late, &box);
    run_until_idle();
    assert_int_equal(box.result, -ETIMEDOUT);
    assert_true(now_usec() - before >= 20 * USEC_PER_MSEC);
    assert_null(box.cond.first);
}

static void count_up(void *userdata) {
    for (int i = 0; i < 10; i++)
        fiber_yield();
    ++*(int *)userdata;
}

static void test_thousand_fibers(void **data) {
    int n = 0;

    for (int i = 0; i < 1000; i++)
        assert_int_equal(fiber_start("one of many", count_up, &n), 0);
    run_until_idle();
    assert_int_equal(n, 1000);
}

static int slow_work(void *arg) {
    usleep(20000);
    return *(int *)arg + 1;
}

static void use_worker(void *userdata) {
    int value = 41;

    note("(");
    *(int *)userdata = worker_run(slow_work, &value);
    note(")");
}

static void test_worker_lets_others_run(void **data) {
    int result = 0;

    fiber_start("a", use_worker, &result);
    fiber_start("b", use_worker, &result);
    run_until_idle();
    assert_int_equal(result, 42);
    assert_string_equal(trace, "(())");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_wake_posts_and_does_not_switch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wait_ends_at_its_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_thousand_fibers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_worker_lets_others_run, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
