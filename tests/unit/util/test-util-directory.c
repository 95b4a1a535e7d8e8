/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of a directory, links and removals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
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

/* What file_write_atomic leaves when it is killed, and what looks like it. */
static void test_temporaries(void **state) {
    static const char *const ours[] = {"a.xml.tmp-aZ09bC", "below/one.tmp-abcdef"};
    static const char *const others[] = {"a.tmp-abcde", ".tmp-abcdef", "a.tmp-abc-ef",
                                         "a.tmp-abcdef.xml", "other"};
    char outside[] = "/tmp/vireo-outside.XXXXXX";
    CLEANUP_FREE char *below = in_dir("below"), *other = in_dir("other");
    CLEANUP_FREE char *two_names = in_dir("two.tmp-abcdef"), *to_file = in_dir("link.tmp-abcdef");
    CLEANUP_FREE char *to_directory = in_dir("linked"), *kept = NULL;

    assert_int_equal(mkdir(below, 0700), 0);
    assert_non_null(mkdtemp(outside));
    kept = path_join(outside, "kept.tmp-abcdef");
    assert_int_equal(file_write_atomic(kept, "x", 1, 0600), 0);
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
        make(ours[i]);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        make(others[i]);
    assert_int_equal(link(other, two_names), 0);
    assert_int_equal(symlink("other", to_file), 0);
    assert_int_equal(symlink(outside, to_directory), 0);
    assert_int_equal(file_sweep_temporaries(dir), 0);
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
        CLEANUP_FREE char *path = in_dir(ours[i]);

        assert_int_equal(access(path, F_OK), -1);
    }
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        CLEANUP_FREE char *path = in_dir(others[i]);

        assert_int_equal(access(path, F_OK), 0);
    }
    assert_int_equal(access(two_names, F_OK) | access(to_file, F_OK) | access(kept, F_OK), 0);
    assert_true(file_sweep_temporaries(to_directory) < 0); /* it is a link */
    assert_int_equal(access(kept, F_OK), 0);
    assert_int_equal(file_sweep_temporaries("/nowhere/at-all"), 0);
    assert_int_equal(rmdir(below) | unlink(kept) | rmdir(outside), 0);
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
                                       cmocka_unit_test(test_links),
                                       cmocka_unit_test(test_temporaries)};

    return cmocka_run_group_tests(tests, make_dir, remove_all);
}
