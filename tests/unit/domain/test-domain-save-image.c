/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file of a saved guest: what is complete is read as it was written, all else is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "domain/save-image.h"
#include "util/file.h"

#define STREAM "what QEMU writes"

static char path[] = "/tmp/vireo-saved-XXXXXX";
static char xml[] = "<domain type='qemu'><name>d</name></domain>";

static SaveImage image(void) {
    return (SaveImage){.running = true, .id = {1, 2, 3}, .xml = xml};
}

static int set_up(void **state) {
    (void)state;
    strcpy(path + strlen(path) - 6, "XXXXXX");
    return mkstemp(path) < 0 ? -1 : 0;
}

static int tear_down(void **state) {
    (void)state;
    return unlink(path);
}

/* An incomplete one, with or without a stream. The descriptor. */
static int begun(SaveImage *image, const char *stream) {
    int fd = open(path, O_RDWR | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(save_image_begin(fd, image), 0);
    assert_int_equal(write(fd, stream, strlen(stream)), strlen(stream));
    return fd;
}

static void assert_refused(const char *sentence) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_SAVE_IMAGE SaveImage found = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    assert_true(save_image_read(fd, path, &found, &error) < 0);
    assert_non_null(strstr(error_message(error), sentence));
    close(fd);
}

static void test_is_read_as_it_was_written(void **state) {
    CLEANUP_SAVE_IMAGE SaveImage found = {0};
    SaveImage written = image();
    char stream[sizeof(STREAM)] = "";
    int fd = begun(&written, STREAM);

    (void)state;
    assert_int_equal(save_image_complete(fd, &written), 0);
    assert_int_equal(save_image_read(fd, path, &found, NULL), 0);
    assert_true(found.running && found.data_offset == written.data_offset);
    assert_memory_equal(found.id, written.id, sizeof(found.id));
    assert_string_equal(found.xml, xml);
    assert_int_equal(read(fd, stream, sizeof(stream) - 1), sizeof(stream) - 1);
    assert_string_equal(stream, STREAM);
    close(fd);
}

static void assert_has(int fd, const char *text) {
    CLEANUP_SAVE_IMAGE SaveImage found = {0};
    char stream[sizeof(STREAM)] = "";

    assert_int_equal(save_image_read(fd, path, &found, NULL), 0);
    assert_string_equal(found.xml, text);
    assert_int_equal(read(fd, stream, sizeof(stream) - 1), sizeof(stream) - 1);
    assert_string_equal(stream, STREAM);
}

/* A QEMU that says it has written all, and has not. */
static void test_nothing_of_qemu_is_no_save(void **state) {
    SaveImage written = image();
    int fd = begun(&written, "");

    (void)state;
    assert_int_equal(save_image_complete(fd, &written), -ENODATA);
    close(fd);
    assert_refused("did not come to its end");
}

static void test_one_that_is_cut(void **state) {
    SaveImage written = image();
    int fd = begun(&written, STREAM);

    (void)state;
    assert_int_equal(save_image_complete(fd, &written), 0);
    assert_int_equal(ftruncate(fd, (off_t)written.data_offset + 3), 0);
    close(fd);
    assert_refused("the file is cut");
}

static void test_a_longer_definition_has_room_to_a_point(void **state) {
    CLEANUP_FREE char *long_xml = NULL, *longer = NULL;
    CLEANUP_SAVE_IMAGE SaveImage found = {0};
    SaveImage written = image();
    int fd = begun(&written, STREAM);

    (void)state;
    assert_int_equal(save_image_complete(fd, &written), 0);
    long_xml = strf("%*s", (int)strlen(xml) + 1000, xml);
    longer = strf("%*s", (int)written.data_offset, xml);
    assert_true(long_xml && longer);
    written.xml = longer;
    assert_int_equal(save_image_change(fd, &written), -EMSGSIZE);
    written.xml = long_xml;
    assert_int_equal(save_image_change(fd, &written), 0);
    assert_int_equal(save_image_read(fd, path, &found, NULL), 0);
    assert_string_equal(found.xml, long_xml);
    close(fd);
}

/* On a full disk, as a limit of the file's size is one here: the text behind the old one has no
 * room, and what was there is whole. */
static void test_one_that_cannot_be_written_leaves_the_old(void **state) {
    struct rlimit old, low;
    CLEANUP_FREE char *long_xml = NULL;
    SaveImage written = image();
    int fd = begun(&written, STREAM);

    (void)state;
    assert_int_equal(save_image_complete(fd, &written), 0);
    long_xml = strf("%*s", (int)strlen(xml) + 20000, xml);
    assert_non_null(long_xml);
    written.xml = long_xml;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    low = old;
    low.rlim_cur = 8192;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    assert_int_equal(save_image_change(fd, &written), -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_has(fd, xml);
    close(fd);
}

/* Each beside the one before, and at last over it. */
static void test_many_definitions_one_after_the_other(void **state) {
    static const int lengths[] = {1000, 200, 40000, 30, 60000, 60001, 60002, 5};
    SaveImage written = image();
    int fd = begun(&written, STREAM);

    (void)state;
    assert_int_equal(save_image_complete(fd, &written), 0);
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        CLEANUP_FREE char *text = strf("%*s", (int)strlen(xml) + lengths[i], xml);

        assert_non_null(text);
        written.xml = text;
        assert_int_equal(save_image_change(fd, &written), 0);
        assert_has(fd, text);
    }
    close(fd);
}

static void test_other_files(void **state) {
    static const struct {
        const char *bytes, *sentence;
    } rows[] = {{"", "the file is empty"},
                {"LibvirtQemudSave", "saved by libvirt's QEMU driver"},
                {"QEVM and so on", "a bare migration stream"},
                {"\177ELF", "an ELF file"},
                {"Vireo", "too short"}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

        assert_int_equal(write(fd, rows[i].bytes, strlen(rows[i].bytes)), strlen(rows[i].bytes));
        close(fd);
        assert_refused(rows[i].sentence);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_is_read_as_it_was_written),
        TEST(test_nothing_of_qemu_is_no_save),
        TEST(test_one_that_is_cut),
        TEST(test_a_longer_definition_has_room_to_a_point),
        TEST(test_one_that_cannot_be_written_leaves_the_old),
        TEST(test_many_definitions_one_after_the_other),
        TEST(test_other_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
