/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A policy's files and processes with labels, as directories; labels of files as this machine's
 * file systems keep them, whether or not it runs SELinux. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "host/file-label.h"
#include "host/selinux.h"
#include "util/file.h"

#define OLD "system_u:object_r:virt_var_lib_t:s0"
#define ONE "system_u:object_r:svirt_image_t:s0:c1,c2"
#define TWO "system_u:object_r:svirt_image_t:s0:c3,c4"

static char root[] = "/tmp/vireo-selinux-XXXXXX";

static void put(const char *name, const char *text) {
    CLEANUP_FREE char *file = path_join(root, name), *directory = path_join(root, name);

    *strrchr(directory, '/') = '\0';
    assert_int_equal(dir_make(directory, 0700), 0);
    assert_int_equal(file_write_atomic(file, text, strlen(text), 0600), 0);
}

/* ---- the policy ---- */

static void test_policy(void **state) {
    CLEANUP_SELINUX_CONTEXTS SelinuxContexts contexts = {0};
    CLEANUP_FREE char *etc = path_join(root, "etc"), *directory = NULL, *none = NULL;
    CLEANUP_ERROR Error *error = NULL;

    none = selinux_directory(etc);
    assert_non_null(strstr(none, "/etc/targeted/contexts"));
    put("etc/config", "# SELINUXTYPE=no\nSELINUX=enforcing\nSELINUXTYPE=mls \n");
    directory = selinux_directory(etc);
    assert_non_null(strstr(directory, "/etc/mls/contexts"));
    assert_true(selinux_contexts_read(directory, &contexts, &error) < 0);
    assert_non_null(strstr(error_message(error), "virtual_domain_context"));
    put("etc/mls/contexts/virtual_domain_context",
        "system_u:system_r:svirt_t:s0\nsystem_u:system_r:svirt_tcg_t:s0\n");
    put("etc/mls/contexts/virtual_image_context",
        "# a word\nsystem_u:object_r:svirt_image_t:s0\nsystem_u:object_r:virt_content_t:s0\n");
    assert_int_equal(selinux_contexts_read(directory, &contexts, NULL), 0);
    assert_string_equal(contexts.domain, "system_u:system_r:svirt_t:s0");
    assert_string_equal(contexts.domain_tcg, "system_u:system_r:svirt_tcg_t:s0");
    assert_string_equal(contexts.image, "system_u:object_r:svirt_image_t:s0");
    assert_string_equal(contexts.content, "system_u:object_r:virt_content_t:s0");
}

static void test_levels(void **state) {
    CLEANUP_FREE char *joined = selinux_with_level("a:b:c_t:s0", "u:r:t:s0-s0:c1,c2");

    assert_string_equal(joined, "a:b:c_t:s0-s0:c1,c2");
    assert_null(selinux_with_level("a:b:c_t", "u:r:t:s0"));
    assert_false(selinux_is_context("a:b:c:"));
    assert_false(selinux_is_context("a::c:s0"));
    assert_false(selinux_is_context("a:b:c:s0\n"));
    assert_false(selinux_is_context(""));
}

/* ---- pairs ---- */

/* Whatever the start, each pair is given once, until there is none. */
static void test_pairs(void **state) {
    CLEANUP_FREE SelinuxPairs *pairs = calloc(1, sizeof(SelinuxPairs));
    unsigned pair[2];
    char label[64];

    for (unsigned i = 0; i < SELINUX_PAIRS - 1; i++) {
        assert_int_equal(selinux_pick(pairs, i * 7, pair), 0);
        assert_true(pair[0] < pair[1] && pair[1] < SELINUX_CATEGORIES);
        snprintf(label, sizeof(label), "a:b:c:s0:c%u,c%u", pair[0], pair[1]);
        selinux_take(pairs, label);
        assert_int_equal(pairs->n, i + 1);
    }
    assert_int_equal(selinux_pick(pairs, UINT32_MAX, pair), 0);
    snprintf(label, sizeof(label), "a:b:c:s0:c%u,c%u", pair[1], pair[0]);
    selinux_take(pairs, label);
    assert_int_equal(selinux_pick(pairs, 0, pair), -ENOSPC);
}

static void test_labels_without_a_pair(void **state) {
    static const char *const labels[] = {"unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023",
                                         "a:b:c:s0",
                                         "a:b:c:s0:c1,c1",
                                         "",
                                         "a:b:c:s0:c1,c1024",
                                         "a:b:c:s0:c1,c2,c3"};
    CLEANUP_FREE SelinuxPairs *pairs = calloc(1, sizeof(SelinuxPairs));

    for (size_t i = 0; i < ARRAY_SIZE(labels); i++)
        selinux_take(pairs, labels[i]);
    assert_int_equal(pairs->n, 0);
}

