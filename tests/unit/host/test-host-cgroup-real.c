/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Groups of this machine's kernel, v1 or v2, whatever it has. Everything is below /vireo-test-PID
 * and removed after each test, also a failed one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <time.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "place.h"
#include "skip.h"
#include "sleeper.h"
#include "host/cgroup.h"
#include "util/fiber.h"
#include "util/file.h"
#include "host/thread.h"

typedef struct World {
    char *partition;
    CgroupHost *host;
    CgroupTree *tree;
    pid_t pid, tid; /* a process in the tree, and a second thread of it */
} World;

static int set_up(void **state) {
    World *world = calloc(1, sizeof(World));

    *state = world;
    world->partition = strf("/vireo-test-%d", getpid());
    world->pid = sleeper_process(&world->tid);
    return cgroup_host_new(&world->host, NULL);
}

/* Removes the tree and then the partition, which is a tree for this purpose. */
static int tear_down(void **state) {
    World *world = *state;
    CLEANUP(cgroup_tree_freep) CgroupTree *rest = NULL;
    CLEANUP_ERROR Error *error = NULL;
    int r = 0;

    sleeper_process_end(world->pid);
    cgroup_tree_free(world->tree);
    if (cgroup_tree_open(world->host, "/", world->partition + 1, &rest, NULL) >= 0)
        r = cgroup_tree_remove(rest, &error);
    if (r < 0)
        print_message("%s\n", error_message(error));
    cgroup_host_free(world->host);
    free(world->partition);
    free(world);
    return r;
}

static void make_tree(World *world) {
    CLEANUP_ERROR Error *error = NULL;

    need(geteuid() == 0, "not root");
    need(cgroup_host_version(world->host, CGROUP_CPU) > 0 &&
             cgroup_host_version(world->host, CGROUP_CPUSET) > 0,
         "this host lacks the cgroup controllers cpu and cpuset");
    if (cgroup_partition_make(world->host, world->partition, &error) < 0)
        need(false, error_message(error));
    assert_int_equal(cgroup_tree_create(world->host, world->partition, "vm", &world->tree, &error),
                     0);
    if (cgroup_tree_require(world->tree, CGROUP_CPUSET, &error) < 0)
        need(false, error_message(error));
    assert_int_equal(cgroup_tree_adopt(world->tree, world->pid, &error), 0);
}

static void set(World *world, const char *child, CgroupValues values) {
    CLEANUP_ERROR Error *error = NULL;
    int r = cgroup_tree_set(world->tree, child, &values, &error);

    if (r < 0)
        print_message("%s\n", error_message(error));
    assert_int_equal(r, 0);
}

static CgroupState get(World *world, const char *child) {
    CgroupState state = {0};

    assert_int_equal(cgroup_tree_get(world->tree, child, &state, NULL), 0);
    return state;
}

/* Which group the kernel says that a thread is in. */
static void assert_one_group_of(World *world, CgroupController c, pid_t tid, const char *below) {
    CLEANUP_FREE char *expected = strf("%s%s", world->partition, below), *group = NULL;

    if (cgroup_host_version(world->host, c) == 0)
        return;
    assert_int_equal(cgroup_host_group_of(world->host, c, tid, &group, NULL), 0);
    assert_string_equal(group, expected);
}

static void assert_group_of(World *world, pid_t tid, const char *below) {
    for (CgroupController c = 0; c < CGROUP_CONTROLLER_MAX; c++)
        assert_one_group_of(world, c, tid, below);
}

static void test_place_and_read_back(void **state) {
    World *world = *state;
    CLEANUP_BITMAP Bitmap *zero = bitmap_new_range(1);
    CgroupValues values = {
        .cpus = zero, .mems = zero, .shares = 2048, .period = 50000, .quota = 25000};
    CLEANUP(cgroup_state_done) CgroupState seen = {0};
    CLEANUP_ERROR Error *error = NULL;

    make_tree(world);
    assert_int_equal(place(world->tree, "vcpu0", world->tid, &values, &error), 0);
    assert_group_of(world, world->tid, "/vm/vcpu0");
    assert_group_of(world, world->pid, "/vm");
    seen = get(world, "vcpu0");
    assert_true(bitmap_equal(seen.cpus, zero) && bitmap_equal(seen.effective_cpus, zero));
    assert_true(bitmap_equal(seen.mems, zero) && bitmap_equal(seen.effective_mems, zero));
    assert_int_equal(seen.shares, 2048);
    assert_int_equal(seen.period, 50000);
    assert_int_equal(seen.quota, 25000);
    /* again: what is there is taken as it is */
    assert_int_equal(place(world->tree, "vcpu0", world->tid, &values, &error), 0);
}

