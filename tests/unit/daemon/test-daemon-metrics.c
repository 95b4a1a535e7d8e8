/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When the next scrape is expected, and what a page looks like. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "metrics-page.h"
#include "metrics-sample-internal.h"

#define S USEC_PER_SEC

static void test_one_who_comes_regularly(void **state) {
    const uint64_t gaps[] = {15 * S + 3000, 15 * S - 9000};

    assert_int_equal(sampler_guess(gaps, 2), gaps[0]);
    assert_int_equal(sampler_guess(gaps, 1), 0); /* once is no habit */
    assert_int_equal(sampler_guess(NULL, 0), 0);
}

static void test_two_in_turn(void **state) {
    /* Each every 15 s, one 4 s after the other: the last gap was of 4, so 11 follow. */
    const uint64_t gaps[] = {4 * S, 11 * S, 4 * S + 1000, 11 * S};

    assert_int_equal(sampler_guess(gaps, 4), 11 * S);
    assert_int_equal(sampler_guess(gaps + 1, 3), 4 * S + 1000);
}

static void test_no_habit(void **state) {
    const uint64_t gaps[] = {4 * S, 11 * S, 60 * S, 1 * S};

    assert_int_equal(sampler_guess(gaps, 4), 0);
}

static void test_lines(void **state) {
    static const double bounds[] = {0.5, 1};
    Histogram histogram = {.bounds = bounds, .n_bounds = 2};
    Page page = {0};

    page_add_head(&page, "a", "counter", "What a counts");
    page_add_text(&page, "a{b=\"");
    page_add_escaped(&page, "x\\\"\ny");
    page_add_text(&page, "\"} ");
    page_add_number(&page, UINT64_MAX);
    page_add_text(&page, "\na ");
    page_add_seconds(&page, UINT64_C(12000000034));
    page_add_text(&page, "\n");
    assert_string_equal(page.text, "# HELP a What a counts\n# TYPE a counter\n"
                                   "a{b=\"x\\\\\\\"\\ny\"} 18446744073709551615\n"
                                   "a 12.000000034\n");
    page_done(&page);
    histogram_add(&histogram, 0.5);
    histogram_add(&histogram, 0.75);
    histogram_add(&histogram, 2);
    page_add_histogram(&page, "h", "", &histogram);
    page_add_histogram(&page, "h", "k=\"v\"", &histogram);
    assert_string_equal(page.text, "h_bucket{le=\"0.5\"} 1\nh_bucket{le=\"1\"} 2\n"
                                   "h_bucket{le=\"+Inf\"} 3\nh_sum 3.25\nh_count 3\n"
                                   "h_bucket{k=\"v\",le=\"0.5\"} 1\nh_bucket{k=\"v\",le=\"1\"} 2\n"
                                   "h_bucket{k=\"v\",le=\"+Inf\"} 3\nh_sum{k=\"v\"} 3.25\n"
                                   "h_count{k=\"v\"} 3\n");
    page_done(&page);
}

static void test_a_page_that_grows(void **state) {
    Page page = {0};

    for (unsigned i = 0; i < 20000; i++)
        page_add(&page, "0123456789", 10);
    assert_int_equal(page.used, 200000);
    assert_int_equal(strlen(page.text), 200000);
    assert_false(page.failed);
    page_done(&page);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_who_comes_regularly),
        cmocka_unit_test(test_two_in_turn),
        cmocka_unit_test(test_no_habit),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_a_page_that_grows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
