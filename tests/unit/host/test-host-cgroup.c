/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cgroup without a kernel behind it: units and ranges, hosts made of a table, and what is
 * written to a v2 hierarchy, in which order. The hierarchy is plain files, so it shows what we
 * write and refuses nothing; test-util-cgroup-real has the kernel's side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "place.h"
#include "host/cgroup-internal.h"
#include "util/file.h"

static void test_weight(void **state) {
    assert_int_equal(cgroup_shares_to_weight(1024), 100);
    assert_int_equal(cgroup_weight_to_shares(100), 1024);
    assert_int_equal(cgroup_shares_to_weight(2048), 200);
    assert_int_equal(cgroup_shares_to_weight(2), 1);
    assert_int_equal(cgroup_shares_to_weight(102400), 10000);
    assert_int_equal(cgroup_shares_to_weight(262144), 10000);
    assert_int_equal(cgroup_shares_to_weight(UINT64_MAX), 10000);
    assert_int_equal(cgroup_weight_to_shares(UINT64_MAX), 102400);
    for (uint64_t weight = 1; weight <= 10000; weight++)
        assert_int_equal(cgroup_shares_to_weight(cgroup_weight_to_shares(weight)), weight);
    for (uint64_t shares = 10; shares <= 102400; shares++) {
        uint64_t back = cgroup_weight_to_shares(cgroup_shares_to_weight(shares));

        assert_true(back + 6 > shares && back < shares + 6);
    }
}

static void test_values_out_of_range(void **state) {
    CLEANUP_BITMAP Bitmap *none = bitmap_new();
    const CgroupValues bad[] = {{.shares = 1},   {.shares = 262145},
                                {.period = 999}, {.period = 1000001},
                                {.quota = 999},  {.quota = INT64_C(17592186044416)},
                                {.cpus = none},  {.mems = none}};
    const CgroupValues good[] = {
        {0},
        {.shares = 2, .period = 1000, .quota = -1},
        {.quota = -17},
        {.shares = 262144, .period = 1000000, .quota = INT64_C(17592186044415)}};
    CLEANUP_ERROR Error *error = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(cgroup_values_check(&bad[i], &error), -EINVAL);
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        assert_int_equal(cgroup_values_check(&good[i], NULL), 0);
    cgroup_values_check(&bad[4], &error);
    assert_string_equal(error_message(error), "invalid argument: quota 999 is out of range 1000 to "
                                              "17592186044415");
}

/* A host of our own -------------------------------------------------------------------------------
 */

typedef struct Fake {
    char root[64];
    CgroupHost *host;
    int inotify;
    char *names[32]; /* by watch descriptor */
} Fake;

static char *at(const Fake *fake, const char *path) {
    return strf("%s/%s", fake->root, path);
}

static void put(const Fake *fake, const char *path, const char *text) {
    CLEANUP_FREE char *full = at(fake, path), *dir = strdup(full);

    *strrchr(dir, '/') = '\0';
    assert_int_equal(dir_make(dir, 0755), 0);
    assert_int_equal(file_write_atomic(full, text, strlen(text), 0644), 0);
}

static void assert_file(const Fake *fake, const char *path, const char *expected) {
    CLEANUP_FREE char *full = at(fake, path), *text = NULL;

    assert_int_equal(file_read(full, 4096, &text, NULL), 0);
    assert_string_equal(text, expected);
}

/* Mount points below the root. */
static void make_host(Fake *fake, const CgroupMount *mounts, size_t n) {
    CLEANUP_FREE char *proc = at(fake, "proc");
    CgroupMount full[CGROUP_CONTROLLER_MAX];

    for (size_t i = 0; i < n; i++) {
        full[i] = mounts[i];
        full[i].mount_point = at(fake, mounts[i].mount_point);
        full[i].root = mounts[i].root ? mounts[i].root : "/";
    }
    cgroup_host_free(TAKE_PTR(fake->host));
    assert_int_equal(cgroup_host_from_table(proc, full, n, &fake->host, NULL), 0);
    for (size_t i = 0; i < n; i++)
        free((char *)full[i].mount_point);
}

#define ALL_CONTROLLERS                                                                            \
    (CGROUP_BIT(CGROUP_CPU) | CGROUP_BIT(CGROUP_CPUACCT) | CGROUP_BIT(CGROUP_CPUSET))

static const CgroupMount v2_alone = {
    .mount_point = ".", .version = 2, .controllers = ALL_CONTROLLERS};

