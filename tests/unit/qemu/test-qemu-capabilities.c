/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is known of a binary: kept in a file, for exactly that binary. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "qemu/capabilities-internal.h"
#include "util/file.h"

static struct {
    char dir[40], binary[64], cache[64];
    char *file;
    QemuCapsCache *all;
} t;

static int set_up(void **state) {
    sd_event *loop = NULL;

    strcpy(t.dir, "/tmp/vireo-caps-XXXXXX");
    assert_non_null(mkdtemp(t.dir));
    snprintf(t.binary, sizeof(t.binary), "%s/qemu", t.dir);
    snprintf(t.cache, sizeof(t.cache), "%s/cache", t.dir);
    t.file = strf("%s/%s.json", t.cache, t.binary + 1);
    assert_non_null(t.file);
    for (char *at = t.file + strlen(t.cache) + 1; *at; at++)
        *at = *at == '/' ? '-' : *at;
    /* Whoever runs it learns nothing. */
    assert_int_equal(file_write_atomic(t.binary, "#!/bin/false\n", 13, 0755), 0);
    assert_true(sd_event_new(&loop) >= 0);
    assert_int_equal(fiber_init(loop), 0);
    sd_event_unref(loop);
    assert_int_equal(qemu_caps_cache_new(t.dir, t.cache, &t.all), 0);
    return 0;
}

static int tear_down(void **state) {
    qemu_caps_cache_free(TAKE_PTR(t.all));
    unlink(t.file);
    unlink(t.binary);
    free(TAKE_PTR(t.file));
    rmdir(t.cache);
    rmdir(t.dir);
    fiber_shutdown();
    return 0;
}

static void save(void) {
    char *strings[] = {(char *)"a", (char *)"b"};
    QemuMachine machines[] = {{.name = (char *)"pc-q35-7.2",
                               .alias = (char *)"q35",
                               .cpu_max = 288,
                               .hotpluggable_cpus = true},
                              {.name = (char *)"none", .cpu_max = 1, .is_default = true}};
    QemuCaps caps = {.binary = t.binary,
                     .arch = (char *)"x86_64",
                     .major = 7,
                     .minor = 2,
                     .micro = 22,
                     .machines = machines,
                     .n_machines = 2,
                     .commands = strings,
                     .n_commands = 2,
                     .types = strings + 1,
                     .n_types = 1,
                     .displays = strings,
                     .n_displays = 1};
    struct stat info;

    assert_int_equal(stat(t.binary, &info), 0);
    caps.binary_size = info.st_size;
    caps.binary_mtime = info.st_mtim;
    assert_int_equal(qemu_caps_save(t.file, &caps), 0);
}

static struct {
    int r;
    QemuCaps *caps;
    Error *error;
} got;

static void get(void *userdata) {
    got.r = qemu_caps_get(t.all, t.binary, &got.caps, &got.error);
}

static void run_get(void) {
    got.r = 1;
    error_free(TAKE_PTR(got.error));
    assert_int_equal(fiber_start("get", get, NULL), 0);
    while (fiber_count() > 0)
        assert_true(sd_event_run(fiber_event(), UINT64_MAX) >= 0);
}

static void test_a_binary_that_is_known_is_not_run(void **state) {
    save();
    run_get();
    assert_int_equal(got.r, 0);
    assert_string_equal(got.caps->arch, "x86_64");
    assert_true(got.caps->major == 7 && got.caps->minor == 2 && got.caps->micro == 22);
    assert_int_equal(qemu_caps_machine(got.caps, "q35")->cpu_max, 288);
    assert_string_equal(qemu_caps_machine(got.caps, NULL)->name, "none");
    assert_true(qemu_caps_has_command(got.caps, "a") && !qemu_caps_has_command(got.caps, "c"));
    assert_true(qemu_caps_has_type(got.caps, "b") && !qemu_caps_has_type(got.caps, "a"));
    assert_true(qemu_caps_has_display(got.caps, "a") && !qemu_caps_has_display(got.caps, "b"));
    qemu_caps_unref(TAKE_PTR(got.caps));
}

static void expect_probe(void) {
    run_get();
    assert_true(got.r < 0);
    assert_non_null(strstr(error_message(got.error), "cannot probe the emulator"));
    error_free(TAKE_PTR(got.error));
}

static void test_another_binary_at_that_path_is_asked(void **state) {
    struct timespec times[2] = {{.tv_sec = 5}, {.tv_sec = 5}};

    save();
    assert_int_equal(utimensat(AT_FDCWD, t.binary, times, 0), 0);
    expect_probe();
}

static void test_a_file_that_is_damaged_is_none(void **state) {
    static const char *const rows[] = {"", "{", "[]", "{\"format\":1}", "\xff\xfe"};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        save();
        assert_int_equal(file_write_atomic(t.file, rows[i], strlen(rows[i]), 0644), 0);
        expect_probe();
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_binary_that_is_known_is_not_run),
        TEST(test_another_binary_at_that_path_is_asked),
        TEST(test_a_file_that_is_damaged_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
