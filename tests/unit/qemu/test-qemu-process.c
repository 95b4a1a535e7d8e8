/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processes as they are started: what outlives the daemon, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "qemu/process.h"
#include "util/file.h"
#include "util/worker.h"

/* What the forked daemon says. */
typedef struct Started {
    QemuPid guest, probe;
} Started;

static int report = -1;

static void start_two(void *userdata) {
    const char *directory = userdata;
    char *argv[] = {(char *)"/bin/sleep", (char *)"600", NULL};
    CLEANUP_FREE char *log = path_join(directory, "log"), *monitor = path_join(directory, "m");
    CLEANUP_CLOSE int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    QemuSpawn spawn = {.argv = argv, .log_path = log, .monitor_fd = fd, .monitor_path = monitor};
    Started started = {0};

    if (qemu_process_spawn(&spawn, &started.guest, NULL) < 0)
        _exit(1);
    spawn.is_probe = true;
    if (qemu_process_spawn(&spawn, &started.probe, NULL) < 0 ||
        write(report, &started, sizeof(started)) != sizeof(started))
        _exit(1);
}

static void be_the_daemon(const char *directory) {
    sd_event *loop = NULL;

    if (sd_event_new(&loop) < 0 || fiber_init(loop) < 0 || worker_init(1) < 0 ||
        fiber_start("start", start_two, (void *)directory) < 0)
        _exit(1);
    for (;;)
        sd_event_run(loop, UINT64_MAX);
}

static void test_a_probe_ends_with_the_daemon(void **state) {
    char directory[] = "/tmp/vireo-process-XXXXXX";
    CLEANUP_FREE char *log = NULL;
    Started started;
    int fds[2];
    pid_t pid;

    assert_non_null(mkdtemp(directory));
    log = path_join(directory, "log");
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid = fork();
    if (pid == 0) {
        report = fds[1];
        be_the_daemon(directory);
    }
    close(fds[1]);
    assert_int_equal(read(fds[0], &started, sizeof(started)), sizeof(started));
    close(fds[0]);
    assert_true(qemu_process_alive(&started.guest) && qemu_process_alive(&started.probe));
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    while (qemu_process_alive(&started.probe))
        usleep(1000);
    assert_true(qemu_process_alive(&started.guest));
    assert_int_equal(kill(started.guest.pid, SIGKILL), 0);
    unlink(log);
    rmdir(directory);
}

/* ---- what a QEMU gets besides ---- */

typedef struct Given {
    const char *directory;
    int fds[2];
    int r;
    bool done;
} Given;

static void start_writer(void *userdata) {
    Given *given = userdata;
    char *argv[] = {(char *)"/bin/sh", (char *)"-c",
                    (char *)"echo first $WORD >&6; echo second >&7; echo none >&8", NULL};
    char *environment[] = {(char *)"WORD=of ours", NULL};
    CLEANUP_FREE char *log = path_join(given->directory, "log"), *monitor = path_join("/", "m");
    CLEANUP_CLOSE int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    QemuSpawn spawn = {.argv = argv,
                       .log_path = log,
                       .monitor_fd = fd,
                       .monitor_path = monitor,
                       .fds = given->fds,
                       .n_fds = 2,
                       .environment = environment};
    QemuPid pid = {0};

    given->r = qemu_process_spawn(&spawn, &pid, NULL);
    if (given->r >= 0)
        waitpid(pid.pid, NULL, 0);
    given->done = true;
}

/* Two pipes, the second with the number that the first is to have. */
static void test_descriptors_and_words_are_given(void **state) {
    char directory[] = "/tmp/vireo-process-XXXXXX", text[64] = "";
    CLEANUP_FREE char *log = NULL, *said = NULL;
    sd_event *loop = NULL;
    Given given = {.directory = directory};
    int one[2], two[2];

    assert_non_null(mkdtemp(directory));
    log = path_join(directory, "log");
    assert_true(sd_event_new(&loop) >= 0 && fiber_init(loop) >= 0);
    assert_true(pipe2(one, O_CLOEXEC) == 0 && pipe2(two, O_CLOEXEC) == 0);
    given.fds[0] = fcntl(one[1], F_DUPFD_CLOEXEC, QEMU_FIRST_FD + 1);
    given.fds[1] = two[1];
    start_writer(&given);
    assert_true(given.done && given.r >= 0);
    assert_int_equal(read(one[0], text, sizeof(text)), strlen("first of ours\n"));
    assert_string_equal(text, "first of ours\n");
    memset(text, 0, sizeof(text));
    assert_int_equal(read(two[0], text, sizeof(text)), strlen("second\n"));
    assert_string_equal(text, "second\n");
    assert_int_equal(file_read(log, 4096, &said, NULL), 0);
    assert_non_null(strstr(strchr(said, '\n'), "8")); /* "sh: 8: Bad file descriptor" */
    for (int i = 0; i < 2; i++) {
        close(one[i]);
        close(two[i]);
    }
    close(given.fds[0]);
    unlink(log);
    rmdir(directory);
    fiber_shutdown();
    sd_event_unref(loop);
}

