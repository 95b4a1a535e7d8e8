/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of an operation: its outcome, and words for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "domain/operation-log.h"

/* A client may cancel what is just being settled: it was told so, and that stands. */
static void test_first_outcome_counts(void **state) {
    const VcpuRequest request = {.count = 2};
    CLEANUP(operation_unrefp) Operation *operation = operation_alloc(7, "d", &request);

    assert_non_null(operation);
    operation_set_state(operation, OPERATION_PENDING, "waiting for the guest");
    assert_false(operation_has_ended(operation));
    operation_set_state(operation, OPERATION_CANCELLED, "nobody wants it");
    operation_set_state(operation, OPERATION_DONE, NULL);
    assert_int_equal(operation->state, OPERATION_CANCELLED);
    assert_string_equal(operation->detail, "nobody wants it");
}

static void test_words(void **state) {
    const VcpuRequest count = {.count = 4};
    const VcpuRequest single = {.single = true, .ids = (char *)"2-3", .enable = true};
    CLEANUP(operation_unrefp) Operation *a = operation_alloc(1, "d", &count);
    CLEANUP(operation_unrefp) Operation *b = operation_alloc(2, "d", &single);
    CLEANUP_FREE char *of_a = NULL, *of_b = NULL;

    a->live = a->config = b->live = true;
    of_a = operation_describe(a);
    of_b = operation_describe(b);
    assert_string_equal(of_a, "setvcpus 4 --live --config");
    assert_string_equal(of_b, "setvcpu 2-3 --enable --live");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_outcome_counts),
        cmocka_unit_test(test_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
