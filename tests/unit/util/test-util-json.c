/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON members read with fallbacks, failed allocations never become null. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "failing.h"
#include "util/json.h"

static json_object *parse(const char *text) {
    json_object *value = NULL;

    assert_int_equal(json_parse(text, strlen(text), &value), 0);
    return value;
}

static void test_member_of_another_type_is_missing(void **data) {
    CLEANUP_JSON json_object *object = parse(
        "{\"s\":\"x\",\"i\":7,\"b\":true,\"n\":null,\"a\":[1]}");

    assert_string_equal(json_member_string(object, "s"), "x");
    assert_null(json_member_string(object, "i"));
    assert_null(json_member_string(object, "gone"));
    assert_int_equal(json_member_int(object, "i", -1), 7);
    assert_int_equal(json_member_int(object, "s", -1), -1);
    assert_int_equal(json_member_uint(object, "b", 3), 3);
    assert_true(json_member_bool(object, "b", false));
    assert_true(json_member_bool(object, "n", true));
    assert_int_equal(json_length(json_member(object, "a")), 1);
    assert_int_equal(json_length(object), 0);
    assert_null(json_member(NULL, "s"));
    assert_null(json_member(json_member(object, "a"), "s"));
}

static void test_null_of_a_constructor_is_no_memory(void **data) {
    CLEANUP_JSON json_object *object = json_object_new_object(), *array = json_object_new_array();
    CLEANUP_FREE char *text = NULL;

    assert_int_equal(json_add(object, "a", NULL), -ENOMEM);
    assert_int_equal(json_append(array, NULL), -ENOMEM);
    assert_null(json_member(object, "a"));
    assert_int_equal(json_add_string(object, "path", "/a"), 0);
    assert_int_equal(json_add_uint(object, "u", UINT64_MAX), 0);
    assert_int_equal(json_append_string(array, "x"), 0);
    assert_int_equal(json_add(object, "list", TAKE_PTR(array)), 0);
    assert_int_equal(json_add_bool(object, "b", false), 0);
    assert_int_equal(json_add_int(object, "i", -3), 0);
    text = json_text(object);
    assert_string_equal(text, "{\"path\":\"/a\",\"u\":18446744073709551615,\"list\":[\"x\"],"
                              "\"b\":false,\"i\":-3}");
}

static void test_what_is_not_one_value_is_refused(void **data) {
    static const char *const rows[] = {"",     " ",        "{",   "{}{}",    "{} x",
                                       "[1,]", "\"\xff\"", "nul", "{\"a\":}"};
    char deep[2 * JSON_DEPTH_MAX + 2];
    json_object *value;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        value = NULL;
        assert_int_equal(json_parse(rows[i], strlen(rows[i]), &value), -EBADMSG);
        assert_null(value);
    }
    memset(deep, '[', JSON_DEPTH_MAX + 1);
    memset(deep + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    assert_int_equal(json_parse(deep, sizeof(deep), &value), -EBADMSG);
    json_object_put(parse(" {\"a\": [1, 2]} \r\n"));
}

/* Long texts, for which json-c's own buffers would have to grow. */
#define LONG "0123456789012345678901234567890123456789012345678901234567890123456789"

static const char sample[] = "{\"" LONG "\":\"" LONG
                             "\",\"list\":[1,-2,18446744073709551615,1.50,true,"
                             "null,{\"a\":\"" LONG LONG "\"}],\"e\":\"\\u0001\\t\\\"\\\\/\"}";

static int write_sample(void *object, char **ret) {
    failing_begin();
    *ret = json_text(object);
    failing_end();
    return *ret ? 0 : -ENOMEM;
}

static void test_a_text_is_whole_or_none(void **data) {
    CLEANUP_JSON json_object *object = parse(sample);
    CLEANUP_FREE char *text = json_text(object);

    assert_string_equal(text, sample);
    failing_sweep("writing", write_sample, object);
}

static int read_sample(void *text, char **ret) {
    CLEANUP_JSON json_object *object = NULL;
    int r;

    failing_begin();
    r = json_parse(text, strlen(text), &object);
    failing_end();
    *ret = r < 0 ? NULL : json_text(object);
    return r;
}

static void test_what_is_read_is_whole_or_none(void **data) {
    failing_sweep("reading", read_sample, (void *)sample);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_member_of_another_type_is_missing),
        cmocka_unit_test(test_null_of_a_constructor_is_no_memory),
        cmocka_unit_test(test_what_is_not_one_value_is_refused),
        cmocka_unit_test(test_a_text_is_whole_or_none),
        cmocka_unit_test(test_what_is_read_is_whole_or_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
