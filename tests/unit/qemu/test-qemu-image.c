/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Images through the real qemu-img: made, looked at, grown, copied; what it complains of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qemu/image-header.h"
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
    assert_int_equal(image_convert(path, "qcow2", flat, "qcow2", false, &error), 0);
    check_info(flat, "qcow2", 2 * MIB, NULL);
}

static void make_above(const char *path, const char *base, const char *format) {
    assert_int_equal(image_create(&(ImageCreate){.path = path,
                                                 .format = "qcow2",
                                                 .size = MIB,
                                                 .backing = base,
                                                 .backing_format = format},
                                  &error),
                     0);
}

static void check_chain(const char *path, size_t n, const char *first) {
    CLEANUP_IMAGE_CHAIN ImageChain chain = {0};

    assert_int_equal(image_header_chain(path, &chain), 0);
    assert_int_equal(chain.n, n);
    if (n > 0)
        assert_string_equal(chain.files[0], first);
}

/* Another name in the header of an image that has one. */
static void put_name(const char *path, const char *name, uint8_t n) {
    uint8_t head[20] = {0};
    int fd = open(path, O_RDWR | O_CLOEXEC);

    assert_int_equal(pread(fd, head, sizeof(head), 0), sizeof(head));
    head[19] = n;
    assert_int_equal(pwrite(fd, head, sizeof(head), 0), sizeof(head));
    assert_int_equal(pwrite(fd, name, n, head[14] << 8 | head[15]), n);
    close(fd);
}

/* As far as the headers say what is below; a name with ".." or a protocol is none of them. */
static void headers(void *userdata) {
    CLEANUP_FREE char *base = in_dir("h0"), *one = in_dir("h1"), *two = in_dir("h2");
    CLEANUP_FREE char *same = in_dir("./h1");

    assert_int_equal(
        image_create(&(ImageCreate){.path = base, .format = "raw", .size = MIB}, &error), 0);
    check_chain(base, 0, NULL);
    assert_false(image_header_is_alone(base)); /* a guest writes what it likes into a raw image */
    assert_int_equal(
        image_create(&(ImageCreate){.path = one, .format = "qcow2", .size = MIB}, &error), 0);
    assert_true(image_header_is_alone(one));
    make_above(one, "h0", "raw");
    check_chain(one, 1, base);
    assert_false(image_header_is_alone(one));
    make_above(two, one, "qcow2");
    check_chain(two, 2, one);
    make_above(two, one, "raw");
    check_chain(two, 1, one);
    make_above(two, "h1", "raw");
    put_name(two, "./h1", 4);
    check_chain(two, 1, same);
    put_name(two, "../h1", 5);
    check_chain(two, 0, NULL);
    put_name(two, "nbd:h", 5);
    check_chain(two, 0, NULL);
    assert_false(image_header_is_alone(two)); /* something is below, whatever it is */
    put_name(two, "h\0", 2);
    check_chain(two, 0, NULL);
}

/* Any byte may be another, and the file may end anywhere. */
static void damaged_headers(void *userdata) {
    CLEANUP_FREE char *base = in_dir("d0"), *path = in_dir("d1"), *image = NULL;
    size_t len = 0;

    assert_int_equal(
        image_create(&(ImageCreate){.path = base, .format = "raw", .size = MIB}, &error), 0);
    make_above(path, base, "raw");
    assert_int_equal(file_read(path, MIB, &image, &len), 0);
    for (size_t at = 0; at < 512; at += at < 24 ? 1 : 7) {
        CLEANUP_IMAGE_CHAIN ImageChain chain = {0};
        const char was = image[at];

        image[at] = (char)0xff;
        assert_int_equal(file_write_atomic(path, image, at % 2 ? len : at, 0600), 0);
        assert_int_equal(image_header_chain(path, &chain), 0);
        assert_in_range(chain.n, 0, 1);
        image[at] = was;
    }
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

/* A qemu-img in the place of the real one: counts its calls in a file, gives up the first so many
 * with these words, and makes nothing. */
static void shadow(const char *words, unsigned n) {
    CLEANUP_FREE char *program = in_dir("qemu-img"), *count = in_dir("count");
    CLEANUP_FREE char *text = strf("#!/bin/sh\necho >>%s\n[ $(wc -l <%s) -gt %u ] && exit 0\n"
                                   "echo '%s' >&2\nexit 1\n",
                                   count, count, n, words);

    assert_non_null(text);
    unlink(count);
    assert_int_equal(file_write_atomic(program, text, strlen(text), 0755), 0);
}

static unsigned n_calls(void) {
    CLEANUP_FREE char *count = in_dir("count"), *text = NULL;
    size_t len = 0;

    assert_int_equal(file_read(count, MIB, &text, &len), 0);
    return (unsigned)len;
}

/* CPU time that was not measured is measured again, but not for ever, and nothing else is. */
static void unmeasured(void *userdata) {
    static const char words[] = "qemu-img: x: Unable to get accurate CPU usage";
    CLEANUP_FREE char *path = in_dir("luks"), *secret = in_dir("secret");
    CLEANUP_FREE char *search = strdup(getenv("PATH")), *first = strf("%s:%s", dir, search);
    const ImageCreate create = {.path = path, .format = "raw", .size = MIB, .passphrase = secret};
    ImageCreate plain = create;

    assert_int_equal(file_write_atomic(secret, "word", 4, 0600), 0);
    assert_int_equal(setenv("PATH", first, 1), 0);
    shadow(words, 2);
    assert_int_equal(image_create(&create, &error), 0);
    assert_int_equal(n_calls(), 3);
    shadow(words, 1000);
    assert_true(image_create(&create, &error) < 0);
    assert_non_null(strstr(error->message, words));
    error_free(TAKE_PTR(error));
    assert_int_equal(n_calls(), 10);
    plain.passphrase = NULL;
    shadow(words, 1);
    assert_true(image_create(&plain, &error) < 0);
    error_free(TAKE_PTR(error));
    assert_int_equal(n_calls(), 1);
    shadow("qemu-img: no space", 1);
    assert_true(image_create(&create, &error) < 0);
    error_free(TAKE_PTR(error));
    assert_int_equal(n_calls(), 1);
    assert_int_equal(setenv("PATH", search, 1), 0);
}

static void test_make_and_grow(void **data) {
    on_fiber(make_and_grow);
}

static void test_backing_and_copy(void **data) {
    on_fiber(backing_and_copy);
}

static void test_headers(void **data) {
    on_fiber(headers);
}

static void test_damaged_headers(void **data) {
    on_fiber(damaged_headers);
}

static void test_complaints(void **data) {
    on_fiber(complaints);
}

static void test_unmeasured(void **data) {
    on_fiber(unmeasured);
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
        cmocka_unit_test(test_make_and_grow), cmocka_unit_test(test_backing_and_copy),
        cmocka_unit_test(test_headers),       cmocka_unit_test(test_damaged_headers),
        cmocka_unit_test(test_complaints),    cmocka_unit_test(test_unmeasured),
    };

    if (access("/usr/bin/qemu-img", X_OK) < 0) {
        fprintf(stderr, "SKIP: no qemu-img (qemu-utils)\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
