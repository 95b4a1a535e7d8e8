/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines that others can cause as often as they like are few, and what was left out is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "util/log.h"

#define TIMES 100u

static struct { int fd, saved; } standard_error;

static void begin_capture(void) {
    char path[] = "/tmp/vireo-log.XXXXXX";

    standard_error.fd = mkstemp(path);
    assert_true(standard_error.fd >= 0);
    unlink(path);
    standard_error.saved = dup(STDERR_FILENO);
    dup2(standard_error.fd, STDERR_FILENO);
}

/* The first `size` - 1 bytes that were written since the begin. */
static void end_capture(char *text, size_t size) {
    ssize_t n;

    fflush(stderr);
    dup2(standard_error.saved, STDERR_FILENO);
    n = pread(standard_error.fd, text, size - 1, 0);
    close(standard_error.saved);
    close(standard_error.fd);
    assert_true(n >= 0);
    text[n] = '\0';
}

static unsigned count(const char *text, const char *word) {
    unsigned n = 0;

    for (const char *at = text; (at = strstr(at, word)); at++)
        n++;
    return n;
}

static void test_few_lines_of_one_place(void **state) {
    char text[8192];

    begin_capture();
    for (unsigned i = 0; i < TIMES; i++)
        log_limited(LOG_WARNING, "one place");
    for (unsigned i = 0; i < TIMES; i++)
        log_limited(LOG_WARNING, "other place");
    end_capture(text, sizeof(text));
    assert_int_equal(count(text, "one place"), 5);
    assert_int_equal(count(text, "other place"), 5);
    assert_int_equal(count(text, "left out"), 0);
}

static void test_left_out_is_told_later(void **state) {
    LogLimit limit = {0};
    unsigned n_passed = 0;
    char text[8192];

    begin_capture();
    for (unsigned i = 0; i < TIMES; i++)
        n_passed += log_limit_passes(&limit, LOG_WARNING);
    limit.since = 1; /* a while later; the clock counts from the boot of the host */
    n_passed += log_limit_passes(&limit, LOG_WARNING);
    end_capture(text, sizeof(text));
    assert_int_equal(n_passed, 6);
    assert_int_equal(count(text, "95 lines like the next one were left out"), 1);
    assert_int_equal(limit.n, 1);
    assert_int_equal(limit.n_left_out, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_lines_of_one_place),
        cmocka_unit_test(test_left_out_is_told_later),
    };

    log_init(LOG_INFO);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