static int set_up(void **state) {
    Fake *fake = calloc(1, sizeof(Fake));

    strcpy(fake->root, "/tmp/vireo-test-cgroup-XXXXXX");
    fake->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    *state = fake;
    return mkdtemp(fake->root) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *ftw) {
    return remove(path);
}

static int tear_down(void **state) {
    Fake *fake = *state;

    cgroup_host_free(fake->host);
    close(fake->inotify);
    for (size_t i = 0; i < ARRAY_SIZE(fake->names); i++)
        free(fake->names[i]);
    nftw(fake->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(fake);
    return 0;
}

static void assert_versions(const Fake *fake, int cpu, int cpuacct, int cpuset) {
    assert_int_equal(cgroup_host_version(fake->host, CGROUP_CPU), cpu);
    assert_int_equal(cgroup_host_version(fake->host, CGROUP_CPUACCT), cpuacct);
    assert_int_equal(cgroup_host_version(fake->host, CGROUP_CPUSET), cpuset);
}

static void test_hybrid(void **state) {
    Fake *fake = *state;
    const CgroupMount mounts[] = {
        {.mount_point = "cpu", .version = 1, .controllers = CGROUP_BIT(CGROUP_CPU)},
        {.mount_point = "unified",
         .version = 2,
         .controllers = CGROUP_BIT(CGROUP_CPUACCT) | CGROUP_BIT(CGROUP_CPUSET)}};

    make_host(fake, mounts, 2);
    assert_versions(fake, 1, 2, 2);
    make_host(fake, &v2_alone, 1);
    assert_versions(fake, 2, 2, 2);
}

/* A host without controllers is one all the same. */
static void test_nothing(void **state) {
    Fake *fake = *state;
    CLEANUP(cgroup_tree_freep) CgroupTree *tree = NULL;
    CLEANUP_ERROR Error *error = NULL;

    make_host(fake, NULL, 0);
    assert_versions(fake, 0, 0, 0);
    assert_int_equal(cgroup_tree_create(fake->host, "/", "vm", &tree, &error), -EBADFD);
    assert_non_null(strstr(error_message(error), "none of the cgroup controllers"));
    assert_true(cgroup_partition_make(fake->host, "/machine", &error) < 0);
}

static void test_group_of(void **state) {
    Fake *fake = *state;
    CLEANUP_FREE char *cpu = NULL, *cpuset = NULL;
    CLEANUP_ERROR Error *error = NULL;
    char *none = NULL;
    const CgroupMount mounts[] = {
        {.mount_point = "cpu",
         .root = "/docker/a",
         .version = 1,
         .controllers = CGROUP_BIT(CGROUP_CPU) | CGROUP_BIT(CGROUP_CPUACCT)},
        {.mount_point = "unified", .version = 2, .controllers = CGROUP_BIT(CGROUP_CPUSET)}};

    put(fake, "unified/cgroup.controllers", "cpuset\n");
    make_host(fake, mounts, 2);
    put(fake, "proc/7/cgroup", "5:memory:/m\n3:xcpu,cpu,cpuacct:/docker/a/b:c\n0::/user.slice/x\n");
    assert_int_equal(cgroup_host_group_of(fake->host, CGROUP_CPU, 7, &cpu, NULL), 0);
    assert_string_equal(cpu, "/b:c"); /* the mount shows /docker/a as its top */
    assert_int_equal(cgroup_host_group_of(fake->host, CGROUP_CPUSET, 7, &cpuset, NULL), 0);
    assert_string_equal(cpuset, "/user.slice/x");
    put(fake, "proc/8/cgroup", "5:memory:/m\n");
    assert_int_equal(cgroup_host_group_of(fake->host, CGROUP_CPU, 8, &none, &error), -EIO);
    assert_int_equal(cgroup_host_group_of(fake->host, CGROUP_CPU, 9, &none, &error), -ENOENT);
}

static void test_bad_names(void **state) {
    static const char *const partitions[] = {"", "machine", "/a/../b", "/..", "/a/./b", "/a\nb"};
    static const char *const names[] = {"", ".", "..", "a/b", "a\nb"};
    Fake *fake = *state;
    CgroupTree *tree = NULL;

    put(fake, "cgroup.controllers", "cpuset cpu\n");
    make_host(fake, &v2_alone, 1);
    for (size_t i = 0; i < ARRAY_SIZE(partitions); i++)
        assert_int_equal(cgroup_tree_create(fake->host, partitions[i], "vm", &tree, NULL), -EINVAL);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_int_equal(cgroup_tree_create(fake->host, "/", names[i], &tree, NULL), -EINVAL);
}

/* v2 ----------------------------------------------------------------------------------------------
 */

/* The files of one group, as the kernel would make them, watched. */
static void make_group(Fake *fake, const char *path, const char *controllers, const char *given) {
    static const struct {
        const char *name, *text;
    } files[] = {{"cgroup.procs", ""},
                 {"cgroup.threads", ""},
                 {"cgroup.type", "domain\n"},
                 {"cpuset.cpus", "\n"},
                 {"cpuset.mems", "\n"},
                 {"cpuset.cpus.effective", "0-7\n"},
                 {"cpuset.mems.effective", "0-1\n"},
                 {"cpu.weight", "100\n"},
                 {"cpu.max", "max 100000\n"},
                 {"cpu.stat",
                  "usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_periods 9\nthrottled_usec "
                  "1\n"}};
    CLEANUP_FREE char *dir = at(fake, path), *has = strf("%s/cgroup.controllers", path);
    CLEANUP_FREE char *gives = strf("%s/cgroup.subtree_control", path);
    int watch;

    put(fake, has, controllers);
    put(fake, gives, given);
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        CLEANUP_FREE char *file = strf("%s/%s", path, files[i].name);

        put(fake, file, files[i].text);
    }
    watch = inotify_add_watch(fake->inotify, dir, IN_CLOSE_WRITE);
    assert_in_range(watch, 1, ARRAY_SIZE(fake->names) - 1);
    fake->names[watch] = strdup(path);
}