/* A new child may do what the tree may, before anything was set. */
static void test_a_new_child_has_what_the_tree_has(void **state) {
    World *world = *state;
    CLEANUP_BITMAP Bitmap *zero = bitmap_new_range(1), *mask = NULL;
    CLEANUP(cgroup_state_done) CgroupState seen = {0};

    make_tree(world);
    set(world, NULL, (CgroupValues){.cpus = zero});
    assert_int_equal(cgroup_tree_add(world->tree, "emulator", NULL, NULL), 0);
    assert_int_equal(cgroup_tree_attach(world->tree, "emulator", world->pid, NULL), 0);
    assert_one_group_of(world, CGROUP_CPU, world->pid, "/vm/emulator");
    assert_group_of(world, world->tid, "/vm");
    seen = get(world, "emulator");
    assert_true(bitmap_equal(seen.effective_cpus, zero));
    assert_int_equal(seen.quota, -1);
    assert_int_equal(thread_get_affinity(world->pid, &mask, NULL), 0);
    assert_true(bitmap_equal(mask, zero));
}

/* Where the cpuset has a v1 hierarchy to itself, a child without a set of its own has no group in
 * it; with the first other set it gets one, and its thread is there; what the tree has asks for
 * none. */
static void test_a_cpuset_group_is_made_when_it_is_needed(void **state) {
    World *world = *state;
    CLEANUP_BITMAP Bitmap *zero = bitmap_new_range(1);
    CLEANUP(cgroup_state_done) CgroupState tree = {0}, seen = {0};
    bool made;

    need(access("/sys/fs/cgroup/cpuset/cpuset.cpus", F_OK) == 0 &&
             access("/sys/fs/cgroup/cpuset/cpu.shares", F_OK) < 0,
         "no cgroup v1 hierarchy that is the cpuset's alone");
    make_tree(world);
    tree = get(world, NULL);
    need(!bitmap_equal(tree.cpus, zero), "this host has one CPU");
    assert_int_equal(cgroup_tree_add(world->tree, "vcpu0", &made, NULL), 0);
    assert_true(made);
    assert_int_equal(cgroup_tree_attach(world->tree, "vcpu0", world->tid, NULL), 0);
    set(world, "vcpu0", (CgroupValues){.cpus = tree.cpus, .mems = tree.mems});
    assert_false(cgroup_tree_has_own(world->tree, CGROUP_CPUSET, "vcpu0"));
    assert_true(cgroup_tree_has_own(world->tree, CGROUP_CPU, "vcpu0"));
    assert_one_group_of(world, CGROUP_CPUSET, world->tid, "/vm");
    assert_one_group_of(world, CGROUP_CPU, world->tid, "/vm/vcpu0");
    set(world, "vcpu0", (CgroupValues){.cpus = zero});
    assert_true(cgroup_tree_has_own(world->tree, CGROUP_CPUSET, "vcpu0"));
    assert_group_of(world, world->tid, "/vm/vcpu0");
    seen = get(world, "vcpu0");
    assert_true(bitmap_equal(seen.cpus, zero) && bitmap_equal(seen.mems, tree.mems));
}

