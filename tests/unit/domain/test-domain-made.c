/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The note of what was made for a domain: what is added is read again, and a damaged one is said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "domain/made.h"
#include "util/file.h"

static char directory[] = "/tmp/vireo-made-XXXXXX";

static char *note(void) {
    return path_join(directory, "note.json");
}

static void test_what_is_added_is_read_in_order(void **state) {
    CLEANUP_FREE char *path = note();
    CLEANUP(made_done) MadeList list = {0};
    const Made process = {.kind = MADE_PROCESS, .name = (char *)"/run/\"a\".sock", .pid = {17, 99}};
    const Made pci = {.kind = MADE_PCI, .name = (char *)"0000:01:00.0", .detail = (char *)""};

    assert_int_equal(made_read(path, &list), -ENOENT);
    assert_int_equal(made_add(path, &process, NULL), 0);
    assert_int_equal(made_add(path, &pci, NULL), 0);
    assert_int_equal(made_read(path, &list), 0);
    assert_int_equal(list.n, 2);
    assert_true(list.items[0].kind == MADE_PROCESS && list.items[0].pid.pid == 17 &&
                list.items[0].pid.start_time == 99 && !list.items[0].detail);
    assert_string_equal(list.items[0].name, "/run/\"a\".sock");
    assert_true(list.items[1].kind == MADE_PCI && list.items[1].pid.pid == 0);
    assert_string_equal(list.items[1].detail, "");
    unlink(path);
}

static void test_a_damaged_one_is_not_added_to(void **state) {
    static const char *const texts[] = {"", "{\"made\":[{\"kind\":\"moon\",\"name\":\"x\"}]}",
                                        "{\"made\":[{\"kind\":\"pci\"}]}", "{\"made\":[{"};
    const Made port = {.kind = MADE_SWITCH_PORT, .name = (char *)"vnet0"};
    CLEANUP_FREE char *path = note();

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        CLEANUP_ERROR Error *error = NULL;
        CLEANUP_FREE char *text = NULL;
        MadeList list;

        assert_int_equal(file_write_atomic(path, texts[i], strlen(texts[i]), 0600), 0);
        assert_true(made_read(path, &list) < 0);
        assert_true(made_add(path, &port, &error) < 0);
        assert_non_null(strstr(error_message(error), path));
        assert_int_equal(file_read(path, 4096, &text, NULL), 0);
        assert_string_equal(text, texts[i]);
    }
    unlink(path);
}

static int set_up(void **state) {
    return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state) {
    return rmdir(directory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_added_is_read_in_order),
        cmocka_unit_test(test_a_damaged_one_is_not_added_to),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
