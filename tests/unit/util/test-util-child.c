/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs that are run: output, status, environment, limits, the deadline; the loop goes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/child.h"
#include "util/fiber.h"
#include "util/worker.h"

typedef struct Run {
    const char *const *argv;
    uint64_t usec;
    ChildResult result;
    Error *error;
    int r;
    bool ended;
} Run;

static void run(void *userdata) {
    Run *run = userdata;

    run->r = child_run(run->argv, run->usec ? deadline_in(run->usec) : USEC_FOREVER, &run->result);
    run->ended = true;
}

static void run_checked(void *userdata) {
    Run *run = userdata;

    run->r = child_run_checked(run->argv, USEC_FOREVER, "its-package", "cannot do it",
                               &run->result.out, &run->error);
    run->ended = true;
}

static void finish(void) {
    while (fiber_count() > 0)
        assert_true(sd_event_run(fiber_event(), UINT64_MAX) >= 0);
}

static void carry_out(FiberFunc func, Run *run) {
    assert_int_equal(fiber_start("run", func, run), 0);
    finish();
    assert_true(run->ended);
}

static int set_up(void **data) {
    sd_event *event = NULL;

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

static void test_both_outputs_and_the_status(void **data) {
    const char *const argv[] = {"sh", "-c", "cat; echo out; echo err >&2; exit 3", NULL};
    Run child = {.argv = argv};

    carry_out(run, &child);
    assert_int_equal(child.r, 0);
    assert_string_equal(child.result.out, "out\n");
    assert_string_equal(child.result.err, "err\n");
    assert_true(WIFEXITED(child.result.status));
    assert_int_equal(WEXITSTATUS(child.result.status), 3);
    child_result_done(&child.result);
}

static void test_a_signal_is_told(void **data) {
    const char *const argv[] = {"sh", "-c", "kill -9 $$", NULL};
    Run child = {.argv = argv};

    carry_out(run, &child);
    assert_int_equal(child.r, 0);
    assert_true(WIFSIGNALED(child.result.status));
    assert_int_equal(WTERMSIG(child.result.status), 9);
    child_result_done(&child.result);
}

/* Nothing of ours: neither the variables, nor the directory, nor a descriptor. */
static void test_what_it_inherits(void **data) {
    const char *const argv[] = {"sh", "-c", "echo ${SECRET-none} $PWD; ls /proc/self/fd | wc -w",
                                NULL};
    Run child = {.argv = argv};
    int fds[2];

    setenv("SECRET", "x", 1);
    assert_int_equal(pipe(fds), 0);
    carry_out(run, &child);
    assert_string_equal(child.result.out, "none /\n4\n"); /* ls has the directory open itself */
    child_result_done(&child.result);
    close(fds[0]);
    close(fds[1]);
}

static void test_one_that_is_not_there(void **data) {
    const char *const argv[] = {"vireo-no-such-program", NULL};
    Run child = {.argv = argv};

    carry_out(run, &child);
    assert_int_equal(child.r, -ENOENT);
    child.ended = false;
    carry_out(run_checked, &child);
    assert_int_equal(child.error->code, ERROR_CONFIG_UNSUPPORTED);
    assert_non_null(strstr(child.error->message, "install its-package"));
    error_free(child.error);
}

static void test_the_deadline_kills_it(void **data) {
    const char *const argv[] = {"sleep", "1000", NULL};
    Run child = {.argv = argv, .usec = 50 * USEC_PER_MSEC};

    carry_out(run, &child);
    assert_int_equal(child.r, -ETIMEDOUT);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie either */
}

static void test_too_much_output(void **data) {
    const char *const argv[] = {"yes", NULL};
    Run child = {.argv = argv};

    carry_out(run, &child);
    assert_int_equal(child.r, -EFBIG);
}

static void test_the_last_line_is_the_reason(void **data) {
    const char *const argv[] = {"sh", "-c", "echo first >&2; echo the reason >&2; exit 1", NULL};
    Run child = {.argv = argv};

    carry_out(run_checked, &child);
    assert_int_equal(child.error->code, ERROR_OPERATION_FAILED);
    assert_non_null(strstr(child.error->message, "cannot do it: the reason"));
    assert_null(strchr(child.error->message, '\n'));
    error_free(child.error);
}

static void touch(void *userdata) {
    *(bool *)userdata = true;
}

static void test_others_go_on_meanwhile(void **data) {
    const char *const argv[] = {"sh", "-c", "read line; sleep 1000", NULL};
    Run child = {.argv = argv, .usec = 300 * USEC_PER_MSEC};
    bool touched = false;

    assert_int_equal(fiber_start("run", run, &child), 0);
    assert_int_equal(fiber_start("other", touch, &touched), 0);
    while (!touched)
        assert_true(sd_event_run(fiber_event(), UINT64_MAX) >= 0);
    assert_false(child.ended);
    finish();
    assert_int_equal(child.r, -ETIMEDOUT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_both_outputs_and_the_status, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_signal_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_it_inherits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_that_is_not_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_deadline_kills_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_too_much_output, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_last_line_is_the_reason, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_others_go_on_meanwhile, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
