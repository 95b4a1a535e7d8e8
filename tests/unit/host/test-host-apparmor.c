/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Rules and the text of a profile; the kernel's interface as a directory in the place of /sys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/apparmor.h"
#include "util/fiber.h"
#include "util/file.h"
#include "util/worker.h"

static char root[] = "/tmp/vireo-apparmor-XXXXXX";

static char *text_of(const AppArmorRules *rules) {
    char *text = NULL;

    assert_int_equal(apparmor_profile("vireo-x", rules, &text, NULL), 0);
    return text;
}

static void test_text(void **state) {
    CLEANUP_APPARMOR_RULES AppArmorRules rules = {0};
    CLEANUP_FREE char *text = NULL;

    assert_int_equal(apparmor_rules_add(&rules, "/a b/x*?[1]{2}^\"\\,@.raw", APPARMOR_DATA), 0);
    assert_int_equal(apparmor_rules_add(&rules, "/lib/q", APPARMOR_READ | APPARMOR_MAP), 0);
    assert_int_equal(apparmor_rules_add(&rules, "/tree", APPARMOR_READ | APPARMOR_TREE), 0);
    text = text_of(&rules);
    assert_ptr_equal(strstr(text, "profile vireo-x flags="), text);
    assert_non_null(strstr(text, "\n  \"/a b/x\\*\\?\\[1\\]\\{2\\}\\^\\\"\\\\,@.raw\" rwk,\n"));
    assert_non_null(strstr(text, "\n  \"/lib/q\" rm,\n"));
    assert_non_null(strstr(text, "\n  \"/tree/{,**}\" r,\n}\n"));
    assert_non_null(strstr(text, "\n  signal (send) peer=vireo-x,\n"));
}

/* apparmor_parser takes a backslash in front of a quote for the quote's, and two slashes in a row
 * for no path of a file. */
static void test_ends(void **state) {
    CLEANUP_APPARMOR_RULES AppArmorRules rules = {0};
    CLEANUP_FREE char *text = NULL;

    assert_int_equal(apparmor_rules_add(&rules, "/b\\", APPARMOR_READ), 0);
    assert_int_equal(apparmor_rules_add(&rules, "/c\\\\", APPARMOR_READ), 0);
    assert_int_equal(apparmor_rules_add(&rules, "/d\\", APPARMOR_READ | APPARMOR_TREE), 0);
    assert_int_equal(apparmor_rules_add(&rules, "/", APPARMOR_READ | APPARMOR_TREE), 0);
    assert_int_equal(apparmor_rules_add(&rules, "/e/", APPARMOR_READ | APPARMOR_TREE), 0);
    text = text_of(&rules);
    assert_non_null(strstr(text, "\n  \"/b[\\\\]\" r,\n"));
    assert_non_null(strstr(text, "\n  \"/c\\\\[\\\\]\" r,\n"));
    assert_non_null(strstr(text, "\n  \"/d\\\\/{,**}\" r,\n"));
    assert_non_null(strstr(text, "\n  \"/{,**}\" r,\n"));
    assert_non_null(strstr(text, "\n  \"/e/{,**}\" r,\n"));
}

/* Nothing of other processes' command lines and, where it has none, terminals. */
static void test_others(void **state) {
    AppArmorRules none = {0}, some = {.terminals = true};
    CLEANUP_FREE char *without = text_of(&none), *with = text_of(&some);

    assert_null(strstr(without, "/proc/[0-9]*/**"));
    assert_null(strstr(without, "cmdline"));
    assert_non_null(strstr(without, "\n  owner /proc/[0-9]*/{auxv,"));
    assert_null(strstr(without, "/dev/pts"));
    assert_non_null(strstr(with, "\n  owner /dev/pts/[0-9]* rw,\n"));
}

/* What is named twice is one rule with both; what is no path is none. */
static void test_rules(void **state) {
    CLEANUP_APPARMOR_RULES AppArmorRules rules = {0};

    assert_int_equal(apparmor_rules_add(&rules, "/a", APPARMOR_READ), 0);
    assert_int_equal(apparmor_rules_add(&rules, "/a", APPARMOR_WRITE), 0);
    assert_int_equal(apparmor_rules_add(&rules, NULL, APPARMOR_READ), 0);
    assert_int_equal(apparmor_rules_add(&rules, "pool/volume", APPARMOR_READ), 0);
    assert_int_equal(rules.n, 1);
    assert_int_equal(rules.items[0].access, APPARMOR_READ | APPARMOR_WRITE);
}

/* A rule is about what is opened in the end: the target of a link, a file that QEMU is to make. */
static void test_links(void **state) {
    CLEANUP_FREE char *file = path_join(root, "file"), *link = path_join(root, "link"),
                      *way = path_join(root, "way"), *made = path_join(root, "way/made");
    CLEANUP_FREE char *real = NULL, *real_made = NULL;
    CLEANUP_APPARMOR_RULES AppArmorRules rules = {0};

    assert_int_equal(file_write_atomic(file, "", 0, 0600), 0);
    assert_int_equal(symlink("file", link), 0);
    assert_int_equal(symlink(".", way), 0);
    real = realpath(file, NULL);
    real_made = strf("%.*s/made", (int)(strrchr(real, '/') - real), real);
    assert_int_equal(apparmor_rules_add(&rules, link, APPARMOR_DATA), 0);
    assert_int_equal(apparmor_rules_add(&rules, made, APPARMOR_WRITE), 0);
    assert_int_equal(apparmor_rules_resolve(&rules), 0);
    assert_int_equal(rules.n, 4);
    assert_string_equal(rules.items[2].path, real);
    assert_int_equal(rules.items[2].access, APPARMOR_DATA);
    assert_string_equal(rules.items[3].path, real_made);
}

