/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Affinity and scheduler of real threads; which CPUs are the default ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "skip.h"
#include "sleeper.h"
#include "util/file.h"
#include "host/thread.h"

static int set_up(void **state) {
    *state = sleeper_new();
    return 0;
}

static int tear_down(void **state) {
    sleeper_free(*state);
    return 0;
}

static Bitmap *cpus_of(pid_t tid) {
    Bitmap *cpus = NULL;

    assert_int_equal(thread_get_affinity(tid, &cpus, NULL), 0);
    return cpus;
}

static void test_affinity(void **state) {
    Sleeper *sleeper = *state;
    CLEANUP_BITMAP Bitmap *all = cpus_of(sleeper->tid), *one = bitmap_new(), *seen = NULL,
                          *mine = NULL;

    bitmap_set(one, bitmap_last(all));
    assert_int_equal(thread_set_affinity(sleeper->tid, one, NULL), 0);
    seen = cpus_of(sleeper->tid);
    assert_true(bitmap_equal(seen, one));
    mine = cpus_of(gettid());
    assert_true(bitmap_equal(mine, all)); /* the others are left alone */
}

/* The largest set there is goes to the kernel, which keeps what it has. */
static void test_affinity_beyond_the_host(void **state) {
    Sleeper *sleeper = *state;
    CLEANUP_BITMAP Bitmap *all = cpus_of(sleeper->tid), *wide = bitmap_new_range(BITMAP_MAX_BITS),
                          *seen = NULL;

    assert_int_equal(thread_set_affinity(sleeper->tid, wide, NULL), 0);
    seen = cpus_of(sleeper->tid);
    assert_true(bitmap_is_subset(all, seen));
}

static void test_affinity_without_any_cpu(void **state) {
    Sleeper *sleeper = *state;
    CLEANUP_BITMAP Bitmap *all = cpus_of(sleeper->tid), *none = bitmap_new(), *seen = NULL;
    CLEANUP_ERROR Error *error = NULL;

    bitmap_set(none, 16383);
    assert_int_equal(thread_set_affinity(sleeper->tid, none, &error), -EINVAL);
    assert_non_null(strstr(error_message(error), "'16383'"));
    assert_non_null(strstr(error_message(error), "none of them is online"));
    seen = cpus_of(sleeper->tid);
    assert_true(bitmap_equal(seen, all));
}

static void test_scheduler(void **state) {
    static const ThreadPolicy fair[] = {THREAD_POLICY_BATCH, THREAD_POLICY_OTHER,
                                        THREAD_POLICY_IDLE};
    /* idle is the last: only root comes back from it */
    Sleeper *sleeper = *state;
    ThreadPolicy policy = THREAD_POLICY_INVALID;
    int priority = -1;

    for (size_t i = 0; i < ARRAY_SIZE(fair); i++) {
        assert_int_equal(thread_set_scheduler(sleeper->tid, fair[i], 7, NULL), 0);
        assert_int_equal(thread_get_scheduler(sleeper->tid, &policy, &priority, NULL), 0);
        assert_int_equal(policy, fair[i]);
        assert_int_equal(priority, 0);
    }
}

static void test_realtime_scheduler(void **state) {
    Sleeper *sleeper = *state;
    CLEANUP_ERROR Error *error = NULL;
    ThreadPolicy policy = THREAD_POLICY_INVALID;
    int priority = -1, r = thread_set_scheduler(sleeper->tid, THREAD_POLICY_FIFO, 3, &error);

    if (r == -EPERM) {
        skip_because(error_message(error));
    }
    assert_int_equal(r, 0);
    assert_int_equal(thread_set_scheduler(sleeper->tid, THREAD_POLICY_RR, 99, NULL), 0);
    assert_int_equal(thread_get_scheduler(sleeper->tid, &policy, &priority, NULL), 0);
    assert_int_equal(policy, THREAD_POLICY_RR);
    assert_int_equal(priority, 99);
    assert_int_equal(thread_set_scheduler(sleeper->tid, THREAD_POLICY_OTHER, 0, NULL), 0);
}

static void test_priority_out_of_range(void **state) {
    Sleeper *sleeper = *state;
    CLEANUP_ERROR Error *error = NULL;

    assert_int_equal(thread_set_scheduler(sleeper->tid, THREAD_POLICY_FIFO, 0, NULL), -EINVAL);
    assert_int_equal(thread_set_scheduler(sleeper->tid, THREAD_POLICY_RR, 100, &error), -EINVAL);
    assert_string_equal(error_message(error),
                        "invalid argument: priority 100 of scheduler 'rr' is out of "
                        "range 1 to 99");
}

