/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of a directory, links and removals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/directory.h"
#include "util/file.h"

static char dir[] = "/tmp/vireo-directory.XXXXXX";

static char *in_dir(const char *name) {
    char *path = path_join(dir, name);

    assert_non_null(path);
    return path;
}

static void make(const char *name) {
    CLEANUP_FREE char *path = in_dir(name);

    assert_int_equal(file_write_atomic(path, "x", 1, 0600), 0);
}

static bool has(const DirectoryNames *names, const char *name) {
    for (size_t i = 0; i < names->n; i++)
        if (streq(names->list[i], name))
            return true;
    return false;
}

static void test_names(void **state) {
    CLEANUP_NAMES DirectoryNames xml = {0}, all = {0}, none = {0};

    make("a.xml");
    make(".b.xml"); /* a domain may be named so */
    make(".xml");
    make("c.json");
    assert_int_equal(directory_names(dir, ".xml", &xml), 0);
    assert_int_equal(xml.n, 2);
    assert_true(has(&xml, "a.xml") && has(&xml, ".b.xml"));
    assert_int_equal(directory_names(dir, "", &all), 0);
    assert_int_equal(all.n, 4);
    assert_int_equal(directory_names("/nowhere/at-all", "", &none), 0);
    assert_int_equal(none.n, 0);
}

static void test_errors(void **state) {
    CLEANUP_FREE char *file = in_dir("a.xml");
    DirectoryNames names;

    assert_int_equal(directory_names(file, "", &names), -ENOTDIR);
    assert_int_equal(names.n, 0);
    assert_int_equal(file_remove_worker(dir), -EISDIR);
    assert_int_equal(file_symlink_worker("x", "/nowhere/at-all"), -ENOENT);
}

static void test_links(void **state) {
    CLEANUP_FREE char *path = in_dir("link");
    char target[16] = "";

    assert_int_equal(file_symlink_worker("one", path), 0);
    assert_int_equal(file_symlink_worker("two", path), 0);
    assert_int_equal(readlink(path, target, sizeof(target) - 1), 3);
    assert_string_equal(target, "one");
    assert_int_equal(file_remove_worker(path), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(file_remove_worker(path), 0);
}

static int remove_all(void **state) {
    CLEANUP_NAMES DirectoryNames names = {0};

    assert_int_equal(directory_names(dir, "", &names), 0);
    for (size_t i = 0; i < names.n; i++) {
        CLEANUP_FREE char *path = in_dir(names.list[i]);

        assert_int_equal(unlink(path), 0);
    }
    return rmdir(dir);
}

static int make_dir(void **state) {
    return mkdtemp(dir) ? 0 : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_errors),
                                       cmocka_unit_test(test_links)};

    return cmocka_run_group_tests(tests, make_dir, remove_all);
}
