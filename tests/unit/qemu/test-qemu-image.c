/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images through the real qemu-img: made, looked at, grown, copied; what it complains of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qemu/image.h"
#include "util/fiber.h"
#include "util/file.h"
#include "util/worker.h"

#define MIB (UINT64_C(1) << 20)

static char dir[] = "/tmp/vireo-image.XXXXXX";
static Error *error;

static char *in_dir(const char *name) {
    char *path = path_join(dir, name);

    assert_non_null(path);
    return path;
}

/* Runs the test on a fiber, as the functions want it. */
static void on_fiber(void (*test)(void *)) {
    assert_int_equal(fiber_start("test", test, NULL), 0);
    while (fiber_count() > 0)
        assert_true(sd_event_run(fiber_event(), UINT64_MAX) >= 0);
}

static void check_info(const char *path, const char *format, uint64_t size, const char *backing) {
    CLEANUP_IMAGE_INFO ImageInfo info = {0};

    assert_int_equal(image_info(path, NULL, &info, &error), 0);
    assert_string_equal(info.format, format);
    assert_int_equal(info.virtual_size, size);
    if (backing)
        assert_string_equal(info.backing, backing);
    else
        assert_null(info.backing);
}

static void make_and_grow(void *userdata) {
    CLEANUP_FREE char *path = in_dir("a.qcow2");

    assert_int_equal(
        image_create(&(ImageCreate){.path = path, .format = "qcow2", .size = MIB}, &error), 0);
    check_info(path, "qcow2", MIB, NULL);
    assert_int_equal(image_resize(path, "qcow2", 3 * MIB, false, &error), 0);
    check_info(path, "qcow2", 3 * MIB, NULL);
    assert_true(image_resize(path, "qcow2", MIB, false, &error) < 0); /* without shrink */
    assert_int_equal(error->code, ERROR_OPERATION_FAILED);
    error_free(TAKE_PTR(error));
    check_info(path, "qcow2", 3 * MIB, NULL);
    assert_int_equal(image_resize(path, "qcow2", MIB, true, &error), 0);
    check_info(path, "qcow2", MIB, NULL);
}

static void backing_and_copy(void *userdata) {
    CLEANUP_FREE char *base = in_dir("base"), *path = in_dir("top.qcow2"), *flat = in_dir("flat");

    assert_int_equal(
        image_create(&(ImageCreate){.path = base, .format = "raw", .size = 2 * MIB}, &error), 0);
    assert_int_equal(image_create(&(ImageCreate){.path = path,
                                                 .format = "qcow2",
                                                 .backing = base,
                                                 .backing_format = "raw",
                                                 .compat = "0.10"},
                                  &error),
                     0);
    check_info(path, "qcow2", 2 * MIB, base);
    assert_int_equal(image_convert(path, "qcow2", flat, "qcow2", &error), 0);
    check_info(flat, "qcow2", 2 * MIB, NULL);
}

static void complaints(void *userdata) {
    CLEANUP_FREE char *path = in_dir("none"), *odd = in_dir("-o,x=y:nbd");
    CLEANUP_IMAGE_INFO ImageInfo info = {0};

    assert_true(image_info(path, NULL, &info, &error) < 0);
    assert_non_null(strstr(error->message, "No such file"));
    assert_non_null(strstr(error->message, path));
    error_free(TAKE_PTR(error));
    assert_true(
        image_create(&(ImageCreate){.path = path, .format = "nonesuch", .size = MIB}, &error) < 0);
    assert_non_null(strstr(error->message, "nonesuch"));
    error_free(TAKE_PTR(error));
    /* A name that looks like an option and a protocol is a name. */
    assert_int_equal(
        image_create(&(ImageCreate){.path = odd, .format = "raw", .size = MIB}, &error), 0);
    assert_int_equal(access(odd, F_OK), 0);
    check_info(odd, "raw", MIB, NULL);
}

static void test_make_and_grow(void **data) {
    on_fiber(make_and_grow);
}

static void test_backing_and_copy(void **data) {
    on_fiber(backing_and_copy);
}

static void test_complaints(void **data) {
    on_fiber(complaints);
}

static int set_up(void **data) {
    sd_event *event = NULL;

    assert_non_null(mkdtemp(dir));
    assert_true(sd_event_new(&event) >= 0);
    assert_int_equal(fiber_init(event), 0);
    assert_int_equal(worker_init(2), 0);
    sd_event_unref(event);
    return 0;
}

static int tear_down(void **data) {
    CLEANUP_FREE char *command = strf("rm -rf %s", dir);

    worker_shutdown();
    fiber_shutdown();
    return command && system(command) == 0 ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_make_and_grow),
        cmocka_unit_test(test_backing_and_copy),
        cmocka_unit_test(test_complaints),
    };

    if (access("/usr/bin/qemu-img", X_OK) < 0) {
        fprintf(stderr, "SKIP: no qemu-img (qemu-utils)\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