static void make_v2(Fake *fake, const char *controllers, const char *partition_has) {
    make_group(fake, ".", controllers, "memory\n");
    make_group(fake, "machine", partition_has, "\n");
    make_group(fake, "machine/vm", partition_has, "\n");
    make_group(fake, "machine/vm/vcpu0", partition_has, "\n");
    make_host(fake, &v2_alone, 1);
}

/* What was written since the last call, as "GROUP FILE" lines, in order. */
static char *written(Fake *fake) {
    char buffer[8192] __attribute__((aligned(8)));
    ssize_t n = read(fake->inotify, buffer, sizeof(buffer));
    char *text = strdup("");

    for (ssize_t offset = 0; offset < n;) {
        struct inotify_event *event = (struct inotify_event *)(buffer + offset);
        char *longer = strf("%s%s %s\n", text, fake->names[event->wd], event->name);

        free(text);
        text = longer;
        offset += sizeof(struct inotify_event) + event->len;
    }
    return text;
}

static CgroupTree *make_tree(Fake *fake) {
    CgroupTree *tree = NULL;
    CLEANUP_ERROR Error *error = NULL;
    int r = cgroup_tree_create(fake->host, "/machine", "vm", &tree, &error);

    if (r < 0)
        print_message("%s\n", error_message(error));
    assert_int_equal(r, 0);
    return tree;
}

static void test_v2_order_of_writes(void **state) {
    Fake *fake = *state;
    CLEANUP_BITMAP Bitmap *cpus = bitmap_new_range(3), *mems = bitmap_new_range(1);
    CgroupValues values = {
        .cpus = cpus, .mems = mems, .shares = 2048, .period = 50000, .quota = 20000};
    CLEANUP(cgroup_tree_freep) CgroupTree *tree = NULL;
    CLEANUP_FREE char *first = NULL, *second = NULL, *third = NULL;

    make_v2(fake, "cpuset cpu memory\n", "cpuset cpu memory\n");
    tree = make_tree(fake);
    first = written(fake);
    /* +cpu and +cpuset each: inotify joins events that are the same */
    assert_string_equal(first, ". cgroup.subtree_control\nmachine cgroup.subtree_control\n"
                               "machine/vm cgroup.subtree_control\n");
    assert_int_equal(cgroup_tree_adopt(tree, 4711, NULL), 0);
    assert_int_equal(place(tree, "vcpu0", 4712, &values, NULL), 0);
    second = written(fake);
    assert_string_equal(second, "machine/vm cgroup.procs\nmachine/vm/vcpu0 cgroup.type\n"
                                "machine/vm/vcpu0 cgroup.threads\nmachine/vm/vcpu0 cpuset.cpus\n"
                                "machine/vm/vcpu0 cpuset.mems\nmachine/vm/vcpu0 cpu.weight\n"
                                "machine/vm/vcpu0 cpu.max\n");
    assert_file(fake, "machine/vm/cgroup.procs", "4711");
    assert_file(fake, "machine/vm/vcpu0/cgroup.type", "threaded");
    assert_file(fake, "machine/vm/vcpu0/cgroup.threads", "4712");
    assert_file(fake, "machine/vm/vcpu0/cpuset.cpus", "0-2");
    assert_file(fake, "machine/vm/vcpu0/cpuset.mems", "0");
    assert_file(fake, "machine/vm/vcpu0/cpu.weight", "200");
    assert_file(fake, "machine/vm/vcpu0/cpu.max", "20000 50000");
    /* Nothing to set: nothing is written. */
    assert_int_equal(cgroup_tree_set(tree, "vcpu0", &(CgroupValues){0}, NULL), 0);
    third = written(fake);
    assert_string_equal(third, "");
}