/* ---- whose end is asked for ---- */

static QemuPid shared;
static int kill_status = -1;

static pid_t run_child(int status) {
    pid_t pid = fork();

    if (pid == 0) {
        if (status >= 0)
            _exit(status);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl("/bin/sleep", "sleep", "600", NULL);
        _exit(127);
    }
    assert_true(pid > 0);
    return pid;
}

static void kill_shared(void *userdata) {
    kill_status = qemu_process_kill(&shared, 30 * USEC_PER_SEC);
    sd_event_exit(fiber_event(), 0);
}

static void forget_shared(void *userdata) {
    shared = (QemuPid){0};
}

/* The caller's record of who is killed may be gone while that waits, and a run may have none: the
 * statuses of other children stay for those who ask for them. */
static void test_a_kill_takes_nobody_elses_status(void **state) {
    pid_t other = run_child(7), pid = run_child(-1);
    siginfo_t info;
    sd_event *loop = NULL;
    int status = 0;

    assert_int_equal(waitid(P_PID, (id_t)other, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(qemu_process_kill(&(QemuPid){0}, 0), 0);
    assert_int_equal(qemu_process_identify(pid, &shared), 0);
    assert_true(sd_event_new(&loop) >= 0 && fiber_init(loop) >= 0);
    assert_int_equal(fiber_start("kill", kill_shared, NULL), 0);
    assert_int_equal(fiber_start("forget", forget_shared, NULL), 0);
    assert_int_equal(sd_event_loop(loop), 0);
    assert_int_equal(kill_status, 0);
    assert_int_equal(shared.pid, 0);
    assert_int_equal(waitpid(pid, &status, WNOHANG), -1); /* it was taken */
    assert_int_equal(waitpid(other, &status, WNOHANG), other);
    assert_int_equal(WEXITSTATUS(status), 7);
    fiber_shutdown();
    sd_event_unref(loop);
}

/* A log that has "before" of an earlier run, an argv of that many bytes, and what QEMU said. */
static void check_tail(size_t argv_bytes, const char *said, size_t max, const char *expected) {
    char path[] = "/tmp/vireo-test-log-XXXXXX";
    CLEANUP_CLOSE int fd = mkstemp(path);
    CLEANUP_FREE char *tail = NULL;

    assert_true(fd >= 0 && dprintf(fd, "before\n") == 7);
    if (argv_bytes > 0)
        assert_int_equal(dprintf(fd, "/%0*d\n", (int)argv_bytes, 1), (int)argv_bytes + 2);
    assert_int_equal(dprintf(fd, "%s", said), (int)strlen(said));
    tail = qemu_log_tail(path, 7, max);
    unlink(path);
    assert_non_null(tail);
    assert_string_equal(tail, expected);
}

static void test_the_tail_of_a_log_is_what_qemu_said(void **state) {
    check_tail(20, "no such disk\n", 100, "no such disk");
    check_tail(10000, "no such disk\n", 100, "no such disk"); /* an argv longer than what is read */
    check_tail(4095, "no such disk\n", 100, "no such disk");  /* its newline is the next block's */
    check_tail(0, "a daemon's word\n", 100, "a daemon's word");
    check_tail(20, "first\nsecond\nthird\n", 14, "second\nthird"); /* whole lines */
    check_tail(20, "", 100, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_probe_ends_with_the_daemon),
        cmocka_unit_test(test_descriptors_and_words_are_given),
        cmocka_unit_test(test_a_kill_takes_nobody_elses_status),
        cmocka_unit_test(test_the_tail_of_a_log_is_what_qemu_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
