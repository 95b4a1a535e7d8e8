/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Audit records: their texts, and that a real auditd writes down what was sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <libaudit.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "skip.h"
#include "host/audit.h"
#include "util/fiber.h"
#include "util/file.h"

#define UUID "c7a5fdbd-cdaf-9455-926a-d65c16db1809"

static const AuditVm vm = {.virt = "kvm", .name = "ol8", .uuid = UUID};

static const AuditCaller caller = {.pid = 12, .uid = 1000, .auid = 1001, .ses = 3},
                         far = {.pid = -1,
                                .uid = UINT32_MAX,
                                .auid = UINT32_MAX,
                                .ses = UINT32_MAX,
                                .addr = "2001:db8::7"};

static void assert_text(char *text, const char *expected) {
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static void test_texts(void **state) {
    assert_text(audit_control_text(&vm, "start", "booted", 4711),
                "virt=kvm op=start reason=booted "
                "vm=\"ol8\" uuid=" UUID " vm-pid=4711");
    assert_text(audit_count_text(&vm, "vcpu", "update", 5, 6),
                "virt=kvm resrc=vcpu reason=update vm=\"ol8\" "
                "uuid=" UUID " old-vcpu=5 new-vcpu=6");
    assert_text(audit_count_text(&vm, "mem", "start", 0, UINT64_MAX),
                "virt=kvm resrc=mem reason=start "
                "vm=\"ol8\" uuid=" UUID " old-mem=0 "
                "new-mem=18446744073709551615");
    assert_text(audit_device_text(&vm, "disk", "start", NULL, "/var/lib/x.img"),
                "virt=kvm resrc=disk reason=start vm=\"ol8\" uuid=" UUID " old-disk=\"?\" "
                "new-disk=\"/var/lib/x.img\"");
    assert_text(audit_device_text(&vm, "net", "detach", "52:54:00:00:00:01", NULL),
                "virt=kvm resrc=net reason=detach vm=\"ol8\" uuid=" UUID
                " old-net=\"52:54:00:00:00:01\" "
                "new-net=\"?\"");
    assert_text(audit_cgroup_text(&vm, "deny", "/machine/x", NULL, NULL),
                "virt=kvm resrc=cgroup reason=deny vm=\"ol8\" uuid=" UUID
                " cgroup=\"/machine/x\" class=all");
    assert_text(audit_cgroup_text(&vm, "allow", "/machine/x", "/dev/null", "rw"),
                "virt=kvm resrc=cgroup reason=allow vm=\"ol8\" uuid=" UUID " cgroup=\"/machine/x\" "
                "class=path path=\"/dev/null\" rdev=01:03 acl=rw");
    assert_text(audit_cgroup_text(&vm, "allow", "/machine/x", "/nonexistent", "rw"),
                "virt=kvm resrc=cgroup reason=allow vm=\"ol8\" uuid=" UUID " cgroup=\"/machine/x\" "
                "class=path path=\"/nonexistent\" rdev=? acl=rw");
    assert_text(audit_call_text(&vm, "virDomainDestroy", &caller),
                "virt=kvm op=virDomainDestroy reason=call vm=\"ol8\" uuid=" UUID
                " caller-pid=12 caller-uid=1000 caller-auid=1001 caller-ses=3");
    assert_text(audit_call_text(NULL, "virDomainDefineXML", &caller),
                "virt=qemu op=virDomainDefineXML reason=call vm=\"?\" uuid=? caller-pid=12 "
                "caller-uid=1000 caller-auid=1001 caller-ses=3");
    assert_text(audit_call_text(NULL, "virDomainDefineXML", &far),
                "virt=qemu op=virDomainDefineXML reason=call vm=\"?\" uuid=? caller-pid=-1 "
                "caller-uid=4294967295 caller-auid=4294967295 caller-ses=4294967295 "
                "caller-addr=2001:db8::7");
}

/* A name must not be able to add fields, end the record or confuse a reader. */
static void test_names_that_need_encoding(void **state) {
    static const struct {
        const char *name, *expected;
    } rows[] = {{"a b", "vm=612062"},
                {"x\" res=success", "vm=782220726573"},
                {"line\nbreak", "vm=6C696E650A627265616B"},
                {"\xc3\xbc", "vm=C3BC"},
                {"a'b", "vm=\"a'b\""},
                {"\x7f", "vm=7F"}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        AuditVm other = {.virt = "qemu", .name = rows[i].name, .uuid = UUID};
        CLEANUP_FREE char *text = audit_count_text(&other, "vcpu", "update", 1, 2);

        assert_non_null(strstr(text, rows[i].expected));
        assert_null(strchr(text, '\n'));
        assert_null(strstr(text, "res=success"));
    }
}

/* Two long paths in their longest form still fit one record. */
static void test_long_values_are_cut(void **state) {
    char path[8192];
    CLEANUP_FREE char *text = NULL;

    memset(path, ' ', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    text = audit_device_text(&vm, "disk", "attach", path, path);
    assert_in_range(strlen(text), 4096, MAX_AUDIT_MESSAGE_LENGTH - 512);
}

static void test_off(void **state) {
    CLEANUP(auditor_freep) Auditor *auditor = NULL;

    assert_int_equal(auditor_new(AUDIT_LEVEL_OFF, &auditor, NULL), 0);
    assert_false(auditor_is_active(auditor));
    assert_int_equal(auditor_send(auditor, AUDIT_TYPE_CONTROL, "x", true, NULL), 0);
}

/* The kernel --------------------------------------------------------------------------------------
 */

typedef struct Daemon {
    char dir[64];
    pid_t pid;
    int fd;
} Daemon;

static char *find_program(const char *name) {
    static const char *const dirs[] = {"/usr/sbin", "/sbin", "/usr/bin"};

    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        char *path = path_join(dirs[i], name);

        if (access(path, X_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

static int set_up(void **state) {
    Daemon *daemon = calloc(1, sizeof(Daemon));

    strcpy(daemon->dir, "/tmp/vireo-test-audit-XXXXXX");
    daemon->fd = audit_open();
    *state = daemon;
    return mkdtemp(daemon->dir) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *ftw) {
    return remove(path);
}

/* Audit is switched off again: it was off, or the test would have been skipped. */
static int tear_down(void **state) {
    Daemon *daemon = *state;

    if (daemon->pid > 0) {
        kill(daemon->pid, SIGTERM);
        waitpid(daemon->pid, NULL, 0);
        audit_set_enabled(daemon->fd, 0);
    }
    if (daemon->fd >= 0)
        audit_close(daemon->fd);
    nftw(daemon->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(daemon);
    return 0;
}

static void write_config(const Daemon *daemon) {
    CLEANUP_FREE char *plugins = path_join(daemon->dir, "plugins.d"),
                      *path = path_join(daemon->dir, "auditd."
                                                     "conf");
    CLEANUP_FREE char *text = strf(
        "local_events = yes\nwrite_logs = yes\nlog_file = %s/audit.log\n"
        "log_group = root\nlog_format = RAW\nflush = NONE\npriority_boost = 0\n"
        "max_log_file_action = IGNORE\nspace_left = 2\nadmin_space_left = 1\n"
        "space_left_action = IGNORE\nadmin_space_left_action = IGNORE\n"
        "disk_full_action = IGNORE\ndisk_error_action = IGNORE\nplugin_dir = %s\n",
        daemon->dir, plugins);

    assert_int_equal(mkdir(plugins, 0750), 0);
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0640), 0);
}

static void send_output_to(const char *dir, const char *name) {
    CLEANUP_FREE char *path = path_join(dir, name);
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    dup2(fd, 1);
    dup2(fd, 2);
}

/* An auditd of the test's own, on a host whose audit is off; skips anywhere else. */
static void start_auditd(Daemon *daemon) {
    CLEANUP_FREE char *program = find_program("auditd");
    uint64_t deadline = deadline_in(5 * USEC_PER_SEC);

    need(geteuid() == 0, "not root");
    need(program != NULL, "no auditd");
    need(daemon->fd >= 0, "the kernel has no audit");
    need(audit_is_enabled(daemon->fd) == 0, "this host's audit is in use already");
    write_config(daemon);
    daemon->pid = fork();
    if (daemon->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        send_output_to(daemon->dir, "out");
        execl(program, "auditd", "-n", "-c", daemon->dir, "-s", "enable", NULL);
        _exit(127);
    }
    while (audit_is_enabled(daemon->fd) != 1 && now_usec() < deadline && daemon->pid > 0) {
        if (waitpid(daemon->pid, NULL, WNOHANG) != 0)
            daemon->pid = 0; /* it ended */
        usleep(20000);
    }
    need(audit_is_enabled(daemon->fd) == 1,
         "auditd does not run here (network namespace, or another "
         "auditd)");
}

/* What ausearch finds of one type. */
static char *ausearch(const Daemon *daemon, const char *type) {
    CLEANUP_FREE char *program = find_program("ausearch"),
                      *log = path_join(daemon->dir, "audit.log");
    CLEANUP_FREE char *found = path_join(daemon->dir, "found");
    char *text = NULL;
    pid_t pid;

    need(program != NULL, "no ausearch");
    pid = fork();
    if (pid == 0) {
        send_output_to(daemon->dir, "found");
        execl(program, "ausearch", "-if", log, "-m", type, NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
    assert_int_equal(file_read(found, 65536, &text, NULL), 0);
    return text;
}

static char *wait_for_record(const Daemon *daemon, const char *type, const char *part) {
    for (uint64_t deadline = deadline_in(5 * USEC_PER_SEC);;) {
        char *text = ausearch(daemon, type);

        if (strstr(text, part) || now_usec() >= deadline)
            return text;
        free(text);
        usleep(50000);
    }
}

static void test_auditd_writes_the_records(void **state) {
    Daemon *daemon = *state;
    CLEANUP(auditor_freep) Auditor *auditor = NULL;
    CLEANUP_FREE char *up = NULL, *down = NULL, *resources = NULL, *control = NULL;
    CLEANUP_ERROR Error *error = NULL;

    start_auditd(daemon);
    assert_int_equal(auditor_new(AUDIT_LEVEL_REQUIRED, &auditor, &error), 0);
    assert_true(auditor_is_active(auditor));
    up = audit_count_text(&vm, "vcpu", "update", 5, 6);
    down = audit_control_text(&vm, "stop", "shutdown", 4711);
    assert_int_equal(auditor_send(auditor, AUDIT_TYPE_RESOURCE, up, true, &error), 0);
    assert_int_equal(auditor_send(auditor, AUDIT_TYPE_CONTROL, down, false, &error), 0);
    resources = wait_for_record(daemon, "VIRT_RESOURCE", up);
    assert_non_null(strstr(resources, up));
    assert_non_null(strstr(resources, "type=VIRT_RESOURCE"));
    assert_non_null(strstr(resources, "hostname=? addr=? terminal=? res=success"));
    assert_non_null(strstr(resources, "exe=\""));
    control = wait_for_record(daemon, "VIRT_CONTROL", down);
    assert_non_null(strstr(control, down));
    assert_non_null(strstr(control, "res=failed"));
    assert_null(strstr(control, "resrc="));
}

/* Required, and then somebody switches audit off: each record is an error, none is lost without a
 * word. */
static void test_audit_that_is_switched_off(void **state) {
    Daemon *daemon = *state;
    CLEANUP(auditor_freep) Auditor *required = NULL, *relaxed = NULL, *none = NULL;
    CLEANUP_ERROR Error *error = NULL;

    start_auditd(daemon);
    assert_int_equal(auditor_new(AUDIT_LEVEL_REQUIRED, &required, &error), 0);
    assert_int_equal(auditor_new(AUDIT_LEVEL_IF_AVAILABLE, &relaxed, &error), 0);
    assert_true(audit_set_enabled(daemon->fd, 0) > 0);
    assert_int_equal(auditor_send(required, AUDIT_TYPE_CONTROL, "virt=kvm op=x", true, &error),
                     -EOPNOTSUPP);
    assert_non_null(strstr(error_message(error), "auditctl -e 1"));
    assert_int_equal(auditor_send(relaxed, AUDIT_TYPE_CONTROL, "virt=kvm op=x", true, NULL), 0);
    assert_int_equal(auditor_new(AUDIT_LEVEL_REQUIRED, &none, &error), -EOPNOTSUPP);
}

static void test_no_memory_for_a_text(void **state) {
    Daemon *daemon = *state;
    CLEANUP(auditor_freep) Auditor *relaxed = NULL;

    assert_int_equal(auditor_new(AUDIT_LEVEL_IF_AVAILABLE, &relaxed, NULL), 0);
    assert_int_equal(auditor_is_active(relaxed), daemon->fd >= 0);
    assert_int_equal(auditor_send(relaxed, AUDIT_TYPE_RESOURCE, NULL, true, NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_names_that_need_encoding),
        cmocka_unit_test(test_long_values_are_cut),
        cmocka_unit_test(test_off),
        cmocka_unit_test_setup_teardown(test_auditd_writes_the_records, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_audit_that_is_switched_off, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_memory_for_a_text, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
