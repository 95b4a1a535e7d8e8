/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What older vireods left behind is read for good: tests/data/older has a file of each kind and
 * version, as that version wrote it. What a newer one left is not touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "domain/operation-log.h"
#include "domain/status-file.h"
#include "util/file.h"
#include "util/log.h"

static char *older(const char *name) {
    CLEANUP_FREE char *path = path_join(TEST_DATA_DIR "/older", name);
    char *text = NULL;

    assert_int_equal(file_read(path, 1u << 20, &text, NULL), 0);
    return text;
}

/* ---- status files ---- */

static void test_status(void **state) {
    static const char *const names[] = {"status-1.xml", "status-2.xml"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        CLEANUP_FREE char *text = older(names[i]);
        StatusRecord record;
        const DomainDef *live;

        assert_int_equal(status_file_parse(text, strlen(text), &record, NULL), 0);
        live = record.run->live;
        assert_int_equal(record.run->id, 1);
        assert_int_equal(record.run->pid.pid, 23804);
        assert_int_equal(record.run->pid.start_time, 7179480);
        assert_int_equal(record.state, DOMAIN_PAUSED);
        assert_string_equal(record.run->monitor_path, "/var/lib/vireo/monitors/1.sock");
        assert_string_equal(live->name, "old");
        assert_int_equal(domain_def_online_vcpus(live), 2);
        assert_non_null(live->vcpus[0].pin);
        assert_true(bitmap_test(live->vcpus[0].pin, 0) && bitmap_count(live->vcpus[0].pin) == 1);
        domain_run_free(record.run);
    }
}

static void test_newer_status(void **state) {
    CLEANUP_FREE char *text = older("status-2.xml");
    CLEANUP_ERROR Error *error = NULL;
    char *version = strstr(text, "version='2'");
    StatusRecord record;

    assert_non_null(version);
    version[strlen("version='")] = '9';
    assert_true(status_file_parse(text, strlen(text), &record, &error) < 0);
    assert_non_null(strstr(error_message(error), "newer"));
}

/* ---- journals ---- */

/* What a daemon finds that comes to a directory with this journal. */
static OperationLog *load(const char *directory, const char *text) {
    CLEANUP_FREE char *path = path_join(directory, "7.json");
    OperationLog *log = operation_log_new(directory, NULL, NULL);
    FILE *file = fopen(path, "w");

    assert_non_null(log);
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    operation_log_load(log);
    return log;
}

static bool unload(const char *directory, OperationLog *log) {
    CLEANUP_FREE char *path = path_join(directory, "7.json");

    operation_log_free(log);
    return unlink(path) == 0;
}

static void check_journal(const Operation *operation, bool of_device) {
    assert_non_null(operation);
    assert_int_equal(operation->id, 7);
    assert_string_equal(operation->name, "old");
    assert_int_equal(operation->pid.pid, 23804);
    assert_true(operation->live && !operation->config);
    assert_int_equal(operation_is_of_device(operation), of_device);
    if (of_device) {
        assert_string_equal(operation->device.alias, "virtio-disk0");
        return;
    }
    assert_true(operation->plug);
    assert_int_equal(operation->n_vcpus, 1);
    assert_int_equal(operation->vcpus[0], 1);
}

static void test_journals(void **state) {
    static const char *const names[] = {"journal-0.json", "journal-1.json",
                                        "journal-device-0.json"};
    char directory[] = "/tmp/vireo-older.XXXXXX";

    assert_non_null(mkdtemp(directory));
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        CLEANUP_FREE char *text = older(names[i]);
        OperationLog *log = load(directory, text);

        check_journal(operation_log_first(log), strstr(names[i], "device") != NULL);
        assert_true(unload(directory, log));
    }
    assert_int_equal(rmdir(directory), 0);
}

/* It stays for the vireod that wrote it. */
static void test_newer_journal(void **state) {
    char directory[] = "/tmp/vireo-older.XXXXXX";
    CLEANUP_FREE char *text = older("journal-1.json");
    char *version = strstr(text, "\"version\":1");
    OperationLog *log;

    assert_non_null(version);
    version[strlen("\"version\":")] = '9';
    assert_non_null(mkdtemp(directory));
    log = load(directory, text);
    assert_null(operation_log_first(log));
    assert_true(unload(directory, log));
    assert_int_equal(rmdir(directory), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_newer_status),
        cmocka_unit_test(test_journals),
        cmocka_unit_test(test_newer_journal),
    };

    log_init(LOG_CRIT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
