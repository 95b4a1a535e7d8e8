/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of what threads have, on the cgroups of this host: what the kernel had is put back, what
 * somebody else writes meanwhile is noticed, and a group that somebody removed is made again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "../host/skip.h"
#include "../host/sleeper.h"
#include "host/thread.h"
#include "limits/limits.h"
#include "limits/watch.h"
#include "util/file.h"

#define N_VCPUS 2
#define PERIOD 100000

typedef struct World {
    char partition[64];
    LimitsHost *host;
    Limits *limits;
    DomainDef def;
    VcpuDef vcpus[N_VCPUS];
    pid_t pid, tids[N_VCPUS];
    VcpuMap map;
    IothreadList iothreads;
    LimitsSubject subject;
    unsigned n_told;
} World;

static void on_written(void *owner) {
    World *world = owner;

    world->n_told++;
}

/* The process's main thread is QEMU's emulator, its second one vCPU 0; the test has vCPU 1. */
static int set_up(void **state) {
    World *world = calloc(1, sizeof(World));

    *state = world;
    snprintf(world->partition, sizeof(world->partition), "/vireo-test-limits-%d", getpid());
    world->def = (DomainDef){.name = (char *)"t", .vcpus = world->vcpus, .n_vcpus_max = N_VCPUS};
    world->pid = sleeper_process(&world->tids[0]);
    world->vcpus[0].online = true;
    world->map = (VcpuMap){.tids = world->tids, .n_vcpus = N_VCPUS, .has_tids = true};
    world->subject = (LimitsSubject){.name = "t",
                                     .id = 1,
                                     .pid = world->pid,
                                     .def = &world->def,
                                     .vcpus = &world->map,
                                     .iothreads = &world->iothreads,
                                     .owner = world};
    return 0;
}

static int tear_down(void **state) {
    World *world = *state;

    sleeper_process_end(world->pid);
    limits_end(TAKE_PTR(world->limits), &world->subject);
    limits_host_free(world->host);
    bitmap_free(world->vcpus[0].pin);
    free(world);
    return 0;
}

/* The domain's group with vCPU 0 in it, and everybody told of it. */
static void begin(World *world) {
    const LimitsParams params = {.partition = world->partition, .cgroups = true};
    CLEANUP_ERROR Error *error = NULL;
    LimitsScope all = LIMITS_EVERYTHING;

    need(geteuid() == 0, "not root");
    assert_int_equal(limits_host_new(&params, &world->host, NULL), 0);
    limits_host_listen(world->host, on_written);
    assert_int_equal(limits_begin(world->host, &world->subject, &world->limits, &error), 0);
    need(limits_require(world->limits, "t", CGROUP_CPU, NULL) >= 0 &&
             limits_require(world->limits, "t", CGROUP_CPUSET, NULL) >= 0,
         "no cgroup controllers cpu and cpuset");
    if (limits_tune(world->limits, &world->subject, &all, &error) < 0)
        print_message("%s\n", error_message(error));
    assert_null(error);
}

/* ---- the kernel's word ---- */

static bool is_v1(void) {
    return access("/sys/fs/cgroup/cpu/cgroup.procs", F_OK) == 0;
}

static char *path_of(const World *world, const char *controller, const char *file) {
    return is_v1() ? strf("/sys/fs/cgroup/%s%s/vireo-1-t%s", controller, world->partition, file)
                   : strf("/sys/fs/cgroup%s/vireo-1-t%s", world->partition, file);
}

static void put(const World *world, const char *controller, const char *file, const char *text) {
    CLEANUP_FREE char *path = path_of(world, controller, file);
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void put_quota(const World *world, const char *child, int64_t quota) {
    CLEANUP_FREE char *file = strf("/%s/%s", child, is_v1() ? "cpu.cfs_quota_us" : "cpu.max");
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, quota);
    put(world, "cpu", file, text);
}

static int64_t quota_of(const World *world, const char *child) {
    CLEANUP_FREE char *file = strf("/%s/%s", child, is_v1() ? "cpu.cfs_quota_us" : "cpu.max");
    CLEANUP_FREE char *path = path_of(world, "cpu", file), *text = NULL;

    assert_int_equal(file_read(path, 4096, &text, NULL), 0);
    return strncmp(text, "max", 3) == 0 ? -1 : strtoll(text, NULL, 10);
}

static int tune_vcpus(World *world, Error **reterr) {
    return limits_tune(world->limits, &world->subject, &(LimitsScope){.all_vcpus = true}, reterr);
}

/* ---- taken back ---- */

static void test_a_change_that_fails_is_taken_back(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;

    begin(world);
    world->tids[1] = INT32_MAX - 1; /* nobody's */
    world->vcpus[1].online = true;
    world->def.cputune.vcpu.quota = 50000;
    assert_true(tune_vcpus(world, &error) < 0);
    assert_non_null(strstr(error_message(error), "vcpu1 of domain 't'"));
    assert_int_equal(quota_of(world, "vcpu0"), -1);
}

