/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What /proc says of processes that this test made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "util/proc.h"

static void test_own_process_and_thread(void **data) {
    ProcStat process, thread;

    /* A name that looks like the fields behind it. */
    assert_int_equal(prctl(PR_SET_NAME, ") Z 1 2 (", 0, 0, 0), 0);
    assert_int_equal(proc_stat(getpid(), 0, &process), 0);
    assert_int_equal(proc_stat(getpid(), gettid(), &thread), 0);
    assert_int_equal(process.state, 'R');
    assert_int_equal(process.parent, getppid());
    assert_true(process.start > 0 && process.start == thread.start);
    assert_true(process.cpu >= 0);
    assert_false(proc_stat_has_ended(&process));
}

static void test_time_on_a_cpu(void **data) {
    uint64_t run = 0, delay = 0, later = 0;
    int r = proc_sched_time(getpid(), gettid(), &run, &delay);

    if (r == -ESRCH) /* a kernel without the file */
        skip();
    assert_int_equal(r, 0);
    for (volatile unsigned i = 0; i < 20000000; i++)
        ;
    assert_int_equal(proc_sched_time(getpid(), 0, &later, &delay), 0);
    assert_true(later > run);
    assert_int_equal(proc_sched_time(getpid(), 1, &later, &delay), -ESRCH); /* not ours */
}

static void test_zombie_has_ended_and_then_is_gone(void **data) {
    pid_t pid = fork();
    siginfo_t info;
    ProcStat stat;

    if (pid == 0)
        _exit(0);
    assert_true(pid > 0);
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    assert_int_equal(proc_stat(pid, 0, &stat), 0);
    assert_true(proc_stat_has_ended(&stat));
    assert_int_equal(stat.parent, getpid());
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(proc_stat(pid, 0, &stat), -ESRCH);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_process_and_thread),
        cmocka_unit_test(test_time_on_a_cpu),
        cmocka_unit_test(test_zombie_has_ended_and_then_is_gone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
