/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where data and holes of a file are; what has none, or no offset. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/file-holes.h"

#define MIB (UINT64_C(1) << 20)

/* A hole, data from 2 to 3 MiB, a hole to 5 MiB; skipped where the file system makes no holes. */
static int make_sparse(void) {
    char path[] = "/tmp/vireo-holes.XXXXXX";
    static const char data[1 << 20] = {1};
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(pwrite(fd, data, sizeof(data), 2 * MIB), sizeof(data));
    assert_int_equal(ftruncate(fd, 5 * MIB), 0);
    if (lseek(fd, 0, SEEK_DATA) == 2 * (off_t)MIB)
        return fd;
    close(fd);
    skip();
    return -1;
}

static void test_next_data(void **state) {
    const struct {
        uint64_t at, end, data, hole;
    } rows[] = {{0, 5 * MIB, 2 * MIB, 3 * MIB},
                {2 * MIB + 4096, 5 * MIB, 2 * MIB + 4096, 3 * MIB},
                {0, 2 * MIB + 4096, 2 * MIB, 2 * MIB + 4096}, /* no further than asked for */
                {0, MIB, MIB, MIB},
                {3 * MIB, 5 * MIB, 5 * MIB, 5 * MIB}, /* nothing but a hole */
                {5 * MIB, 5 * MIB, 5 * MIB, 5 * MIB}};
    int fd = make_sparse();

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t data, hole;

        file_next_data(fd, rows[i].at, rows[i].end, &data, &hole);
        assert_int_equal(data, rows[i].data);
        assert_int_equal(hole, rows[i].hole);
    }
    close(fd);
}

static void test_pass_hole(void **state) {
    const struct {
        uint64_t at, hole, len;
    } rows[] = {{0, 2 * MIB, MIB},               /* all from there on is data */
                {2 * MIB + 4096, 0, MIB - 4096}, /* as much as is data */
                {4 * MIB, MIB, 4 * MIB},         /* up to the end */
                {5 * MIB, 0, 4 * MIB},           /* at it */
                {6 * MIB, 0, 4 * MIB}};          /* behind it */
    int fd = make_sparse();

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        size_t len = 4 * MIB;
        uint64_t hole;

        assert_int_equal(lseek(fd, (off_t)rows[i].at, SEEK_SET), rows[i].at);
        assert_int_equal(file_pass_hole(fd, &hole, &len), 0);
        assert_int_equal(hole, rows[i].hole);
        assert_int_equal(len, rows[i].len);
        assert_int_equal(lseek(fd, 0, SEEK_CUR), rows[i].at + rows[i].hole);
    }
    close(fd);
}

static void test_what_has_no_offset(void **state) {
    uint64_t hole = 7;
    size_t len = 9;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(file_pass_hole(fds[0], &hole, &len), -ESPIPE);
    assert_int_equal(hole, 7);
    assert_int_equal(len, 9);
    close(fds[0]);
    close(fds[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_next_data),
                                       cmocka_unit_test(test_pass_hole),
                                       cmocka_unit_test(test_what_has_no_offset)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