/* It would be another line of the profile. */
static void test_control_characters(void **state) {
    CLEANUP_APPARMOR_RULES AppArmorRules rules = {0};
    CLEANUP_ERROR Error *error = NULL;
    char *text = NULL;

    assert_int_equal(apparmor_rules_add(&rules, "/a\n/etc/shadow", APPARMOR_READ), 0);
    assert_true(apparmor_profile("vireo-x", &rules, &text, &error) < 0);
    assert_null(text);
    assert_non_null(strstr(error_message(error), "control character"));
}

static void test_kernel(void **state) {
    CLEANUP_FREE char *directory = path_join(root, "kernel/security/apparmor");
    CLEANUP_FREE char *profiles = path_join(directory, "profiles"),
                      *remove = path_join(directory, ".remove"), *text = NULL;
    static const char list[] = "a/b (enforce)\nvireo-1 (complain)\nvireo-12 (enforce)\n";

    assert_false(apparmor_has(root, "vireo-1"));
    assert_true(apparmor_remove(root, "vireo-1") < 0);
    assert_int_equal(dir_make(directory, 0700), 0);
    assert_int_equal(file_write_atomic(profiles, list, strlen(list), 0600), 0);
    assert_int_equal(file_write_atomic(remove, "", 0, 0600), 0);
    assert_true(apparmor_has(root, "a/b"));
    assert_true(apparmor_has(root, "vireo-1"));
    assert_false(apparmor_has(root, "vireo-"));
    assert_false(apparmor_has(root, "b"));
    assert_int_equal(apparmor_remove(root, "vireo-1"), 0);
    assert_int_equal(file_read(remove, 64, &text, NULL), 0);
    assert_string_equal(text, "vireo-1");
}

/* ---- a load ---- */

/* Says whether the file without the ending is there, and fails where "refuse" is. */
static const char parser[] = "#!/bin/sh\n"
                             "here=${0%/bin/*}\n"
                             "for path; do :; done\n"
                             "test -e \"${path%.loading}\" && echo there >>\"$here/log\"\n"
                             "cat \"$path\" >>\"$here/log\"\n"
                             "test ! -e \"$here/refuse\"\n";

typedef struct Load {
    const char *path, *text;
    int r;
} Load;

static void run_load(void *userdata) {
    Load *load = userdata;

    load->r = apparmor_load(load->path, load->text, NULL);
}

static int load(const char *path, const char *text) {
    Load load = {.path = path, .text = text, .r = 1};

    assert_int_equal(fiber_start("load", run_load, &load), 0);
    while (fiber_count() > 0)
        assert_true(sd_event_run(fiber_event(), UINT64_MAX) >= 0);
    return load.r;
}

static void make_parser(void) {
    CLEANUP_FREE char *bin = path_join(root, "bin"), *path = path_join(bin, "apparmor_parser"),
                      *way = strf("%s:%s", bin, getenv("PATH"));

    assert_int_equal(dir_make(bin, 0700), 0);
    assert_int_equal(file_write_atomic(path, parser, strlen(parser), 0700), 0);
    assert_int_equal(setenv("PATH", way, 1), 0);
}

/* A file of the profile's name says what the kernel has: not what is about to be loaded, not what
 * could not be, and not what was there before that. */
static void test_load(void **state) {
    CLEANUP_FREE char *path = path_join(root, "vireo-x"), *log = path_join(root, "log"),
                      *refuse = path_join(root, "refuse"), *text = NULL, *said = NULL;

    make_parser();
    assert_int_equal(load(path, "one\n"), 0);
    assert_int_equal(file_read(path, 64, &text, NULL), 0);
    assert_string_equal(text, "one\n");
    assert_int_equal(file_write_atomic(refuse, "", 0, 0600), 0);
    assert_true(load(path, "two\n") < 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(file_read(log, 64, &said, NULL), 0);
    assert_string_equal(said, "one\ntwo\n");
}

static int set_up(void **state) {
    sd_event *event = NULL;

    assert_true(sd_event_new(&event) >= 0);
    assert_int_equal(fiber_init(event), 0);
    assert_int_equal(worker_init(1), 0);
    sd_event_unref(event);
    return 0;
}

static int tear_down(void **state) {
    worker_shutdown();
    fiber_shutdown();
    return 0;
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),   cmocka_unit_test(test_ends),
        cmocka_unit_test(test_rules),  cmocka_unit_test(test_others),
        cmocka_unit_test(test_links),  cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_kernel), cmocka_unit_test(test_load)};
    char *made = mkdtemp(root);
    int r;

    if (!made)
        return 1;
    r = cmocka_run_group_tests(tests, set_up, tear_down);
    if (chdir("/") == 0) {
        CLEANUP_FREE char *command = strf("rm -rf '%s'", root);

        if (system(command) != 0)
            return 1;
    }
    return r;
}
