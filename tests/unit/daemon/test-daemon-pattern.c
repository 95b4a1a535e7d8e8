/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns of clients: what would cost too much is refused before it is compiled, the rest matches.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "pattern-internal.h"

static void repeat(char *to, size_t n, const char *before, const char *middle, const char *after) {
    *to = '\0';
    for (size_t i = 0; i < n; i++)
        strcat(to, before);
    strcat(to, middle);
    for (size_t i = 0; i < n; i++)
        strcat(to, after);
}

static void test_depth(void **state) {
    char text[1000];

    repeat(text, PATTERN_DEPTH_MAX, "(", "a", ")");
    assert_null(pattern_refusal(text));
    repeat(text, PATTERN_DEPTH_MAX + 1, "(", "a", ")");
    assert_non_null(strstr(pattern_refusal(text), "parentheses"));
    repeat(text, 400, "(", "a", ")");
    assert_non_null(pattern_refusal(text));
    assert_null(pattern_refusal("(a)(b)(c)(a)(b)(c)(a)(b)(c)(a)(b)(c)(a)(b)(c)(a)(b)(c)(a)(b)(c)"));
}

static void test_length(void **state) {
    char text[PATTERN_LENGTH_MAX + 2];

    memset(text, 'a', sizeof(text));
    text[PATTERN_LENGTH_MAX + 1] = '\0';
    assert_non_null(strstr(pattern_refusal(text), "longer"));
    text[PATTERN_LENGTH_MAX] = '\0';
    assert_null(pattern_refusal(text));
}

static void test_repeats(void **state) {
    static const char *const bad[] = {
        "((a{1,255}){1,255}){1,255}", "a{257}",         "a{1,16}{1,17}", "(a{,200}){2}",
        "a{99999999999999999999}",    "(a{0}b{200}){2}"};
    static const char *const good[] = {"a{1,255}",  "[{]a{1,16}",       "a\\{9999}",
                                       "[^]{999}]", "[[:alpha:]{999}]", "(a{1,16}){1,16}"};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_non_null(pattern_refusal(bad[i]));
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_null(pattern_refusal(good[i]));
}

static void test_back_references(void **state) {
    assert_non_null(pattern_refusal("(a*)\\1"));
    assert_null(pattern_refusal("\\(a\\)"));
    assert_null(pattern_refusal("a\\"));
}

static void test_compile(void **state) {
    CLEANUP(pattern_freep) regex_t *pattern = NULL, *none = NULL;
    CLEANUP_ERROR Error *error = NULL;

    assert_int_equal(pattern_compile("^device_(added|deleted)$", true, &pattern, NULL), 0);
    assert_int_equal(regexec(pattern, "DEVICE_DELETED", 0, NULL, 0), 0);
    assert_int_equal(regexec(pattern, "DEVICE_DELETED2", 0, NULL, 0), REG_NOMATCH);
    assert_true(pattern_compile("(", false, &none, &error) < 0);
    assert_int_equal(error->code, ERROR_INVALID_ARG);
    assert_non_null(strstr(error->message, "cannot compile"));
    assert_null(none);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_depth),   cmocka_unit_test(test_length),
        cmocka_unit_test(test_repeats), cmocka_unit_test(test_back_references),
        cmocka_unit_test(test_compile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