/* In every direction, below a parent that just allows it: no write in between may exceed it. */
static void test_bandwidth_changes(void **state) {
    static const struct {
        uint64_t period;
        int64_t quota;
        uint64_t seen_period;
        int64_t seen_quota;
    } rows[] = {{20000, 10000, 20000, 10000}, {100000, 50000, 100000, 50000},
                {10000, 5000, 10000, 5000},   {0, 2000, 10000, 2000},
                {1000000, 0, 1000000, 2000},  {0, -1, 1000000, -1},
                {100000, 1000, 100000, 1000}, {1000, -1, 1000, -1}};
    World *world = *state;

    make_tree(world);
    assert_int_equal(cgroup_tree_add(world->tree, "vcpu0", NULL, NULL), 0);
    set(world, NULL, (CgroupValues){.period = 100000, .quota = 50000});
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(cgroup_state_done) CgroupState seen = {0};

        set(world, "vcpu0", (CgroupValues){.period = rows[i].period, .quota = rows[i].quota});
        seen = get(world, "vcpu0");
        assert_int_equal(seen.period, rows[i].seen_period);
        assert_int_equal(seen.quota, rows[i].seen_quota);
    }
}

static void test_a_quota_above_the_ancestors(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *ancestor = strf("ancestor '%s/vm' has a smaller quota", world->partition);
    CgroupValues values = {.period = 100000, .quota = 60000};

    make_tree(world);
    need(cgroup_host_version(world->host, CGROUP_CPU) == 1,
         "v2 takes it, and the smaller one counts");
    assert_int_equal(cgroup_tree_add(world->tree, "vcpu0", NULL, NULL), 0);
    set(world, NULL, (CgroupValues){.period = 100000, .quota = 50000});
    assert_int_equal(cgroup_tree_set(world->tree, "vcpu0", &values, &error), -EINVAL);
    assert_non_null(strstr(error_message(error), ancestor));
    assert_non_null(strstr(error_message(error), "cpu.cfs_quota_us"));
    assert_non_null(strstr(error_message(error), "/vm/vcpu0'"));
}

static void test_cpus_that_an_ancestor_lacks(void **state) {
    World *world = *state;
    CLEANUP_BITMAP Bitmap *zero = bitmap_new_range(1), *both = bitmap_new_range(2), *host = NULL;
    CLEANUP_FREE char *who = strf("the group '%s/vm' has only '0'", world->partition);
    CLEANUP_ERROR Error *error = NULL;
    CgroupValues values = {.cpus = both};

    make_tree(world);
    assert_int_equal(thread_default_cpus(NULL, &host, NULL), 0);
    need(bitmap_test(host, 1), "this host has one CPU");
    set(world, NULL, (CgroupValues){.cpus = zero});
    assert_int_equal(cgroup_tree_check_cpus(world->tree, zero, &error), 0);
    assert_true(cgroup_tree_check_cpus(world->tree, both, &error) < 0);
    assert_non_null(strstr(error_message(error), who));
    assert_int_equal(cgroup_tree_add(world->tree, "vcpu0", NULL, NULL), 0);
    assert_true(cgroup_tree_set(world->tree, "vcpu0", &values, &error) < 0);
    assert_non_null(strstr(error_message(error), who));
    assert_int_equal(error->code, ERROR_CONFIG_UNSUPPORTED);
}

/* A host CPU that went and came: v1 has taken it out of the tree's group and of those above it. */
static void test_cpus_are_given_back(void **state) {
    World *world = *state;
    CLEANUP_BITMAP Bitmap *zero = bitmap_new_range(1), *both = bitmap_new_range(2),
                          *many = bitmap_new_range(4096);
    CLEANUP(cgroup_tree_freep) CgroupTree *partition = NULL;
    CLEANUP(cgroup_state_done) CgroupState seen = {0};
    CLEANUP_ERROR Error *error = NULL;

    make_tree(world);
    need(cgroup_host_version(world->host, CGROUP_CPUSET) == 1, "v2 keeps what was asked");
    seen = get(world, NULL);
    need(bitmap_is_subset(both, seen.cpus), "the host's CPUs 0 and 1 are not to be had");
    assert_int_equal(cgroup_tree_open(world->host, "/", world->partition + 1, &partition, NULL), 0);
    set(world, NULL, (CgroupValues){.cpus = zero});
    assert_int_equal(cgroup_tree_set(partition, NULL, &(CgroupValues){.cpus = zero}, NULL), 0);
    assert_int_equal(cgroup_tree_give_back(world->tree, both, &error), 0);
    cgroup_state_done(&seen);
    seen = get(world, NULL);
    assert_true(bitmap_equal(seen.cpus, both));
    cgroup_state_done(&seen);
    assert_int_equal(cgroup_tree_get(partition, NULL, &seen, NULL), 0);
    assert_true(bitmap_equal(seen.cpus, both));
    assert_int_equal(cgroup_tree_give_back(world->tree, many, &error),
                     0); /* what the host has of them */
}