static void test_undo(void **state) {
    World *world = *state;
    CLEANUP(limits_change_freep) LimitsChange *change = NULL;
    CLEANUP_BITMAP Bitmap *before = NULL, *after = NULL;
    ThreadPolicy policy = THREAD_POLICY_INVALID;
    int priority = 0;

    begin(world);
    assert_int_equal(thread_get_affinity(world->tids[0], &before, NULL), 0);
    assert_int_equal(bitmap_parse("0", BITMAP_MAX_BITS, &world->vcpus[0].pin), 0);
    world->vcpus[0].sched = (SchedDef){.given = true, .policy = THREAD_POLICY_BATCH};
    world->def.cputune.vcpu = (BandwidthDef){.period = PERIOD, .quota = 50000};
    assert_int_equal(limits_change_new(world->limits, &world->subject,
                                       &(LimitsScope){.all_vcpus = true}, &change, NULL),
                     0);
    assert_int_equal(limits_change_run(change, NULL), 0);
    assert_int_equal(quota_of(world, "vcpu0"), 50000);
    limits_change_undo(change);
    assert_int_equal(quota_of(world, "vcpu0"), -1);
    assert_int_equal(thread_get_affinity(world->tids[0], &after, NULL), 0);
    assert_true(bitmap_equal(before, after));
    assert_int_equal(thread_get_scheduler(world->tids[0], &policy, &priority, NULL), 0);
    assert_int_equal(policy, THREAD_POLICY_OTHER);
}

/* ---- noticed ---- */

static void test_our_own_changes_are_no_news(void **state) {
    World *world = *state;

    begin(world);
    for (int quota = 20000; quota < 40000; quota += 1000) {
        world->def.cputune.vcpu.quota = quota;
        assert_int_equal(tune_vcpus(world, NULL), 0);
    }
    limits_host_read(world->host);
    assert_int_equal(world->n_told, 0);
    put_quota(world, "vcpu0", 70000);
    limits_host_read(world->host);
    assert_int_equal(world->n_told, 1);
}

typedef struct Foreign {
    const World *world;
    const char *child;
    unsigned usec;
} Foreign;

static void *write_later(void *arg) {
    const Foreign *foreign = arg;

    usleep(foreign->usec);
    put_quota(foreign->world, foreign->child, 77000);
    return NULL;
}

/* Somebody writes while our own writes are under way, to the same group or to another: whatever is
 * there in the end is ours, or was told. */
static void write_beside(World *world, const char *child, int64_t wanted) {
    for (unsigned i = 0; i < 200; i++) {
        Foreign foreign = {world, child, i * 3};
        pthread_t thread;

        world->def.cputune.vcpu.quota = 50000;
        assert_int_equal(pthread_create(&thread, NULL, write_later, &foreign), 0);
        for (int k = 0; k < 3; k++)
            assert_int_equal(tune_vcpus(world, NULL), 0);
        pthread_join(thread, NULL);
        limits_host_read(world->host);
        if (quota_of(world, child) != wanted)
            assert_true(world->n_told > 0);
        world->n_told = 0;
        put_quota(world, child, wanted);
        limits_host_read(world->host);
        world->n_told = 0;
    }
}

static void test_a_foreign_write_to_the_same_group(void **state) {
    begin(*state);
    write_beside(*state, "vcpu0", 50000);
}

static void test_a_foreign_write_to_another_group(void **state) {
    begin(*state);
    write_beside(*state, "emulator", -1);
}

/* ---- removed ---- */

static void remove_groups(const World *world) {
    static const char *const controllers[] = {"cpu", "cpuacct", "cpuset"};
    static const char *const groups[] = {"/vcpu0", "/emulator", ""};
    pid_t tids[] = {world->pid, world->tids[0]};

    for (size_t c = 0; c < (is_v1() ? ARRAY_SIZE(controllers) : 1); c++) {
        CLEANUP_FREE char *top = is_v1() ? strf("/sys/fs/cgroup/%s/tasks", controllers[c])
                                         : strdup("/sys/fs/cgroup/cgroup.procs");

        for (size_t i = 0; i < (is_v1() ? ARRAY_SIZE(tids) : 1); i++) {
            CLEANUP_CLOSE int fd = open(top, O_WRONLY | O_CLOEXEC);
            char text[16];

            snprintf(text, sizeof(text), "%d", tids[i]);
            assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        }
        for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
            CLEANUP_FREE char *path = path_of(world, controllers[c], groups[i]);

            /* without CPUs of its own a thread has no group in v1's cpuset */
            if (rmdir(path) < 0)
                assert_true(errno == ENOENT && streq(controllers[c], "cpuset") && *groups[i]);
        }
    }
}

/* What was removed is told, and made again by a reconcile or before a plug. */
static void test_groups_that_were_removed(void **state) {
    World *world = *state;
    CLEANUP_BITMAP Bitmap *vcpus = bitmap_new();
    CLEANUP_FREE char *text = NULL;
    CLEANUP_ERROR Error *error = NULL;

    world->def.cputune.vcpu.quota = 50000;
    begin(world);
    remove_groups(world);
    limits_host_read(world->host);
    assert_true(world->n_told > 0);
    assert_true(limits_reconcile(world->limits, &world->subject, &text, &error) > 0);
    assert_non_null(strstr(text, "domain: cgroup was 'missing', is 'vireo-1-t' again"));
    assert_int_equal(quota_of(world, "vcpu0"), 50000);
    remove_groups(world);
    assert_int_equal(bitmap_set(vcpus, 1), 0);
    assert_int_equal(limits_prepare_vcpus(world->limits, &world->subject, vcpus, &error), 0);
    assert_int_equal(quota_of(world, "vcpu0"), 50000);
    free(TAKE_PTR(text));
    assert_int_equal(limits_reconcile(world->limits, &world->subject, &text, &error), 0);
    assert_string_equal(text, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_change_that_fails_is_taken_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_undo, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_our_own_changes_are_no_news, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_foreign_write_to_the_same_group, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_foreign_write_to_another_group, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_groups_that_were_removed, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
