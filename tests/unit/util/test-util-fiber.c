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
    assert_int_equal(worker_init(3), 0);
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

typedef struct Queued {
    FiberCond *cond;
    const char *name;
    uint64_t deadline;
} Queued;

static void queue_up(void *userdata) {
    const Queued *own = userdata;

    if (fiber_cond_wait(own->cond, own->deadline) < 0)
        note("-");
    note(own->name);
}

static void signal_twice_then_all(void *userdata) {
    FiberCond *cond = userdata;
    Queued last = {cond, "f", USEC_FOREVER};

    while (!strstr(trace, "-b") || !strstr(trace, "-e"))
        fiber_sleep(USEC_PER_MSEC);
    fiber_start(last.name, queue_up, &last);
    fiber_yield();
    fiber_cond_signal(cond);
    fiber_yield();
    note(".");
    fiber_cond_signal(cond);
    fiber_yield();
    note(".");
    fiber_cond_broadcast(cond);
    fiber_yield();
}

/* Whoever came first is woken first, also when some in the middle and at the end gave up. */
static void test_waiters_are_in_a_row(void **data) {
    FiberCond cond = {0};
    const uint64_t soon = deadline_in(5 * USEC_PER_MSEC);
    Queued all[] = {{&cond, "a", USEC_FOREVER},
                    {&cond, "b", soon},
                    {&cond, "c", USEC_FOREVER},
                    {&cond, "d", USEC_FOREVER},
                    {&cond, "e", soon}};

    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        fiber_start(all[i].name, queue_up, &all[i]);
    fiber_start("signals", signal_twice_then_all, &cond);
    run_until_idle();
    assert_string_equal(trace + 4, "a.c.df");
    fiber_cond_done(&cond);
    assert_null(cond.last);
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

/* ---- at once, and in turns ---- */

static void second(void *userdata) {
    note("2");
}

static void first(void *userdata) {
    Fiber *fiber = NULL;

    note("1");
    assert_int_equal(fiber_new("second", second, NULL, &fiber), 0);
    fiber_run_now(fiber);
    note("-"); /* on a fiber it waits for its turn */
    fiber_yield();
    note("!");
}

static void test_one_runs_at_once(void **data) {
    Fiber *fiber = NULL;

    assert_int_equal(fiber_start("later", second, NULL), 0);
    assert_int_equal(fiber_new("first", first, NULL, &fiber), 0);
    fiber_run_now(fiber);
    assert_string_equal(trace, "1-");
    run_until_idle();
    assert_string_equal(trace, "1-22!");
}

static void busy(void *userdata) {
    const uint64_t end = now_usec() + USEC_PER_MSEC;

    while (now_usec() < end)
        ;
    note("b");
}

static int on_turn(sd_event_source *source, uint64_t usec, void *userdata) {
    note("t");
    return 0;
}

/* A timer that is due comes between two of many busy fibers, not after the last. */
static void test_many_busy_fibers_leave_turns(void **data) {
    sd_event_source *timer = NULL;

    for (int i = 0; i < 20; i++)
        assert_int_equal(fiber_start("busy", busy, NULL), 0);
    assert_true(sd_event_add_time_relative(fiber_event(), &timer, CLOCK_MONOTONIC, 0, 1, on_turn,
                                           NULL) >= 0);
    run_until_idle();
    assert_int_equal(strlen(trace), 21);
    assert_true(strchr(trace, 't') < trace + 5);
    sd_event_source_disable_unref(timer);
}

/* ---- workers ---- */

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

typedef struct Item {
    int n_done;
} Item;

static int do_item(void *arg) {
    usleep(500);
    ((Item *)arg)->n_done++;
    return 0;
}

static void use_workers(void *items) {
    worker_run_each(do_item, items, sizeof(Item), 20);
    note("x");
}

/* By several threads, or one after the other beside somebody who has them: each once. */
static void test_each_item_is_done_once(void **data) {
    static Item of_a[20], of_b[20];

    worker_run_each(do_item, of_a, sizeof(Item), 0);
    fiber_start("a", use_workers, of_a);
    fiber_start("b", use_workers, of_b);
    run_until_idle();
    assert_string_equal(trace, "xx");
    for (size_t i = 0; i < ARRAY_SIZE(of_a); i++)
        assert_true(of_a[i].n_done == 1 && of_b[i].n_done == 1);
}

#define N_FIBERS 64
#define N_WORKS 200

static int add_one(void *arg) {
    ++*(int *)arg;
    return *(int *)arg;
}

static void work_often(void *n_wrong) {
    int value = 0;

    for (int i = 1; i <= N_WORKS; i++)
        if (worker_run(add_one, &value) != i)
            ++*(int *)n_wrong;
}

/* Handed over in both directions without a lock: nothing is lost or comes twice. */
static void test_many_works_each_come_back_once(void **data) {
    WorkerCounts counts;
    int n_wrong = 0;

    for (int i = 0; i < N_FIBERS; i++)
        assert_int_equal(fiber_start("often", work_often, &n_wrong), 0);
    run_until_idle();
    counts = worker_counts();
    assert_int_equal(n_wrong, 0);
    assert_int_equal(counts.n_waiting, 0);
    assert_int_equal(counts.n_free, counts.n_threads);
}

static unsigned n_noise;

static int on_noise(sd_event_source *source, void *userdata) {
    n_noise++;
    return 0;
}

/* Something that is always ready does not keep fibers from their turn. */
static void test_noise_leaves_fibers_turns(void **data) {
    sd_event_source *noise = NULL;

    n_noise = 0;
    assert_true(sd_event_add_defer(fiber_event(), &noise, on_noise, NULL) >= 0);
    assert_true(sd_event_source_set_enabled(noise, SD_EVENT_ON) >= 0);
    assert_int_equal(fiber_start("first", first, NULL), 0);
    run_until_idle();
    assert_string_equal(trace, "1-2!");
    assert_in_range(n_noise, 1, 100);
    sd_event_source_disable_unref(noise);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_wake_posts_and_does_not_switch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wait_ends_at_its_deadline, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_waiters_are_in_a_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_thousand_fibers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_runs_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_busy_fibers_leave_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_works_each_come_back_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_noise_leaves_fibers_turns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_worker_lets_others_run, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_item_is_done_once, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