static void test_cpus_that_the_host_lacks(void **state) {
    World *world = *state;
    CLEANUP_BITMAP Bitmap *many = bitmap_new_range(BITMAP_MAX_BITS);
    CLEANUP_ERROR Error *error = NULL;
    CgroupValues values = {.cpus = many};

    make_tree(world);
    assert_int_equal(cgroup_tree_add(world->tree, "vcpu0", NULL, NULL), 0);
    assert_true(cgroup_tree_set(world->tree, "vcpu0", &values, &error) < 0);
    assert_non_null(strstr(error_message(error), "CPUs '0-16383': the host at"));
}

static void test_a_thread_that_is_gone(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;
    pid_t tid, pid = sleeper_process(&tid);

    sleeper_process_end(pid);
    make_tree(world);
    assert_int_equal(cgroup_tree_add(world->tree, "vcpu0", NULL, NULL), 0);
    assert_int_equal(cgroup_tree_attach(world->tree, "vcpu0", tid, &error), -ESRCH);
    assert_non_null(strstr(error_message(error), "no longer exists"));
    assert_int_equal(cgroup_tree_adopt(world->tree, pid, NULL), -ESRCH);
}

static void test_a_realtime_thread_without_a_budget(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;
    int r;

    make_tree(world);
    need(cgroup_host_version(world->host, CGROUP_CPU) == 1 &&
             access("/sys/fs/cgroup/cpu/cpu.rt_runtime_us", F_OK) == 0,
         "no CONFIG_RT_GROUP_SCHED with v1");
    assert_int_equal(cgroup_tree_add(world->tree, "vcpu0", NULL, NULL), 0);
    sleeper_process_end(world->pid);
    world->pid = sleeper_process(&world->tid); /* outside of the tree, where there is a budget */
    assert_int_equal(thread_set_scheduler(world->tid, THREAD_POLICY_RR, 1, NULL), 0);
    r = cgroup_tree_attach(world->tree, "vcpu0", world->tid, &error);
    assert_int_equal(r, -EINVAL);
    assert_non_null(strstr(error_message(error), "CONFIG_RT_GROUP_SCHED"));
}

/* Sixty milliseconds of CPU time, however long that takes on a busy machine. */
static uint64_t burn(void) {
    volatile uint64_t sum = 0;
    struct timespec used = {0};

    while (used.tv_sec == 0 && used.tv_nsec < 60000000) {
        sum++;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    }
    return sum;
}

