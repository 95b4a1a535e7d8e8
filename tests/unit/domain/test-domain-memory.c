/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the daemon keeps for the next one, written and read while an allocation fails: a file is
 * whole, or as it was; and what could not be read for want of memory stays there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <unistd.h>

#include "domain/birth.h"
#include "domain/operation-log.h"
#include "domain/status-file.h"
#include "failing.h"
#include "live-def.h"
#include "util/file.h"
#include "util/json.h"
#include "util/log.h"

#define FILE_MAX (1u << 20)

static char directory[32];
static Domain *domain;

static DomainDef *make_def(void) {
    static const char xml[] =
        "<domain type='kvm'><name>d</name><uuid>6c1a0fd2-8f10-4b3f-9b80-3f1d26b0a00b</uuid>"
        "<memory>65536</memory><vcpu current='2'>4</vcpu><os><type arch='x86_64' machine='q35'>hvm"
        "</type></os><devices><controller type='usb' model='none'/></devices></domain>";

    return live_def(xml);
}

static int set_up(void **state) {
    log_init(LOG_CRIT); /* what cannot be read is said each time */
    strcpy(directory, "/tmp/vireo-memory.XXXXXX");
    assert_non_null(mkdtemp(directory));
    domain = domain_new();
    domain->run = domain_run_new(3, make_def());
    domain->run->pid = (QemuPid){.pid = 4711, .start_time = 12};
    domain->run->monitor_path = strdup("/run/monitor");
    domain->run->log_path = strdup("/run/log");
    return 0;
}

static int tear_down(void **state) {
    CLEANUP_FREE char *command = strf("rm -r '%s'", directory);

    domain_unref(domain);
    return system(command);
}

/* NULL: there is none. */
static char *text_of(const char *name) {
    CLEANUP_FREE char *path = path_join(directory, name);
    char *text = NULL;

    return file_read(path, FILE_MAX, &text, NULL) < 0 ? NULL : text;
}

static void remove_file(const char *name) {
    CLEANUP_FREE char *path = path_join(directory, name);

    unlink(path);
}

/* It may have failed behind the rename, too. */
static void assert_whole(int r, const char *text) {
    CLEANUP_JSON json_object *object = NULL;

    if (r >= 0 || text)
        assert_int_equal(json_parse(text, strlen(text), &object), 0);
}

/* ---- the journal of an operation ---- */

static int write_journal(void *operation, char **ret) {
    int r;

    remove_file("1.json");
    failing_begin();
    r = operation_journal(operation, NULL);
    failing_end();
    *ret = text_of("1.json");
    assert_whole(r, *ret);
    return r;
}

/* The newest operation that a log knows, as the journal would have it; NULL: none. */
static char *describe_newest(const OperationLog *log) {
    const Operation *operation = operation_log_first(log);
    CLEANUP_FREE char *what = operation ? operation_describe(operation) : NULL;

    return what ? strf("%s %s %zu %d", what, operation->name, operation->n_vcpus,
                       (int)operation->pid.pid)
                : NULL;
}

static int read_journal(void *expected, char **ret) {
    OperationLog *log = operation_log_new(directory, NULL, NULL);
    CLEANUP_FREE char *left = NULL;

    failing_begin();
    operation_log_load(log);
    failing_end();
    *ret = describe_newest(log);
    operation_log_free(log);
    left = text_of("1.json");
    assert_non_null(left);
    assert_string_equal(left, expected);
    return *ret ? 0 : -ENOMEM;
}

static void test_journal(void **state) {
    const VcpuRequest request = {.single = true, .ids = (char *)"2-3", .enable = true, .flags = 3};
    OperationLog *log = operation_log_new(directory, NULL, NULL);
    CLEANUP_FREE char *text = NULL;
    Operation *operation = NULL;

    assert_int_equal(operation_begin(log, domain, &request, &operation, NULL), 0);
    operation->vcpus = calloc(2, sizeof(unsigned));
    operation->n_vcpus = 2;
    operation->plug = operation->live = operation->config = true;
    failing_sweep("writing a journal", write_journal, operation);
    text = text_of("1.json");
    assert_null(strstr(text, "null"));
    failing_sweep("reading a journal", read_journal, text);
    operation_unref(operation);
    operation_log_free(log);
}

/* ---- the status file ---- */

static int write_status(void *userdata, char **ret) {
    int r;

    failing_begin();
    r = status_file_format(domain, ret);
    failing_end();
    return r;
}

static int read_status(void *text, char **ret) {
    StatusRecord record = {0};
    Domain *found = NULL;
    int r;

    failing_begin();
    r = status_file_parse(text, strlen(text), &record, NULL);
    failing_end();
    if (r < 0)
        return r;
    found = domain_new();
    found->run = record.run;
    found->state = record.state;
    found->reason = record.reason;
    assert_int_equal(status_file_format(found, ret), 0);
    domain_unref(found);
    return 0;
}

static void test_status_file(void **state) {
    CLEANUP_FREE char *text = NULL;

    failing_sweep("writing a status file", write_status, NULL);
    assert_int_equal(status_file_format(domain, &text), 0);
    failing_sweep("reading a status file", read_status, text);
}

/* ---- the record of a birth ---- */

static int write_birth(void *birth, char **ret) {
    int r;

    remove_file("7.json");
    failing_begin();
    r = birth_write(directory, birth, NULL);
    failing_end();
    *ret = text_of("7.json");
    assert_whole(r, *ret);
    return r;
}

static int read_birth(void *path, char **ret) {
    Birth birth = {0};
    int r;

    failing_begin();
    r = birth_read(path, &birth);
    failing_end();
    *ret = r < 0 ? NULL : strf("%d %s %s", birth.id, birth.name, birth.monitor_path);
    birth_done(&birth);
    return r;
}

static void test_birth(void **state) {
    Birth birth = {.id = 7, .pid = {4711, 12}, .name = (char *)"d", .monitor_path = (char *)"/m"};
    CLEANUP_FREE char *path = path_join(directory, "7.json");

    failing_sweep("writing a birth", write_birth, &birth);
    failing_sweep("reading a birth", read_birth, path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_journal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_status_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_birth, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
