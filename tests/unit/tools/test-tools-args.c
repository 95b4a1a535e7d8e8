/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The tool's words and options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "args.h"

static const Option options[] = {
    {"domain", OPTION_STRING, true, ""}, {"count", OPTION_NUMBER, true, ""},
    {"live", OPTION_FLAG, false, ""},    {"timeout", OPTION_NUMBER, false, "", .named = true},
    {"mode", OPTION_STRING, false, ""},  {NULL, OPTION_FLAG, false, NULL}};
static const Option rest_options[] = {{"domain", OPTION_STRING, true, ""},
                                      {"hmp", OPTION_FLAG, false, ""},
                                      {"cmd", OPTION_REST, true, ""},
                                      {NULL, OPTION_FLAG, false, NULL}};

/* Splits the text and parses its only command. */
static int parse(const char *text, const Option *table, Words *words, Args *args, char **problem) {
    assert_int_equal(words_split(text, words, problem), 0);
    assert_true(words->n > 0);
    return args_parse("do", table, true, words->words, words->n - 1, args, problem);
}

static void check_given(const char *text) {
    CLEANUP_FREE char *problem = NULL;
    Words words;
    Args args;
    long long count = 0;

    assert_int_equal(parse(text, options, &words, &args, &problem), 0);
    assert_string_equal(args_string(&args, "domain"), "ol8");
    assert_int_equal(args_number(&args, "count", 0, 100, &count), 1);
    assert_int_equal(count, 6);
    assert_true(args_has(&args, "live"));
    assert_false(args_has(&args, "mode"));
    args_done(&args);
    words_done(&words);
}

static void test_by_name_and_by_position(void **state) {
    check_given("ol8 6 --live");
    check_given("ol8 --count 6 --live");
    check_given("--live --count=6 ol8");
    check_given("--count 6 --live --domain ol8");
    check_given("--live -- ol8 6");
}

static void test_optional_by_position(void **state) {
    CLEANUP_FREE char *problem = NULL;
    Words words;
    Args args;

    assert_int_equal(parse("ol8 6 acpi", options, &words, &args, &problem), 0);
    assert_string_equal(args_string(&args, "mode"), "acpi");
    args_done(&args);
    words_done(&words);
}

/* An option that is only for its name takes no word by position. */
static void test_named(void **state) {
    CLEANUP_FREE char *problem = NULL;
    long long timeout = 0;
    Words words;
    Args args;

    assert_int_equal(parse("ol8 6 acpi --timeout 3", options, &words, &args, &problem), 0);
    assert_string_equal(args_string(&args, "mode"), "acpi");
    assert_int_equal(args_number(&args, "timeout", 0, 100, &timeout), 1);
    assert_int_equal(timeout, 3);
    args_done(&args);
    words_done(&words);
}

static void check_refused(const char *text, const char *sentence) {
    CLEANUP_FREE char *problem = NULL;
    Words words;
    Args args;

    assert_int_equal(parse(text, options, &words, &args, &problem), -EINVAL);
    assert_string_equal(problem, sentence);
    words_done(&words);
}

static void test_refusals(void **state) {
    check_refused("ol8 6 --foo", "command 'do' doesn't support option --foo");
    check_refused("ol8 6 --liv", "command 'do' doesn't support option --liv");
    check_refused("ol8 6 --=x", "command 'do' doesn't support option --");
    check_refused("ol8 6 acpi more", "unexpected data 'more'");
    check_refused("ol8 --live", "command 'do' requires --count option");
    check_refused("--live", "command 'do' requires <domain> option");
    check_refused("ol8 6 --live=yes", "invalid '=' after option --live");
    check_refused("ol8 6 --live --live", "option --live already seen");
    check_refused("ol8 --domain x 6", "option --domain already seen");
    check_refused("ol8 --count", "expected syntax: --count <number>");
    check_refused("ol8 6 --mode", "expected syntax: --mode <string>");
}

static void test_numbers(void **state) {
    static const char *const bad[] = {"ol8 x",  "ol8 6x",  "ol8 ''",
                                      "ol8 -1", "ol8 101", "ol8 99999999999999999999"};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CLEANUP_FREE char *problem = NULL;
        long long count = 7;
        Words words;
        Args args;

        assert_int_equal(parse(bad[i], options, &words, &args, &problem), 0);
        assert_int_equal(args_number(&args, "count", 0, 100, &count), -EINVAL);
        assert_int_equal(count, 7);
        args_done(&args);
        words_done(&words);
    }
}

static void test_rest(void **state) {
    CLEANUP_FREE char *problem = NULL;
    Words words;
    Args args;

    assert_int_equal(parse("--cmd info ol8 --hmp status --cmd more --json", rest_options, &words,
                           &args, &problem),
                     0);
    assert_string_equal(args_string(&args, "domain"), "ol8");
    assert_int_equal(args.n_rest, 3);
    assert_string_equal(args.rest[0], "info");
    assert_string_equal(args.rest[1], "status");
    assert_string_equal(args.rest[2], "more");
    assert_true(args_has(&args, "hmp"));
    assert_true(args.json);
    args_done(&args);
    words_done(&words);
}

static void test_help_needs_nothing_else(void **state) {
    CLEANUP_FREE char *problem = NULL;
    Words words;
    Args args;

    assert_int_equal(parse("--help", options, &words, &args, &problem), 0);
    assert_true(args.help);
    args_done(&args);
    words_done(&words);
}

static void test_json_only_where_known(void **state) {
    char *words[] = {(char *)"--json"};
    CLEANUP_FREE char *problem = NULL;
    Args args;

    assert_int_equal(args_parse("do", NULL, false, words, 1, &args, &problem), -EINVAL);
    assert_string_equal(problem, "command 'do' doesn't support option --json");
}

static void test_split(void **state) {
    static const char *const expected[] = {"list", "--all", NULL, "echo", "a b", "c\"d",
                                           "e;f",  "gh",    "",   NULL,   "uri", NULL};
    CLEANUP_FREE char *problem = NULL;
    Words words;

    assert_int_equal(
        words_split(" list --all;; echo 'a b' \"c\\\"d\" e\\;f g'h' ''\n# words\n uri # more;",
                    &words, &problem),
        0);
    assert_int_equal(words.n, ARRAY_SIZE(expected));
    for (size_t i = 0; i < words.n; i++) {
        if (expected[i])
            assert_string_equal(words.words[i], expected[i]);
        else
            assert_null(words.words[i]);
    }
    words_done(&words);
}

static void test_split_nothing(void **state) {
    CLEANUP_FREE char *problem = NULL;
    Words words;

    assert_int_equal(words_split(" ; ;\n # nothing", &words, &problem), 0);
    assert_int_equal(words.n, 0);
    words_done(&words);
}

static void test_split_refusals(void **state) {
    CLEANUP_FREE char *quote = NULL, *backslash = NULL;
    Words words;

    assert_int_equal(words_split("echo 'a", &words, &quote), -EINVAL);
    assert_string_equal(quote, "missing '");
    assert_int_equal(words_split("echo a\\", &words, &backslash), -EINVAL);
    assert_string_equal(backslash, "dangling \\");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_name_and_by_position),
        cmocka_unit_test(test_optional_by_position),
        cmocka_unit_test(test_named),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_help_needs_nothing_else),
        cmocka_unit_test(test_json_only_where_known),
        cmocka_unit_test(test_split),
        cmocka_unit_test(test_split_nothing),
        cmocka_unit_test(test_split_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
