/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CPU lists: text, wire bytes, set operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "util/bitmap.h"

static void test_parse_evaluates_left_to_right(void **data) {
    static const struct {
        const char *text, *canonical;
        int result;
    } rows[] = {{"0-4,^2", "0-1,3-4", 0},
                {"0,^0", "", 0},
                {"^2,0-4", "0-4", 0},
                {" 1 , 3 ", "1,3", 0},
                {"", "", 0},
                {"7", "7", 0},
                {"3-1", NULL, -EINVAL},
                {"1,", "1", 0},
                {"a", NULL, -EINVAL},
                {"1-", NULL, -EINVAL},
                {"-1", NULL, -EINVAL},
                {"16384", NULL, -ERANGE},
                {"1 2", NULL, -EINVAL},
                {"99999999999", NULL, -ERANGE}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_BITMAP Bitmap *map = NULL;
        CLEANUP_FREE char *text = NULL;

        assert_int_equal(bitmap_parse(rows[i].text, BITMAP_MAX_BITS, &map), rows[i].result);
        if (rows[i].result == 0) {
            text = bitmap_format(map);
            assert_string_equal(text, rows[i].canonical);
        }
    }
}

static void test_bytes_are_least_significant_bit_first(void **data) {
    CLEANUP_BITMAP Bitmap *map = NULL, *back = NULL;
    uint8_t bytes[2];

    assert_int_equal(bitmap_parse("0,3,9,40", BITMAP_MAX_BITS, &map), 0);
    bitmap_to_bytes(map, bytes, sizeof(bytes));
    assert_int_equal(bytes[0], 0x09);
    assert_int_equal(bytes[1], 0x02);
    assert_int_equal(bitmap_from_bytes(bytes, sizeof(bytes), &back), 0);
    assert_true(bitmap_is_subset(back, map));
    assert_false(bitmap_equal(back, map)); /* 40 was beyond the bytes */
    assert_int_equal(bitmap_count(back), 3);
    assert_int_equal(bitmap_last(map), 40);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_evaluates_left_to_right),
        cmocka_unit_test(test_bytes_are_least_significant_bit_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