/* Those of another daemon's guests, too. */
static void test_running(void **state) {
    CLEANUP_FREE SelinuxPairs *pairs = calloc(1, sizeof(SelinuxPairs));
    CLEANUP_FREE char *procfs = path_join(root, "proc");
    unsigned pair[2];

    put("proc/7/attr/current", "system_u:system_r:svirt_t:s0:c0,c1");
    put("proc/70/attr/current", "system_u:system_r:svirt_t:s0:c0,c2\n");
    put("proc/8/attr/current", "kernel");
    put("proc/self/attr/current", "system_u:system_r:svirt_t:s0:c1,c2");
    selinux_take_running(pairs, procfs);
    assert_int_equal(pairs->n, 2);
    assert_int_equal(selinux_pick(pairs, 0, pair), 0);
    assert_true(pair[0] == 1 && pair[1] == 2);
}

/* ---- files ---- */

static char *label_of(const char *path) {
    char text[256];
    ssize_t n = getxattr(path, "security.selinux", text, sizeof(text) - 1);

    if (n < 0)
        return NULL;
    text[n] = '\0';
    return strdup(text);
}

static char *make_file(const char *name, const char *label) {
    char *path = path_join(root, name);

    put(name, "");
    if (geteuid() != 0 ||
        setxattr(path, "security.selinux", label, strlen(label) + (*label != '\0'), 0) < 0)
        skip();
    if (!*label)
        removexattr(path, "security.selinux");
    return path;
}

static void check_label(const char *path, const char *expected) {
    CLEANUP_FREE char *label = label_of(path);

    if (expected)
        assert_string_equal(label, expected);
    else
        assert_null(label);
}

static FileLabelled give(const char *path, const char *label) {
    FileLabelled found = {0};

    assert_int_equal(file_label_look(path, &found, NULL), 1);
    assert_int_equal(file_label_give(path, label, &found, NULL), 0);
    check_label(path, label);
    return found;
}

static void test_given_and_taken_back(void **state) {
    static const char *const before[] = {OLD, ""};

    for (size_t i = 0; i < ARRAY_SIZE(before); i++) {
        CLEANUP_FREE char *path = make_file("image", before[i]);
        FileLabelled found = give(path, ONE);

        assert_int_equal(file_label_take_back(path, ONE, &found), 0);
        check_label(path, *before[i] ? before[i] : NULL);
        assert_true(getxattr(path, "trusted.vireo.label", NULL, 0) < 0);
        free(found.label);
    }
}

/* The last one takes it back, whoever gave it first. */
static void test_shared(void **state) {
    CLEANUP_FREE char *path = make_file("shared", OLD);
    FileLabelled first = give(path, ONE), second = give(path, ONE), other = {0};
    CLEANUP_ERROR Error *error = NULL;

    assert_string_equal(second.label, OLD);
    assert_int_equal(file_label_look(path, &other, NULL), 1);
    assert_true(file_label_give(path, TWO, &other, &error) < 0);
    assert_non_null(strstr(error_message(error), "is in use with the label '" ONE "'"));
    check_label(path, ONE);
    assert_int_equal(file_label_take_back(path, ONE, &first), 0);
    check_label(path, ONE);
    assert_int_equal(file_label_take_back(path, ONE, &second), 0);
    check_label(path, OLD);
    free(first.label);
    free(second.label);
    free(other.label);
}

/* What somebody else has done since is his. */
static void test_changed_since(void **state) {
    CLEANUP_FREE char *path = make_file("changed", OLD);
    FileLabelled found = give(path, ONE);

    assert_int_equal(setxattr(path, "security.selinux", TWO, sizeof(TWO), 0), 0);
    assert_int_equal(file_label_take_back(path, ONE, &found), 0);
    check_label(path, TWO);
    free(found.label);
    found = give(path, ONE);
    put("changed", "another file");
    assert_int_equal(file_label_take_back(path, ONE, &found), 0);
    assert_true(file_label_give(path, ONE, &found, NULL) < 0);
    free(found.label);
}

/* A mark of before the host's last boot counts for nothing. */
static void test_an_earlier_boot(void **state) {
    static const char mark[] = "7 00000000-0000-0000-0000-000000000000 " OLD;
    CLEANUP_FREE char *path = make_file("earlier", ONE);
    FileLabelled found = {0};

    if (setxattr(path, "trusted.vireo.label", mark, strlen(mark), 0) < 0)
        skip();
    assert_int_equal(file_label_look(path, &found, NULL), 1);
    assert_int_equal(file_label_give(path, TWO, &found, NULL), 0);
    check_label(path, TWO);
    free(found.label);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy),         cmocka_unit_test(test_levels),
        cmocka_unit_test(test_pairs),          cmocka_unit_test(test_labels_without_a_pair),
        cmocka_unit_test(test_running),        cmocka_unit_test(test_given_and_taken_back),
        cmocka_unit_test(test_shared),         cmocka_unit_test(test_changed_since),
        cmocka_unit_test(test_an_earlier_boot)};
    CLEANUP_FREE char *command = NULL;
    char *made = mkdtemp(root);
    int r;

    if (!made)
        return 1;
    r = cmocka_run_group_tests(tests, NULL, NULL);
    command = strf("rm -rf '%s'", root);
    return system(command) == 0 ? r : 1;
}
