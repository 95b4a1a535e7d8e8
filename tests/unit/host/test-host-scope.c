/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scopes: names, and the conversation with systemd and machined. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "scope-world.h"
#include "util/fiber.h"
#include "util/file.h"
#include "host/scope.h"

static void assert_text(char *text, const char *expected) {
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static void test_machine_names(void **state) {
    CLEANUP_FREE char *longest = NULL;
    char name[300];

    assert_text(scope_machine_name(3, "ol8"), "vireo-3-ol8");
    assert_text(scope_machine_name(3, "a b/c\xc3\xbc_d"), "vireo-3-abcd");
    assert_text(scope_machine_name(3, ".hidden-"), "vireo-3-hidden");
    assert_text(scope_machine_name(3, "a..b.-.c."), "vireo-3-a.b.c");
    assert_text(scope_machine_name(3, "\xff"), "vireo-3");
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    longest = scope_machine_name(4294967295u, name);
    assert_int_equal(strlen(longest), 64);
    name[64 - strlen("vireo-4294967295-") - 1] = '-'; /* the cut leaves no dash at the end */
    assert_text(scope_machine_name(4294967295u, name),
                "vireo-4294967295-"
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
}

static void test_unit_names(void **state) {
    assert_text(scope_unit_name("vireo-3-ol8"), "machine-vireo\\x2d3\\x2dol8.scope");
    assert_text(scope_unit_name("a.b"), "machine-a.b.scope");
}

static void test_slice_names(void **state) {
    assert_text(scope_slice_name("/machine"), "machine.slice");
    assert_text(scope_slice_name("/machine.slice"), "machine.slice");
    assert_text(scope_slice_name("/machine/a-b"), "machine-a\\x2db.slice");
    assert_text(scope_slice_name("/machine.slice/machine-x.slice"), "machine-x.slice");
    assert_text(scope_slice_name("/a//.b/"), "a-\\x2eb.slice");
    assert_text(scope_slice_name("/"), "-.slice");
}

static int start(const World *world, uint64_t usec, Error **reterr) {
    static const uint8_t uuid[16] = {[15] = 42};
    ScopeParams params = {
        .machine = "vireo-3-ol8", .description = "ol8", .uuid = uuid, .pid = 4711};

    return scope_start(world->address, &params, usec, reterr);
}

#define PROPERTIES                                                                                 \
    " Slice=machine.slice Delegate=1 TasksMax=32768 CollectMode=inactive-or-failed "               \
    "Before=vireo-guests.service Description=ol8"

static void assert_journal(const World *world, const char *expected) {
    CLEANUP_FREE char *text = scope_world_journal(world);

    assert_string_equal(text, expected);
}

static void test_start_by_systemd(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;

    scope_world_start_daemon(world);
    scope_world_start_fake(world, MOOD_DONE, false);
    assert_int_equal(start(world, 10 * USEC_PER_SEC, &error), 0);
    assert_journal(world, "ready\nsubscribe\nstart " UNIT " fail" PROPERTIES " PIDs=4711\n");
}

static void test_start_by_machined(void **state) {
    World *world = *state;

    scope_world_start_daemon(world);
    scope_world_start_fake(world, MOOD_DONE, true);
    assert_int_equal(start(world, 10 * USEC_PER_SEC, NULL), 0);
    assert_journal(world, "ready\ncreate vireo-3-ol8 id=16,42 vireo vm 4711 ''" PROPERTIES "\n");
}

static void test_a_job_that_fails(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;

    scope_world_start_daemon(world);
    scope_world_start_fake(world, MOOD_FAILED, false);
    assert_int_equal(start(world, 10 * USEC_PER_SEC, &error), -EIO);
    assert_non_null(strstr(error_message(error), "cannot start the scope '" UNIT "': failed"));
}

static void test_a_unit_that_exists(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;

    scope_world_start_daemon(world);
    scope_world_start_fake(world, MOOD_EXISTS, false);
    assert_int_equal(start(world, 10 * USEC_PER_SEC, &error), -EEXIST);
    assert_non_null(strstr(error_message(error), "was there."));
}

/* The deadline is for everything together, whether an answer or a signal is missing. */
static void assert_deadline(World *world, Mood mood) {
    CLEANUP_ERROR Error *error = NULL;
    uint64_t began;

    scope_world_start_daemon(world);
    scope_world_start_fake(world, mood, false);
    began = now_usec();
    assert_int_equal(start(world, 300 * USEC_PER_MSEC, &error), -ETIMEDOUT);
    assert_in_range(now_usec() - began, 290 * USEC_PER_MSEC, 3 * USEC_PER_SEC);
    assert_non_null(strstr(error_message(error), "did not start the scope"));
}

static void test_a_job_that_never_ends(void **state) {
    assert_deadline(*state, MOOD_SILENT);
}

static void test_no_answer(void **state) {
    assert_deadline(*state, MOOD_MUTE);
}

static void test_no_systemd_on_the_bus(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;

    scope_world_start_daemon(world);
    assert_int_equal(start(world, 10 * USEC_PER_SEC, &error), -ENOTCONN);
    assert_non_null(strstr(error_message(error), "cannot start the scope"));
}

/* Service files without the service, as in a container. */
static void test_systemd_that_cannot_be_spawned(void **state) {
    World *world = *state;

    scope_world_put(world, "org.freedesktop.systemd1.service",
                    "[D-BUS Service]\nName=org.freedesktop.systemd1\nExec=/bin/false\n");
    scope_world_put(world, "org.freedesktop.machine1.service",
                    "[D-BUS Service]\nName=org.freedesktop.machine1\nExec=/bin/false\n");
    scope_world_start_daemon(world);
    assert_int_equal(start(world, 10 * USEC_PER_SEC, NULL), -ENOTCONN);
}

/* Those of numbers by their numbers, all of a driver's by its name, and what nobody drives not at
 * all. */
static void test_devices(void **state) {
    static const CgroupDevice first[] = {{.major = 1, .minor = 3},
                                         {.major = 136, .minor = CGROUP_MINOR_ANY},
                                         {.major = 4095, .minor = CGROUP_MINOR_ANY}};
    static const CgroupDevice disk = {.block = true, .major = 7, .minor = 12};
    World *world = *state;

    scope_world_start_daemon(world);
    scope_world_start_fake(world, MOOD_DONE, false);
    /* One that may open everything, as an earlier daemon's machine, is left alone. */
    assert_int_equal(
        scope_set_devices(world->address, "vireo-3-ol8", &disk, 1, true, 10 * USEC_PER_SEC, NULL),
        0);
    assert_journal(world, "ready\n");
    assert_int_equal(scope_limit_devices(world->address, "vireo-3-ol8", first, ARRAY_SIZE(first),
                                         10 * USEC_PER_SEC, NULL),
                     0);
    assert_int_equal(
        scope_set_devices(world->address, "vireo-3-ol8", &disk, 1, true, 10 * USEC_PER_SEC, NULL),
        0);
    assert_int_equal(
        scope_set_devices(world->address, "vireo-3-ol8", first, 1, false, 10 * USEC_PER_SEC, NULL),
        0);
    assert_journal(world, "ready\n"
                          "set " UNIT " runtime DevicePolicy=strict DeviceAllow= "
                          "DeviceAllow=/dev/char/1:3=rwm,char-pts=rwm\n"
                          "set " UNIT " runtime DeviceAllow=/dev/block/7:12=rwm\n"
                          "set " UNIT " runtime DeviceAllow= DeviceAllow=/dev/char/1:3=rwm\n");
}

static void test_devices_of_no_scope(void **state) {
    static const CgroupDevice null = {.major = 1, .minor = 3};
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;

    scope_world_start_daemon(world);
    scope_world_start_fake(world, MOOD_EXISTS, false);
    assert_true(scope_limit_devices(world->address, "vireo-3-ol8", &null, 1, 10 * USEC_PER_SEC,
                                    &error) < 0);
    assert_non_null(strstr(error_message(error), "cannot limit the devices of '" UNIT "'"));
}

static void test_no_bus(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;

    world->address = strdup("unix:path=/nonexistent");
    assert_int_equal(start(world, USEC_PER_SEC, &error), -ENOTCONN);
    assert_non_null(strstr(error_message(error), "the system bus cannot be reached"));
    assert_int_equal(scope_stop(world->address, "vireo-3-ol8", USEC_PER_SEC, NULL), -ENOTCONN);
}

static void test_stop(void **state) {
    World *world = *state;

    scope_world_start_daemon(world);
    scope_world_start_fake(world, MOOD_DONE, false);
    assert_int_equal(scope_stop(world->address, "vireo-3-ol8", 10 * USEC_PER_SEC, NULL), 0);
    assert_journal(world, "ready\nstop " UNIT " replace\n");
}

static void test_stop_by_machined(void **state) {
    World *world = *state;

    scope_world_start_daemon(world);
    scope_world_start_fake(world, MOOD_DONE, true);
    assert_int_equal(scope_stop(world->address, "vireo-3-ol8", 10 * USEC_PER_SEC, NULL), 0);
    assert_journal(world, "ready\nterminate vireo-3-ol8\n");
}

/* Neither knows it any more: that is what was wanted. */
static void test_stop_what_is_gone(void **state) {
    World *world = *state;

    scope_world_start_daemon(world);
    scope_world_start_fake(world, MOOD_EXISTS, true);
    assert_int_equal(scope_stop(world->address, "vireo-3-ol8", 10 * USEC_PER_SEC, NULL), 0);
    assert_journal(world, "ready\nterminate vireo-3-ol8\nstop " UNIT " replace\n");
}

static void test_set_share(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;

    scope_world_start_daemon(world);
    scope_world_start_fake(world, MOOD_DONE, false);
    assert_int_equal(scope_set_share(world->address, "vireo-3-ol8", "CPUShares", 2048,
                                     10 * USEC_PER_SEC, &error),
                     0);
    assert_journal(world, "ready\nset " UNIT " runtime CPUShares=2048\n");
}

static void test_set_share_of_what_is_gone(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;

    scope_world_start_daemon(world);
    scope_world_start_fake(world, MOOD_EXISTS, false);
    assert_true(scope_set_share(world->address, "vireo-3-ol8", "CPUWeight", 200, 10 * USEC_PER_SEC,
                                &error) < 0);
    assert_non_null(
        strstr(error_message(error), "set the share of '" UNIT "': Unit " UNIT " is gone."));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machine_names),
        cmocka_unit_test(test_unit_names),
        cmocka_unit_test(test_slice_names),
        cmocka_unit_test_setup_teardown(test_start_by_systemd, scope_world_set_up,
                                        scope_world_tear_down),
        cmocka_unit_test_setup_teardown(test_start_by_machined, scope_world_set_up,
                                        scope_world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_job_that_fails, scope_world_set_up,
                                        scope_world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_unit_that_exists, scope_world_set_up,
                                        scope_world_tear_down),
        cmocka_unit_test_setup_teardown(test_a_job_that_never_ends, scope_world_set_up,
                                        scope_world_tear_down),
        cmocka_unit_test_setup_teardown(test_no_answer, scope_world_set_up, scope_world_tear_down),
        cmocka_unit_test_setup_teardown(test_no_systemd_on_the_bus, scope_world_set_up,
                                        scope_world_tear_down),
        cmocka_unit_test_setup_teardown(test_systemd_that_cannot_be_spawned, scope_world_set_up,
                                        scope_world_tear_down),
        cmocka_unit_test_setup_teardown(test_devices, scope_world_set_up, scope_world_tear_down),
        cmocka_unit_test_setup_teardown(test_devices_of_no_scope, scope_world_set_up,
                                        scope_world_tear_down),
        cmocka_unit_test_setup_teardown(test_no_bus, scope_world_set_up, scope_world_tear_down),
        cmocka_unit_test_setup_teardown(test_stop, scope_world_set_up, scope_world_tear_down),
        cmocka_unit_test_setup_teardown(test_stop_by_machined, scope_world_set_up,
                                        scope_world_tear_down),
        cmocka_unit_test_setup_teardown(test_stop_what_is_gone, scope_world_set_up,
                                        scope_world_tear_down),
        cmocka_unit_test_setup_teardown(test_set_share, scope_world_set_up, scope_world_tear_down),
        cmocka_unit_test_setup_teardown(test_set_share_of_what_is_gone, scope_world_set_up,
                                        scope_world_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