/* Somebody who may not: the sentence asks for the right. In a child, which alone gives its rights
 * away. */
static void test_realtime_without_the_right(void **state) {
    int status = -1;
    pid_t child;

    if (geteuid() != 0) {
        skip_because("not root");
    }
    child = fork();
    if (child == 0) {
        CLEANUP_ERROR Error *error = NULL;
        int r = setuid(65534) < 0 ? -errno
                                  : thread_set_scheduler(getpid(), THREAD_POLICY_FIFO, 1, &error);

        _exit(r == -EPERM && strstr(error_message(error), "CAP_SYS_NICE") ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* With the right, in a cpu group of cgroup v1 that has no real-time budget. */
static void test_realtime_without_a_budget(void **state) {
    Sleeper *sleeper = *state;
    CLEANUP_FREE char *group = strf("/sys/fs/cgroup/cpu/vireo-test-thread-%d", getpid());
    CLEANUP_FREE char *tasks = strf("%s/tasks", group),
                      *budget = strf("%s/cpu.rt_runtime_us", group);
    CLEANUP_FREE char *tid = strf("%d", sleeper->tid);
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_CLOSE int fd = -1, back = open("/sys/fs/cgroup/cpu/tasks", O_WRONLY | O_CLOEXEC);
    int r = 0;

    if (mkdir(group, 0755) < 0 || access(budget, F_OK) < 0) {
        rmdir(group);
        skip_because("no cgroup v1 controller cpu with cpu.rt_runtime_us");
    }
    fd = open(tasks, O_WRONLY | O_CLOEXEC);
    if (write(fd, tid, strlen(tid)) > 0)
        r = thread_set_scheduler(sleeper->tid, THREAD_POLICY_FIFO, 1, &error);
    if (write(back, tid, strlen(tid)) < 0)
        print_message("the thread stays in %s\n", group);
    assert_int_equal(rmdir(group), 0);
    assert_int_equal(r, -EPERM);
    assert_non_null(strstr(error_message(error), "CONFIG_RT_GROUP_SCHED"));
    assert_non_null(strstr(error_message(error), strrchr(group, '/')));
}

static void test_a_thread_that_is_gone(void **state) {
    CLEANUP_BITMAP Bitmap *cpus = bitmap_new_range(1), *seen = NULL;
    CLEANUP_ERROR Error *error = NULL;
    ThreadPolicy policy;
    int priority;
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_int_equal(thread_set_affinity(child, cpus, &error), -ESRCH);
    assert_non_null(strstr(error_message(error), "no longer exists"));
    assert_int_equal(thread_get_affinity(child, &seen, NULL), -ESRCH);
    assert_int_equal(thread_set_scheduler(child, THREAD_POLICY_BATCH, 0, NULL), -ESRCH);
    assert_int_equal(thread_get_scheduler(child, &policy, &priority, NULL), -ESRCH);
}

static int nice_of_a_child(void) {
    const pid_t pid = fork();
    int status = 0;

    assert_true(pid >= 0);
    if (pid == 0)
        _exit(getpriority(PRIO_PROCESS, 0) + 50);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status) - 50;
}

/* Of the calling thread, nanoseconds; 0 from a kernel that has none. */
static uint64_t slice(void) {
    uint64_t attr[6] = {0}; /* struct sched_attr of Linux 3.14 */

    assert_int_equal(syscall(SYS_sched_getattr, 0, attr, sizeof(attr), 0), 0);
    return attr[3];
}

/* In a thread of its own, which ends with it. */
static void *go_first(void *nice_) {
    int *nice = nice_;

    assert_int_equal(setpriority(PRIO_PROCESS, 0, nice[0]), 0);
    thread_go_first();
    nice[1] = getpriority(PRIO_PROCESS, 0);
    nice[2] = nice_of_a_child();
    nice[3] = (int)slice();
    return NULL;
}

static void test_goes_first_and_its_children_do_not(void **state) {
    int plain[4] = {0}, chosen[4] = {5};
    pthread_t thread;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(pthread_create(&thread, NULL, go_first, plain), 0);
    pthread_join(thread, NULL);
    assert_int_equal(plain[1], -10);
    assert_int_equal(plain[2], 0);
    if (slice() > 0)
        assert_in_range(plain[3], 1, slice() - 1);
    assert_int_equal(pthread_create(&thread, NULL, go_first, chosen), 0);
    pthread_join(thread, NULL);
    assert_int_equal(chosen[1], 5);
    assert_int_equal(chosen[2], 5);
    assert_int_equal(chosen[3], slice());
}

static void test_policy_names(void **state) {
    for (ThreadPolicy policy = 0; policy < THREAD_POLICY_MAX; policy++)
        assert_int_equal(thread_policy_from_string(thread_policy_to_string(policy)), policy);
    assert_int_equal(thread_policy_from_string("deadline"), THREAD_POLICY_INVALID);
    assert_int_equal(thread_policy_from_string(NULL), THREAD_POLICY_INVALID);
    assert_true(thread_policy_is_realtime(THREAD_POLICY_RR));
    assert_false(thread_policy_is_realtime(THREAD_POLICY_IDLE));
}

/* A sysfs of our own: two files. NULL leaves the file out. */
static char *make_sysfs(const char *online, const char *isolated) {
    char *root = strdup("/tmp/vireo-test-sysfs-XXXXXX");
    CLEANUP_FREE char *dir = NULL, *first = NULL, *second = NULL;

    assert_non_null(mkdtemp(root));
    dir = strf("%s/devices/system/cpu", root);
    assert_int_equal(dir_make(dir, 0755), 0);
    first = path_join(dir, "online");
    second = path_join(dir, "isolated");
    if (online)
        assert_int_equal(file_write_atomic(first, online, strlen(online), 0644), 0);
    if (isolated)
        assert_int_equal(file_write_atomic(second, isolated, strlen(isolated), 0644), 0);
    return root;
}

static void remove_sysfs(const char *root) {
    static const char *const names[] = {"/devices/system/cpu/online",
                                        "/devices/system/cpu/isolated",
                                        "/devices/system/cpu",
                                        "/devices/system",
                                        "/devices",
                                        ""};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        CLEANUP_FREE char *path = strf("%s%s", root, names[i]);

        remove(path);
    }
}

static void test_default_cpus(void **state) {
    static const struct {
        const char *online, *isolated, *expected;
    } rows[] = {
        {"0-3\n", "\n", "0-3"}, {"0-7,16\n", "2-3,16\n", "0-1,4-7"}, {"0-1\n", "0-1\n", "0-1"},
        {"0-3\n", NULL, "0-3"}, {"0-16383\n", "1-16383\n", "0"},     {"nonsense\n", NULL, NULL},
        {NULL, NULL, NULL}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_FREE char *root = make_sysfs(rows[i].online, rows[i].isolated), *text = NULL;
        CLEANUP_BITMAP Bitmap *cpus = NULL;
        CLEANUP_ERROR Error *error = NULL;
        int r = thread_default_cpus(root, &cpus, &error);

        remove_sysfs(root);
        if (!rows[i].expected) {
            assert_true(r < 0);
            assert_non_null(strstr(error_message(error), "/devices/system/cpu/online"));
            continue;
        }
        assert_int_equal(r, 0);
        text = bitmap_format(cpus);
        assert_string_equal(text, rows[i].expected);
    }
}

/* What the process itself may use does not matter. */
static void test_default_cpus_of_a_squeezed_daemon(void **state) {
    CLEANUP_BITMAP Bitmap *before = cpus_of(gettid()), *one = bitmap_new_range(1), *cpus = NULL;

    assert_int_equal(thread_set_affinity(gettid(), one, NULL), 0);
    assert_int_equal(thread_default_cpus(NULL, &cpus, NULL), 0);
    assert_int_equal(thread_set_affinity(gettid(), before, NULL), 0);
    assert_true(bitmap_is_subset(before, cpus));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_affinity, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_affinity_beyond_the_host, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_affinity_without_any_cpu, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_scheduler, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_realtime_scheduler, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_priority_out_of_range, set_up, tear_down),
        cmocka_unit_test(test_realtime_without_the_right),
        cmocka_unit_test_setup_teardown(test_realtime_without_a_budget, set_up, tear_down),
        cmocka_unit_test(test_a_thread_that_is_gone),
        cmocka_unit_test(test_goes_first_and_its_children_do_not),
        cmocka_unit_test(test_policy_names),
        cmocka_unit_test(test_default_cpus),
        cmocka_unit_test(test_default_cpus_of_a_squeezed_daemon),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
