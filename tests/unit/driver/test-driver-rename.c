/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A rename waits for the disk: what it has looked at must hold until it is done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "domain/files.h"
#include "driver/rename.h"
#include "run-world.h"
#include "util/file.h"

typedef struct Attempt {
    Domain *domain;
    const char *name;
    int result;
    bool *over;
    FiberCond *cond;
} Attempt;

static void attempt(void *userdata) {
    Attempt *attempt = userdata;

    attempt->result = driver_rename(attempt->domain, attempt->name, NULL);
    *attempt->over = true;
    fiber_cond_broadcast(attempt->cond);
}

static bool has_file(const RunWorld *world, const char *name) {
    CLEANUP_FREE char *path = domain_config_path(&world->driver->services.paths, name);

    return access(path, F_OK) == 0;
}

/* Of two that want one name at the same time one gets it; the other stays as it was. */
static void two_want_one_name(RunWorld *world) {
    Domain *a = run_world_define(world, "a"), *b = run_world_define(world, "b");
    bool over[2] = {false};
    FiberCond cond = {0};
    Attempt attempts[] = {{a, "c", 1, &over[0], &cond}, {b, "c", 1, &over[1], &cond}};

    for (size_t i = 0; i < 2; i++)
        assert_int_equal(fiber_start("rename", attempt, &attempts[i]), 0);
    while (!over[0] || !over[1])
        assert_true(fiber_cond_wait(&cond, deadline_in(30 * USEC_PER_SEC)) >= 0);
    assert_int_equal(attempts[0].result, 0);
    assert_true(attempts[1].result < 0);
    assert_string_equal(domain_name(a), "c");
    assert_string_equal(domain_name(b), "b");
    assert_ptr_equal(driver_find_name(world->driver, "c", NULL), a);
    assert_true(has_file(world, "c") && has_file(world, "b") && !has_file(world, "a"));
    assert_int_equal(driver_rename(b, "a", NULL), 0); /* the name that has become free */
    fiber_cond_done(&cond);
}

/* The next daemon would not read its definition. */
static void a_name_that_is_none(RunWorld *world) {
    static const char *const names[] = {"",     ".",    "..",    ".x",       "a/b",
                                        "a\nb", "  \t", "a\x01", "\xc1\xa1", "a\xff"};
    Domain *a = run_world_define(world, "a");

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        CLEANUP_ERROR Error *error = NULL;

        if (driver_rename(a, names[i], &error) >= 0)
            fail_msg("taken: '%s'", names[i]);
        assert_true(error->code == ERROR_XML || error->code == ERROR_XML_DETAIL);
        assert_string_equal(domain_name(a), "a");
    }
    assert_int_equal(driver_rename(a, "\xc3\xa4 b.c", NULL), 0);
    assert_true(has_file(world, "\xc3\xa4 b.c") && !has_file(world, "a"));
}

/* What cannot be done to the end leaves one file, which is the old name's. */
static void no_autostart_mark(RunWorld *world) {
    CLEANUP_FREE char *marks = path_join(world->driver->services.paths.etc, "autostart");
    CLEANUP_FREE char *kept = strf("%s.kept", marks);
    CLEANUP_ERROR Error *error = NULL;
    Domain *a = run_world_define(world, "a");

    a->autostart = true;
    rename(marks, kept);
    assert_int_equal(file_write_atomic(marks, "", 0, 0600), 0);
    assert_true(driver_rename(a, "c", &error) < 0);
    assert_non_null(strstr(error_message(error), marks));
    assert_string_equal(domain_name(a), "a");
    assert_true(has_file(world, "a") && !has_file(world, "c"));
    assert_int_equal(unlink(marks), 0);
    assert_int_equal(mkdir(marks, 0700), 0);
    assert_int_equal(driver_rename(a, "c", NULL), 0);
    assert_true(has_file(world, "c") && !has_file(world, "a"));
}

static void test_two_want_one_name(void **state) {
    run_world("", two_want_one_name);
}

static void test_a_name_that_is_none(void **state) {
    run_world("", a_name_that_is_none);
}

static void test_no_autostart_mark(void **state) {
    run_world("", no_autostart_mark);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_two_want_one_name),
                                       cmocka_unit_test(test_a_name_that_is_none),
                                       cmocka_unit_test(test_no_autostart_mark)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
