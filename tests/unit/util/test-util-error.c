/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The error object: words, numbers, replacement, prefixes, ownership. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "util/error.h"

static void test_report(void **state) {
    CLEANUP_ERROR Error *error = NULL;

    assert_int_equal(error_report(&error, FROM_QEMU, ERROR_NO_DOMAIN, "no %d", 7), -ENOENT);
    assert_int_equal(error->code, ERROR_NO_DOMAIN);
    assert_int_equal(error->from, FROM_QEMU);
    assert_string_equal(error->message, "Domain not found: no 7");
    assert_int_equal(error->int1, -1);
}

/* A detail with a % in it is text, not a format. */
static void test_percent_in_the_detail(void **state) {
    CLEANUP_ERROR Error *error = NULL;

    error_report(&error, FROM_QEMU, ERROR_INTERNAL, "%s", "100%s %n");
    assert_string_equal(error->message, "internal error: 100%s %n");
}

static void test_the_last_report_stays(void **state) {
    CLEANUP_ERROR Error *error = NULL;

    error_report(&error, FROM_QEMU, ERROR_INTERNAL, "one");
    error_report(&error, FROM_DOMAIN, ERROR_XML, "two");
    assert_string_equal(error->message, "XML error: two");
    assert_int_equal(error->from, FROM_DOMAIN);
}

static void test_nobody_has_to_listen(void **state) {
    assert_int_equal(error_report(NULL, FROM_QEMU, ERROR_OPERATION_TIMEOUT, "x"), -ETIMEDOUT);
    assert_int_equal(error_system(NULL, FROM_QEMU, ENOSPC, "x"), -ENOSPC);
    assert_int_equal(error_no_memory(NULL), -ENOMEM);
    error_prefix(NULL, "x");
    error_free(NULL);
    assert_string_equal(error_message(NULL), "unknown error");
}

static void test_system(void **state) {
    CLEANUP_ERROR Error *error = NULL;

    assert_int_equal(error_system(&error, FROM_NONE, -ENOENT, "cannot open '%s'", "/x"), -ENOENT);
    assert_int_equal(error->code, ERROR_SYSTEM);
    assert_string_equal(error->message, "cannot open '/x': No such file or directory");
}

static void test_no_memory(void **state) {
    CLEANUP_ERROR Error *error = NULL;

    error_report(&error, FROM_QEMU, ERROR_INTERNAL, "before");
    assert_int_equal(error_no_memory(&error), -ENOMEM);
    assert_int_equal(error->code, ERROR_NO_MEMORY);
    assert_string_equal(error->message, "out of memory");
}

static void test_prefix_keeps_the_code(void **state) {
    CLEANUP_ERROR Error *error = NULL, *none = NULL;

    error_report(&error, FROM_QEMU, ERROR_RESOURCE_BUSY, "in use");
    error_prefix(&error, "domain '%s'", "d");
    assert_int_equal(error->code, ERROR_RESOURCE_BUSY);
    assert_string_equal(error->message, "domain 'd': resource busy: in use");
    error_prefix(&none, "x");
    assert_null(none);
}

static void test_propagate(void **state) {
    CLEANUP_ERROR Error *error = NULL;
    Error *inner = NULL;

    error_report(&inner, FROM_QEMU, ERROR_DEVICE_MISSING, "vcpu3");
    assert_int_equal(error_propagate(&error, inner), -ENODEV);
    assert_ptr_equal(error, inner);
    inner = NULL;
    error_report(&inner, FROM_QEMU, ERROR_INTERNAL, "dropped");
    assert_int_equal(error_propagate(NULL, inner), -EIO); /* frees it: LeakSanitizer watches */
}

/* What a C caller branches on. */
static void test_errno_of_codes(void **state) {
    static const struct {
        ErrorCode code;
        int errnum;
    } rows[] = {{ERROR_NO_MEMORY, ENOMEM},       {ERROR_INVALID_ARG, EINVAL},
                {ERROR_NO_DOMAIN, ENOENT},       {ERROR_OPERATION_TIMEOUT, ETIMEDOUT},
                {ERROR_RESOURCE_BUSY, EBUSY},    {ERROR_OPERATION_ABORTED, ECANCELED},
                {ERROR_OPERATION_DENIED, EPERM}, {ERROR_CONFIG_UNSUPPORTED, EOPNOTSUPP},
                {ERROR_DEVICE_MISSING, ENODEV}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(error_to_errno(rows[i].code), -rows[i].errnum);
}

static void test_raw(void **state) {
    CLEANUP_ERROR Error *error = NULL;

    error_set_raw(&error, FROM_RPC, ERROR_RPC, "authentication required");
    assert_string_equal(error->message, "authentication required");
    error_set_raw(&error, FROM_RPC, (ErrorCode)4711, NULL);
    assert_non_null(error->message);
    assert_true(error_to_errno((ErrorCode)4711) < 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_percent_in_the_detail),
        cmocka_unit_test(test_the_last_report_stays),
        cmocka_unit_test(test_nobody_has_to_listen),
        cmocka_unit_test(test_system),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_prefix_keeps_the_code),
        cmocka_unit_test(test_propagate),
        cmocka_unit_test(test_errno_of_codes),
        cmocka_unit_test(test_raw),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