/* What is handed down already is not written again. */
static void test_v2_controllers_that_are_there(void **state) {
    Fake *fake = *state;
    CLEANUP(cgroup_tree_freep) CgroupTree *tree = NULL;
    CLEANUP_FREE char *seen = NULL;

    make_v2(fake, "cpuset cpu\n", "cpuset cpu\n");
    put(fake, "cgroup.subtree_control", "cpuset cpu\n");
    put(fake, "machine/cgroup.subtree_control", "cpu\n");
    free(written(fake));
    tree = make_tree(fake);
    assert_file(fake, "cgroup.subtree_control", "cpuset cpu\n");
    assert_file(fake, "machine/cgroup.subtree_control", "+cpuset");
    seen = written(fake);
    assert_null(strstr(seen, ". cgroup.subtree_control"));
}

static void test_v2_bandwidth(void **state) {
    static const struct {
        const char *before;
        uint64_t period;
        int64_t quota;
        const char *after;
    } rows[] = {
        {"max 100000\n", 0, 5000, "5000"},         {"max 100000\n", 50000, 0, "max 50000"},
        {"5000 100000\n", 50000, 0, "5000 50000"}, {"5000 100000\n", 0, -1, "max"},
        {"5000 100000\n", 20000, -1, "max 20000"}, {"5000 100000\n", 20000, 7000, "7000 20000"}};
    Fake *fake = *state;
    CLEANUP(cgroup_tree_freep) CgroupTree *tree = NULL;

    make_v2(fake, "cpuset cpu\n", "cpuset cpu\n");
    tree = make_tree(fake);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CgroupValues values = {.period = rows[i].period, .quota = rows[i].quota};

        put(fake, "machine/vm/vcpu0/cpu.max", rows[i].before);
        assert_int_equal(cgroup_tree_set(tree, "vcpu0", &values, NULL), 0);
        assert_file(fake, "machine/vm/vcpu0/cpu.max", rows[i].after);
    }
}

static void test_v2_read_back(void **state) {
    Fake *fake = *state;
    CLEANUP(cgroup_tree_freep) CgroupTree *tree = NULL;
    CLEANUP(cgroup_state_done) CgroupState seen = {0};
    CgroupUsage usage = {0};

    make_v2(fake, "cpuset cpu\n", "cpuset cpu\n");
    tree = make_tree(fake);
    put(fake, "machine/vm/vcpu0/cpu.weight", "200\n");
    put(fake, "machine/vm/vcpu0/cpuset.cpus.effective", "0-2,5\n");
    assert_int_equal(cgroup_tree_get(tree, "vcpu0", &seen, NULL), 0);
    assert_int_equal(seen.weight, 200);
    assert_int_equal(seen.shares, 2048);
    assert_int_equal(seen.quota, -1);
    assert_int_equal(seen.period, 100000);
    assert_true(bitmap_is_empty(seen.cpus));
    assert_int_equal(bitmap_count(seen.effective_cpus), 4);
    assert_int_equal(cgroup_tree_usage(tree, "vcpu0", &usage, NULL), 0);
    assert_int_equal(usage.usage_ns, 5000);
    assert_int_equal(usage.user_ns, 3000);
    assert_int_equal(usage.system_ns, 2000);
    assert_int_equal(usage.n_periods, 9);
    assert_int_equal(usage.n_throttled, 0);
    assert_int_equal(usage.throttled_ns, 1000);
}

/* v2's kernel would take the set and use another: it is refused before, with the highest group that
 * clips. */
