/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* I/O errors that come by the thousand: what is new is told at once, what is not once a second. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "domain/io-errors.h"

enum { REPORT = 2, IGNORE = 0 };
#define START (7 * USEC_PER_SEC)

static void test_what_is_new_is_not_held(void **state) {
    IoErrors errors = {0};

    assert_false(io_errors_hold(&errors, "virtio-disk0", REPORT, false, START));
    assert_false(io_errors_hold(&errors, "virtio-disk1", REPORT, false, START));
    assert_false(io_errors_hold(&errors, "virtio-disk0", IGNORE, false, START));
    assert_false(io_errors_hold(&errors, "virtio-disk0", REPORT, true, START));
    assert_false(io_errors_any(&errors));
    assert_true(io_errors_hold(&errors, "virtio-disk0", REPORT, false, START + 1));
    assert_true(io_errors_any(&errors));
    io_errors_done(&errors);
}

static void test_what_is_held_is_told_once(void **state) {
    const uint64_t later = START + IO_ERROR_REPEAT_USEC;
    const IoError *error;
    IoErrors errors = {0};
    unsigned n = 0;

    io_errors_hold(&errors, "sda", REPORT, false, START);
    for (unsigned i = 0; i < 5000; i++)
        assert_true(io_errors_hold(&errors, "sda", REPORT, false, START + i));
    assert_null(io_errors_next(&errors, later - 1, &n));
    error = io_errors_next(&errors, later, &n);
    assert_non_null(error);
    assert_string_equal(error->alias, "sda");
    assert_true(error->action == REPORT && !error->no_space && n == 5000);
    assert_null(io_errors_next(&errors, later, &n));
    assert_false(io_errors_any(&errors));
    /* That was telling it, too. */
    assert_true(io_errors_hold(&errors, "sda", REPORT, false, later + 1));
    assert_false(io_errors_hold(&errors, "sda", REPORT, false, later + IO_ERROR_REPEAT_USEC));
    io_errors_done(&errors);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_new_is_not_held),
        cmocka_unit_test(test_what_is_held_is_told_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
