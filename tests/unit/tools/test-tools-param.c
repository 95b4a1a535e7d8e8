/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Typed parameters: text to value by type, and back. */
#include "param.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void check(int kind, const char *text, const char *formatted, const char *json) {
    CLEANUP_FREE char *again = NULL;
    remote_typed_param param;
    json_object *object;

    assert_int_equal(param_parse("f", kind, text, &param, NULL), 0);
    assert_int_equal(param.value.type, kind);
    assert_string_equal(param.field, "f");
    again = param_format(&param);
    assert_string_equal(again, formatted);
    object = param_json(&param);
    assert_string_equal(json_object_to_json_string(object), json);
    json_object_put(object);
}

static void check_refused(int kind, const char *text, const char *expected) {
    CLEANUP_FREE char *sentence = text_format(
        "invalid argument: Invalid value for field 'f': expected %s", expected);
    CLEANUP_ERROR Error *error = NULL;
    remote_typed_param param;

    assert_int_equal(param_parse("f", kind, text, &param, &error), -EINVAL);
    assert_string_equal(error_message(error), sentence);
}

static void test_values(void **state) {
    check(PARAM_INT, "-2147483648", "-2147483648", "-2147483648");
    check(PARAM_UINT, "4294967295", "4294967295", "4294967295");
    check(PARAM_LLONG, "-1", "-1", "-1");
    check(PARAM_ULLONG, "18446744073709551615", "18446744073709551615", "18446744073709551615");
    check(PARAM_ULLONG, "-1", "18446744073709551615",
          "18446744073709551615"); /* the server knows its range */
    check(PARAM_DOUBLE, "1.5", "1.500000", "1.5");
    check(PARAM_BOOLEAN, "1", "yes", "true");
    check(PARAM_BOOLEAN, "0", "no", "false");
    check(PARAM_STRING, "0-1", "0-1", "\"0-1\"");
    check(PARAM_STRING, "", "", "\"\"");
}

static void test_refusals(void **state) {
    check_refused(PARAM_INT, "2147483648", "int");
    check_refused(PARAM_INT, "", "int");
    check_refused(PARAM_UINT, "4294967296", "unsigned int");
    check_refused(PARAM_UINT, "-1", "unsigned int");
    check_refused(PARAM_LLONG, "9223372036854775808", "long long");
    check_refused(PARAM_LLONG, "1.5", "long long");
    check_refused(PARAM_ULLONG, "18446744073709551616", "unsigned long long");
    check_refused(PARAM_ULLONG, "1x", "unsigned long long");
    check_refused(PARAM_DOUBLE, "1.5x", "double");
    check_refused(PARAM_BOOLEAN, "yes", "0 or 1");
    check_refused(99, "1", "a type that this tool knows");
}

static void test_lines(void **state) {
    static const char *const texts[][2] = {
        {"", "[ ]"}, {"a", "[ \"a\" ]"}, {"a\n", "[ \"a\" ]"}, {"a\nb\n", "[ \"a\", \"b\" ]"}};

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        json_object *list = json_lines(texts[i][0]);

        assert_string_equal(json_object_to_json_string(list), texts[i][1]);
        json_object_put(list);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values),
                                       cmocka_unit_test(test_refusals),
                                       cmocka_unit_test(test_lines)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