static void test_v2_clipped_cpus(void **state) {
    Fake *fake = *state;
    CLEANUP_BITMAP Bitmap *cpus = bitmap_new_range(4);
    CLEANUP(cgroup_tree_freep) CgroupTree *tree = NULL;
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *seen = NULL;

    make_v2(fake, "cpuset cpu\n", "cpuset cpu\n");
    put(fake, "machine/cpuset.cpus.effective", "0-1\n");
    put(fake, "machine/vm/cpuset.cpus.effective", "0-1\n");
    tree = make_tree(fake);
    free(written(fake));
    assert_true(cgroup_tree_set(tree, "vcpu0", &(CgroupValues){.cpus = cpus}, &error) < 0);
    assert_string_equal(error_message(error),
                        "unsupported configuration: cgroup '/machine/vm/vcpu0' "
                        "cannot have CPUs '0-3': the group '/machine' has only '0-1'");
    seen = written(fake);
    assert_string_equal(seen, "");
}

/* A subtree that was delegated without cpuset, as systemd does for users. */
static void test_v2_without_cpuset(void **state) {
    Fake *fake = *state;
    CLEANUP_BITMAP Bitmap *cpus = bitmap_new_range(1);
    CLEANUP(cgroup_tree_freep) CgroupTree *tree = NULL;
    CLEANUP_ERROR Error *error = NULL;

    make_v2(fake, "cpuset cpu memory\n", "cpu memory\n");
    put(fake, "cgroup.subtree_control", "cpuset cpu memory\n"); /* what the file says is believed */
    tree = make_tree(fake);
    assert_int_equal(cgroup_tree_require(tree, CGROUP_CPU, NULL), 0);
    assert_int_equal(cgroup_tree_require(tree, CGROUP_CPUSET, &error), -EBADFD);
    assert_non_null(strstr(error_message(error), "'cpuset' is not available for '/machine/vm'"));
    assert_non_null(strstr(error_message(error), "cgroup '/machine' of '"));
    assert_int_equal(cgroup_tree_set(tree, "vcpu0", &(CgroupValues){.cpus = cpus}, &error),
                     -EBADFD);
    assert_int_equal(cgroup_tree_set(tree, "vcpu0", &(CgroupValues){.shares = 2048}, NULL), 0);
    assert_file(fake, "machine/vm/vcpu0/cpu.weight", "200");
}

/* Looking after a restart writes nothing. */
static void test_v2_open_writes_nothing(void **state) {
    Fake *fake = *state;
    CLEANUP(cgroup_tree_freep) CgroupTree *tree = NULL, *none = NULL;
    CLEANUP_FREE char *seen = NULL;
    CLEANUP_ERROR Error *error = NULL;

    make_v2(fake, "cpuset cpu\n", "cpuset cpu\n");
    put(fake, "cgroup.subtree_control", "cpuset cpu\n");
    put(fake, "machine/cgroup.subtree_control", "cpu\n");
    free(written(fake));
    assert_int_equal(cgroup_tree_open(fake->host, "/machine", "vm", &tree, NULL), 0);
    assert_int_equal(cgroup_tree_require(tree, CGROUP_CPUSET, &error), -EBADFD);
    assert_non_null(strstr(error_message(error), "cgroup '/machine' of '"));
    assert_non_null(strstr(error_message(error), "does not hand controller 'cpuset' down"));
    assert_int_equal(cgroup_tree_open(fake->host, "/machine", "none", &none, NULL), -ENOENT);
    seen = written(fake);
    assert_string_equal(seen, "");
}

/* A symbolic link in the way is not followed. */
static void test_v2_link(void **state) {
    Fake *fake = *state;
    CLEANUP_FREE char *link = NULL;
    CgroupTree *tree = NULL;

    make_v2(fake, "cpuset cpu\n", "cpuset cpu\n");
    link = at(fake, "other");
    assert_int_equal(symlink("machine", link), 0);
    assert_int_equal(cgroup_tree_create(fake->host, "/other", "vm", &tree, NULL), -ENOTDIR);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_weight),
        cmocka_unit_test(test_values_out_of_range),
        cmocka_unit_test_setup_teardown(test_hybrid, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_group_of, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_v2_order_of_writes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_v2_controllers_that_are_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_v2_bandwidth, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_v2_read_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_v2_clipped_cpus, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_v2_without_cpuset, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_v2_open_writes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_v2_link, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
