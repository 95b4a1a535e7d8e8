/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A rename waits for the disk: what it has looked at must hold until it is done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <unistd.h>

#include "domain/files.h"
#include "driver/rename.h"
#include "run-world.h"

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

static void test_two_want_one_name(void **state) {
    run_world("", two_want_one_name);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_two_want_one_name)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