static void test_usage(void **state) {
    World *world = *state;
    CgroupUsage before = {0}, after = {0};
    pid_t pid;

    make_tree(world);
    assert_int_equal(cgroup_tree_usage(world->tree, NULL, &before, NULL), 0);
    pid = fork();
    if (pid == 0)
        _exit(cgroup_tree_adopt(world->tree, getpid(), NULL) < 0 || burn() == 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(cgroup_tree_usage(world->tree, NULL, &after, NULL), 0);
    assert_in_range(after.usage_ns - before.usage_ns, 20000000, 2000000000);
    assert_in_range(after.user_ns + after.system_ns, 1, after.usage_ns + 20000000);
}

static void test_throttling_is_counted(void **state) {
    World *world = *state;
    CgroupUsage usage = {0};
    pid_t pid;

    make_tree(world);
    set(world, NULL, (CgroupValues){.period = 10000, .quota = 1000});
    pid = fork();
    if (pid == 0)
        _exit(cgroup_tree_adopt(world->tree, getpid(), NULL) < 0 || burn() == 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(cgroup_tree_usage(world->tree, NULL, &usage, NULL), 0);
    assert_true(usage.n_periods > 0 && usage.n_throttled > 0 && usage.throttled_ns > 0);
}

/* After the daemon's restart. */
static void test_open(void **state) {
    World *world = *state;
    CLEANUP(cgroup_tree_freep) CgroupTree *again = NULL, *none = NULL;
    CLEANUP(cgroup_state_done) CgroupState seen = {0};
    CLEANUP_ERROR Error *error = NULL;

    make_tree(world);
    assert_int_equal(cgroup_tree_add(world->tree, "vcpu0", NULL, NULL), 0);
    set(world, "vcpu0", (CgroupValues){.shares = 512});
    assert_int_equal(cgroup_tree_open(world->host, world->partition, "vm", &again, &error), 0);
    assert_int_equal(cgroup_tree_require(again, CGROUP_CPUSET, &error), 0);
    assert_int_equal(cgroup_tree_get(again, "vcpu0", &seen, NULL), 0);
    assert_int_equal(seen.shares, 512);
    assert_int_equal(cgroup_tree_open(world->host, world->partition, "other", &none, &error),
                     -ENOENT);
    assert_non_null(strstr(error_message(error), "/other'"));
}

static void test_a_partition_that_is_missing(void **state) {
    World *world = *state;
    CLEANUP(cgroup_tree_freep) CgroupTree *tree = NULL;
    CLEANUP_ERROR Error *error = NULL;

    make_tree(world);
    assert_int_equal(cgroup_tree_create(world->host, "/vireo-test-none", "vm", &tree, &error),
                     -ENOENT);
    assert_non_null(strstr(error_message(error), "'/vireo-test-none'"));
    assert_non_null(strstr(error_message(error), "make the partition first"));
}

static void *end_later(void *sleeper) {
    usleep(150 * 1000);
    sleeper_free(sleeper);
    return NULL;
}

/* An unplugged vCPU's thread may need a moment to go. */
static void test_remove_waits_for_threads_that_leave(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;
    pthread_t thread;
    Sleeper *sleeper;
    int r;

    make_tree(world);
    assert_int_equal(cgroup_tree_adopt(world->tree, getpid(), &error), 0);
    sleeper = sleeper_new();
    r = place(world->tree, "vcpu7", sleeper->tid, &(CgroupValues){.shares = 100}, &error);
    assert_int_equal(pthread_create(&thread, NULL, end_later, sleeper), 0);
    if (r >= 0)
        r = cgroup_tree_remove_child(world->tree, "vcpu7", &error);
    pthread_join(thread, NULL);
    if (r < 0)
        print_message("%s\n", error_message(error));
    assert_int_equal(r, 0);
    assert_int_equal(cgroup_tree_remove_child(world->tree, "vcpu7", &error), 0);
}

/* Moving the test's own process is undone, or its group could not be removed. */
static int leave(void **state) {
    World *world = *state;
    static const char *const files[] = {
        "/sys/fs/cgroup/cpu/cgroup.procs", "/sys/fs/cgroup/cpuacct/cgroup.procs",
        "/sys/fs/cgroup/cpuset/cgroup.procs", "/sys/fs/cgroup/cpu,cpuacct/cgroup.procs",
        "/sys/fs/cgroup/cgroup.procs"};

    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        CLEANUP_CLOSE int fd = open(files[i], O_WRONLY | O_CLOEXEC);

        if (fd >= 0 && write(fd, "0", 1) < 0)
            print_message("cannot leave %s\n", world->partition);
    }
    return tear_down(state);
}

static void test_remove_says_who_stays(void **state) {
    World *world = *state;
    CLEANUP_FREE char *who = strf("thread %d is still in it", world->tid);
    CLEANUP_ERROR Error *error = NULL;
    uint64_t start;

    make_tree(world);
    assert_int_equal(place(world->tree, "vcpu0", world->tid, &(CgroupValues){0}, &error), 0);
    start = now_usec();
    assert_int_equal(cgroup_tree_remove_child(world->tree, "vcpu0", &error), -EBUSY);
    assert_in_range(now_usec() - start, USEC_PER_SEC, 10 * USEC_PER_SEC);
    assert_non_null(strstr(error_message(error), who));
    assert_non_null(strstr(error_message(error), "'vcpu0'"));
}

static void test_remove_takes_what_is_below(void **state) {
    World *world = *state;
    CLEANUP(cgroup_tree_freep) CgroupTree *deeper = NULL, *none = NULL;
    CLEANUP_FREE char *path = strf("%s/vm", world->partition);

    make_tree(world);
    assert_int_equal(cgroup_tree_add(world->tree, "vcpu0", NULL, NULL), 0);
    assert_int_equal(cgroup_tree_create(world->host, path, "foreign", &deeper, NULL), 0);
    sleeper_process_end(world->pid);
    assert_int_equal(cgroup_tree_remove(world->tree, NULL), 0);
    assert_int_equal(cgroup_tree_open(world->host, world->partition, "vm", &none, NULL), -ENOENT);
    world->pid = sleeper_process(&world->tid);
}

static void remount_read_only(const char *path) {
    if (mount(path, path, NULL, MS_BIND, NULL) < 0 ||
        mount(NULL, path, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL) < 0)
        print_message("%s stays writable\n", path);
}

/* As in a container; in a child, whose mounts are its own. */
static void test_a_read_only_file_system(void **state) {
    static const char *const paths[] = {"/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpuacct",
                                        "/sys/fs/cgroup/cpuset", "/sys/fs/cgroup/cpu,cpuacct",
                                        "/sys/fs/cgroup"};
    World *world = *state;
    int status = -1;
    pid_t pid;

    make_tree(world);
    pid = fork();
    if (pid == 0) {
        CLEANUP(cgroup_host_freep) CgroupHost *host = NULL;
        CLEANUP(cgroup_tree_freep) CgroupTree *tree = NULL;
        CLEANUP_ERROR Error *error = NULL;
        int r;

        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
            _exit(77);
        for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
            if (access(paths[i], F_OK) == 0 &&
                (i < 4 || access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0))
                remount_read_only(paths[i]);
        r = cgroup_host_new(&host, NULL);
        if (r >= 0)
            r = cgroup_tree_create(host, world->partition, "other", &tree, &error);
        if (r >= 0 || !strstr(error_message(error), "mounted read-only"))
            print_message("r %d: %s\n", r, error_message(error));
        _exit(r == -EROFS && strstr(error_message(error), "mounted read-only") ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    need(status != 77 << 8, "no private mounts here");
    assert_int_equal(status, 0);
}

/* What settling a large guest costs. */
static void test_239_vcpus(void **state) {
    enum { N = 239 };
    World *world = *state;
    CLEANUP_BITMAP Bitmap *zero = bitmap_new_range(1);
    CgroupValues values = {.cpus = zero, .mems = zero, .period = 100000, .quota = 50000};
    Sleeper *sleepers[N];
    uint64_t start, placed, removed;
    int r = 0;

    make_tree(world);
    assert_int_equal(cgroup_tree_adopt(world->tree, getpid(), NULL), 0);
    for (size_t i = 0; i < N; i++)
        sleepers[i] = sleeper_new();
    start = now_usec();
    for (size_t i = 0; i < N && r >= 0; i++) {
        char name[16];

        snprintf(name, sizeof(name), "vcpu%zu", i);
        r = place(world->tree, name, sleepers[i]->tid, &values, NULL);
    }
    placed = now_usec() - start;
    for (size_t i = 0; i < N; i++)
        sleeper_free(sleepers[i]);
    start = now_usec();
    for (size_t i = 0; i < N && r >= 0; i++) {
        char name[16];

        snprintf(name, sizeof(name), "vcpu%zu", i);
        r = cgroup_tree_remove_child(world->tree, name, NULL);
    }
    removed = now_usec() - start;
    assert_int_equal(r, 0);
    print_message("%d threads: placed in %.1f ms, removed in %.1f ms\n", N, placed / 1000.0,
                  removed / 1000.0);
    assert_true(placed < 10 * USEC_PER_SEC);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_place_and_read_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_new_child_has_what_the_tree_has, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_cpuset_group_is_made_when_it_is_needed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_bandwidth_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_quota_above_the_ancestors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cpus_that_an_ancestor_lacks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cpus_are_given_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cpus_that_the_host_lacks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_thread_that_is_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_realtime_thread_without_a_budget, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_usage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_throttling_is_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_partition_that_is_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_remove_waits_for_threads_that_leave, set_up, leave),
        cmocka_unit_test_setup_teardown(test_remove_says_who_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_remove_takes_what_is_below, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_read_only_file_system, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_239_vcpus, set_up, leave),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
