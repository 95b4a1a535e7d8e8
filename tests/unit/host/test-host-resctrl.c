/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resctrl: finding room, requests, and whole groups on a file system that has the kernel's rules
 * (tests/doubles/resctrl-fuse, in $RESCTRL_FUSE). Its caches have 20 bits of 1 MiB each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "skip.h"
#include "sleeper.h"
#include "util/fiber.h"
#include "util/file.h"
#include "host/resctrl.h"

#define MIB (UINT64_C(1024) * 1024)

static void test_find_run(void **state) {
    static const struct {
        uint64_t mask, used;
        unsigned n_bits;
        uint64_t expected; /* 0: no room */
    } rows[] = {{0xfffff, 0, 4, 0xf},
                {0xfffff, 0xf, 4, 0xf0},
                {0xfffff, 0xfffff, 1, 0},
                {0xfffff, 0xff0ff, 4, 0xf00},
                {0xfffff, 0xff0ff, 5, 0},
                {0xfffff, 0x0ff00, 4, 0xf0000}, /* the smallest run that fits, not the first */
                {0xfffff, 0x3c0fc, 2, 0x3},
                {0xfffff, 0x3c0fc, 3, 0x700}, /* two runs of 2 are too small */
                {0xfffff, 0x3c0f8, 3, 0x7},
                {0xfffff, 0x0ff0f, 4, 0xf0}, /* as small as the run above it: the lower one */
                {0xff, 0, 9, 0},
                {0xff, 0, 0, 0},
                {0xf0f0, 0, 4, 0xf0}, /* bits that the cache does not have are not free */
                {UINT64_MAX, 0, 64, UINT64_MAX},
                {UINT64_MAX, 1, 64, 0},
                {UINT64_C(1) << 63, 0, 1, UINT64_C(1) << 63}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t got = 0;
        int r = resctrl_find_run(rows[i].mask, rows[i].used, rows[i].n_bits, &got);

        if (rows[i].expected == 0) {
            assert_int_equal(r, -ENOSPC);
            continue;
        }
        assert_int_equal(r, 0);
        assert_int_equal(got, rows[i].expected);
    }
}

static void test_no_file_system(void **state) {
    CLEANUP_ERROR Error *error = NULL;
    Resctrl *resctrl = NULL;

    assert_int_equal(resctrl_new("/nonexistent", &resctrl, &error), -EOPNOTSUPP);
    assert_non_null(strstr(error_message(error), "no resctrl file system at '/nonexistent'"));
}

/* The file system ---------------------------------------------------------------------------------
 */

typedef struct World {
    char root[64];
    pid_t server;
    Resctrl *resctrl;
} World;

static int set_up(void **state) {
    World *world = calloc(1, sizeof(World));

    strcpy(world->root, "/tmp/vireo-test-resctrl-XXXXXX");
    *state = world;
    return mkdtemp(world->root) ? 0 : -1;
}

static int tear_down(void **state) {
    World *world = *state;

    resctrl_free(world->resctrl);
    if (world->server > 0) {
        umount2(world->root, MNT_DETACH);
        kill(world->server, SIGTERM);
        waitpid(world->server, NULL, 0);
    }
    rmdir(world->root);
    free(world);
    return 0;
}

static bool is_mounted(const World *world) {
    CLEANUP_FREE char *path = path_join(world->root, "info");

    return access(path, F_OK) == 0;
}

/* Starts the double with some of its options. */
static void mount_double(World *world, const char *first, const char *second) {
    const char *program = getenv("RESCTRL_FUSE");
    uint64_t deadline = deadline_in(10 * USEC_PER_SEC);
    char why[128];

    if (!program)
        skip_because("no resctrl-fuse (libfuse3-dev)");
    if (access("/dev/fuse", R_OK | W_OK) < 0)
        skip_because("/dev/fuse cannot be opened");
    world->server = fork();
    if (world->server == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        execl(program, "resctrl-fuse", world->root, first, first ? second : NULL, NULL);
        _exit(127);
    }
    while (!is_mounted(world) && now_usec() < deadline && world->server > 0) {
        if (waitpid(world->server, NULL, WNOHANG) != 0)
            world->server = 0;
        usleep(5000);
    }
    snprintf(why, sizeof(why), "FUSE cannot be mounted here (uid %d)", geteuid());
    if (!is_mounted(world))
        skip_because(why);
    assert_int_equal(resctrl_new(world->root, &world->resctrl, NULL), 0);
}

static void put(const World *world, const char *name, const char *text) {
    CLEANUP_FREE char *path = path_join(world->root, name);
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void assert_file(const World *world, const char *name, const char *expected) {
    CLEANUP_FREE char *path = path_join(world->root, name), *text = NULL;

    assert_int_equal(file_read(path, 65536, &text, NULL), 0);
    assert_string_equal(text, expected);
}

static bool exists(const World *world, const char *name) {
    CLEANUP_FREE char *path = path_join(world->root, name);

    return access(path, F_OK) == 0;
}

static int create(const World *world, const char *name, unsigned id, uint64_t size,
                  Error **reterr) {
    ResctrlCacheRequest cache = {.level = 3, .id = id, .type = RESCTRL_BOTH, .size = size};

    return resctrl_group_create(world->resctrl, name,
                                &(ResctrlRequest){.caches = &cache, .n_caches = 1}, reterr);
}

static void test_info(void **state) {
    World *world = *state;
    const ResctrlCache *cache;

    mount_double(world, "min=2", "ids=3");
    assert_int_equal(world->resctrl->n_caches, 1);
    cache = world->resctrl->caches;
    assert_int_equal(cache->level, 3);
    assert_int_equal(cache->type, RESCTRL_BOTH);
    assert_int_equal(cache->mask, 0xfffff);
    assert_int_equal(cache->min_bits, 2);
    assert_int_equal(cache->n_closids, 4);
    assert_int_equal(cache->n_ids, 3);
    assert_int_equal(cache->ids[2], 2);
    assert_int_equal(cache->granule[2], MIB);
    assert_true(world->resctrl->bandwidth.present && world->resctrl->bandwidth.linear);
    assert_int_equal(world->resctrl->bandwidth.min, 10);
    assert_int_equal(world->resctrl->bandwidth.granularity, 10);
    assert_int_equal(world->resctrl->bandwidth.n_ids, 3);
    assert_int_equal(world->resctrl->n_rmids, 8);
    assert_string_equal(world->resctrl->monitor_features,
                        "llc_occupancy mbm_total_bytes mbm_local_bytes");
}

static void test_requests_that_cannot_be(void **state) {
    static const struct {
        ResctrlCacheRequest cache;
        const char *words;
    } rows[] = {{{2, 0, RESCTRL_BOTH, 4 * MIB}, "cannot divide the cache 'L2'"},
                {{3, 0, RESCTRL_CODE, 4 * MIB}, "cannot divide the cache 'L3CODE'"},
                {{3, 7, RESCTRL_BOTH, 4 * MIB}, "no cache 'L3' with the id 7"},
                {{3, 0, RESCTRL_BOTH, 4 * MIB + 1}, "divided in steps of 1048576 bytes"},
                {{3, 0, RESCTRL_BOTH, 0}, "divided in steps of 1048576 bytes"},
                {{3, 0, RESCTRL_BOTH, 1 * MIB}, "too few: the least is 2097152 bytes"},
                {{3, 0, RESCTRL_BOTH, 20 * MIB}, "are all of it"},
                {{3, 0, RESCTRL_BOTH, 2000 * MIB}, "are all of it"}};
    static const struct {
        ResctrlBandwidthRequest bandwidth;
        const char *words;
    } more[] = {{{0, 101}, "more than 100 percent"},
                {{0, 5}, "less than the least, 10"},
                {{0, 15}, "no multiple of 10"},
                {{9, 50}, "no memory bandwidth with the id 9"}};
    World *world = *state;

    mount_double(world, "min=2", NULL);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        ResctrlRequest request = {.caches = &rows[i].cache, .n_caches = 1};
        CLEANUP_ERROR Error *error = NULL;

        assert_int_equal(resctrl_check(world->resctrl, &request, &error), -EOPNOTSUPP);
        assert_non_null(strstr(error_message(error), rows[i].words));
    }
    for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
        ResctrlRequest request = {.bandwidths = &more[i].bandwidth, .n_bandwidths = 1};
        CLEANUP_ERROR Error *error = NULL;

        assert_int_equal(resctrl_group_create(world->resctrl, "vm", &request, &error), -EOPNOTSUPP);
        assert_non_null(strstr(error_message(error), more[i].words));
    }
    assert_false(exists(world, "vm"));
}

/* Two groups, a foreign one between them, and one that is given back. */
static void test_allocation(void **state) {
    World *world = *state;
    CLEANUP_FREE char *foreign = path_join(world->root, "foreign");

    mount_double(world, "closids=8", NULL);
    put(world, "schemata", "L3:0=f0000;1=ff000\n");
    assert_int_equal(mkdir(foreign, 0755), 0);
    put(world, "foreign/schemata", "L3:0=f0;1=ff000\nMB:0=30\n");
    assert_int_equal(create(world, "vm1", 0, 4 * MIB, NULL), 0);
    assert_file(world, "vm1/schemata", "    L3:0=f;1=ff000\n    MB:0=100;1=100\n");
    assert_int_equal(create(world, "vm2", 0, 4 * MIB, NULL), 0);
    assert_file(world, "vm2/schemata", "    L3:0=f00;1=ff000\n    MB:0=100;1=100\n");
    assert_int_equal(create(world, "vm3", 1, 12 * MIB, NULL), 0);
    assert_file(world, "vm3/schemata", "    L3:0=f0000;1=fff\n    MB:0=100;1=100\n");
    assert_int_equal(resctrl_group_remove(world->resctrl, "vm1", NULL), 0);
    assert_int_equal(resctrl_group_remove(world->resctrl, "vm1", NULL), 0);
    assert_int_equal(create(world, "vm4", 0, 3 * MIB, NULL), 0);
    assert_file(world, "vm4/schemata", "    L3:0=7;1=ff000\n    MB:0=100;1=100\n");
    assert_file(world, "foreign/schemata", "    L3:0=f0;1=ff000\n    MB:0= 30;1=100\n");
    assert_file(world, "schemata", "    L3:0=f0000;1=ff000\n    MB:0=100;1=100\n");
}

static void test_no_room(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;

    mount_double(world, NULL, NULL);
    assert_int_equal(create(world, "vm", 0, 4 * MIB, &error), -ENOSPC);
    assert_non_null(
        strstr(error_message(error), "no 4194304 bytes of cache 'L3' 0 in a row are free"));
    assert_non_null(strstr(error_message(error), "/schemata')"));
    put(world, "schemata", "L3:0=ff000\n");
    assert_int_equal(create(world, "vm", 0, 13 * MIB, &error), -ENOSPC);
    assert_false(exists(world, "vm"));
    assert_int_equal(create(world, "vm", 0, 12 * MIB, &error), 0);
}

static void test_bandwidth(void **state) {
    static const ResctrlBandwidthRequest wanted[] = {{0, 40}, {1, 100}};
    World *world = *state;
    ResctrlRequest request = {.bandwidths = wanted, .n_bandwidths = 2};

    mount_double(world, NULL, NULL);
    put(world, "schemata", "L3:0=ff000\n");
    assert_int_equal(resctrl_group_create(world->resctrl, "vm", &request, NULL), 0);
    /* not the whole cache, which the kernel would have given */
    assert_file(world, "vm/schemata", "    L3:0=ff000;1=fffff\n    MB:0= 40;1=100\n");
}

/* Lines of the cache are lines, whether code or data is in them. */
static void test_code_and_data(void **state) {
    static const ResctrlCacheRequest wanted[] = {{3, 0, RESCTRL_CODE, 2 * MIB},
                                                 {3, 0, RESCTRL_DATA, 4 * MIB}};
    World *world = *state;
    ResctrlRequest request = {.caches = wanted, .n_caches = 2};

    mount_double(world, "cdp=1", "ids=1");
    put(world, "schemata", "L3DATA:0=fc000\nL3CODE:0=c0000\n");
    assert_int_equal(world->resctrl->n_caches, 2);
    assert_int_equal(resctrl_group_create(world->resctrl, "vm", &request, NULL), 0);
    assert_file(world, "vm/schemata", "L3DATA:0=3c\nL3CODE:0=3\n    MB:0=100\n");
    assert_int_equal(resctrl_group_create(world->resctrl, "other", &request, NULL), 0);
    assert_file(world, "other/schemata", "L3DATA:0=f00\nL3CODE:0=c0\n    MB:0=100\n");
}

static void test_no_more_groups(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;

    mount_double(world, "closids=2", NULL);
    put(world, "schemata", "L3:0=ff000\n");
    assert_int_equal(create(world, "vm1", 0, 2 * MIB, &error), 0);
    assert_int_equal(create(world, "vm2", 0, 2 * MIB, &error), -ENOSPC);
    assert_non_null(strstr(error_message(error), "the CPU knows 2 groups and 8 monitors"));
    assert_non_null(strstr(error_message(error), "(the kernel says: Out of CLOSIDs)"));
    assert_int_equal(create(world, "vm1", 0, 2 * MIB, &error), -EEXIST);
}

static void test_no_more_monitors(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;

    mount_double(world, "rmids=2", NULL);
    assert_int_equal(resctrl_monitor_create(world->resctrl, NULL, "m1", &error), 0);
    assert_int_equal(resctrl_monitor_create(world->resctrl, NULL, "m2", &error), -ENOSPC);
    assert_non_null(strstr(error_message(error), "all 2 monitors of the CPU are in use"));
    assert_non_null(strstr(error_message(error), "Out of RMIDs"));
}

/* What was made is taken back when the kernel refuses the schemata. */
static void test_schemata_that_the_kernel_refuses(void **state) {
    World *world = *state;
    CLEANUP_FREE char *path = path_join(world->root, "exclusive");
    CLEANUP_ERROR Error *error = NULL;

    mount_double(world, NULL, NULL);
    put(world, "schemata", "L3:0=ff000;1=ff000\n");
    assert_int_equal(mkdir(path, 0755), 0);
    put(world, "exclusive/schemata", "L3:0=f00;1=f00\n");
    put(world, "exclusive/mode", "exclusive\n");
    world->resctrl->caches[0].mask = 0x1fffff; /* a bit that the kernel does not know of */
    put(world, "schemata", "L3:0=ff000\n");
    assert_int_equal(create(world, "vm", 0, 1 * MIB, &error), -EINVAL);
    assert_non_null(strstr(error_message(error), "the schemata 'L3:0=100000;1=ff000 '"));
    assert_non_null(strstr(error_message(error), "(the kernel says: Mask out of range)"));
    assert_false(exists(world, "vm"));
}

static void test_threads_and_monitors(void **state) {
    World *world = *state;
    CLEANUP_FREE ResctrlReading *readings = NULL, *local = NULL, *whole = NULL;
    CLEANUP_FREE char *line = NULL;
    CLEANUP_ERROR Error *error = NULL;
    Sleeper *first, *second;
    size_t n = 0;
    pid_t tid, pid;

    mount_double(world, NULL, NULL);
    put(world, "schemata", "L3:0=ff000\n");
    assert_int_equal(create(world, "vm", 0, 2 * MIB, NULL), 0);
    first = sleeper_new();
    second = sleeper_new();
    line = strf("%d\n%d\n", first->tid, second->tid);
    assert_int_equal(resctrl_monitor_create(world->resctrl, "vm", "m", NULL), 0);
    /* a monitor takes only threads that are in its group */
    assert_int_equal(resctrl_add_thread(world->resctrl, "vm", "m", first->tid, &error), -EINVAL);
    assert_non_null(strstr(error_message(error), "different control group"));
    assert_int_equal(resctrl_add_thread(world->resctrl, "vm", NULL, first->tid, NULL), 0);
    assert_int_equal(resctrl_add_thread(world->resctrl, "vm", NULL, second->tid, NULL), 0);
    assert_int_equal(resctrl_add_thread(world->resctrl, "vm", "m", first->tid, NULL), 0);
    assert_file(world, "vm/tasks", line);
    assert_int_equal(
        resctrl_monitor_read(world->resctrl, "vm", "m", "llc_occupancy", &readings, &n, NULL), 0);
    assert_int_equal(n, 2);
    assert_int_equal(readings[1].id, 1);
    assert_true(readings[1].available);
    assert_int_equal(readings[1].value, 65536);
    assert_int_equal(
        resctrl_monitor_read(world->resctrl, "vm", NULL, "llc_occupancy", &whole, &n, NULL), 0);
    assert_int_equal(whole[0].value, 2 * 65536);
    assert_int_equal(
        resctrl_monitor_read(world->resctrl, "vm", "m", "mbm_local_bytes", &local, &n, NULL), 0);
    assert_true(local[0].available && local[0].value > 0);
    assert_false(local[1].available);
    assert_int_equal(
        resctrl_monitor_read(world->resctrl, "vm", "m", "nonsense", &local, &n, &error), -ENOENT);
    assert_int_equal(resctrl_monitor_remove(world->resctrl, "vm", "m", NULL), 0);
    assert_false(exists(world, "vm/mon_groups/m"));
    assert_int_equal(resctrl_group_remove(world->resctrl, "vm", NULL), 0);
    assert_file(world, "tasks", line);
    sleeper_free(first);
    sleeper_free(second);
    pid = sleeper_process(&tid);
    sleeper_process_end(pid);
    assert_int_equal(resctrl_add_thread(world->resctrl, NULL, NULL, tid, &error), -ESRCH);
    assert_non_null(strstr(error_message(error), "no longer exists"));
}

static void test_bad_names(void **state) {
    static const char *const names[] = {"",     "..",         "a/b",      "a\nb",
                                        "info", "mon_groups", "mon_data", ".x"};
    World *world = *state;

    mount_double(world, NULL, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        assert_int_equal(create(world, names[i], 0, 2 * MIB, NULL), -EINVAL);
        assert_int_equal(resctrl_group_remove(world->resctrl, names[i], NULL), -EINVAL);
        assert_int_equal(resctrl_monitor_create(world->resctrl, NULL, names[i], NULL), -EINVAL);
    }
}

typedef struct Holder {
    const char *root;
    bool held;
    uint64_t released;
} Holder;

static void *hold_lock(void *arg) {
    Holder *holder = arg;
    CLEANUP_CLOSE int fd = open(holder->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    flock(fd, LOCK_EX);
    __atomic_store_n(&holder->held, true, __ATOMIC_SEQ_CST);
    usleep(200 * 1000);
    holder->released = now_usec();
    return NULL;
}

/* Another program is allocating: it is waited for. */
static void test_lock(void **state) {
    World *world = *state;
    Holder holder = {.root = world->root};
    pthread_t thread;
    uint64_t done;
    int r;

    mount_double(world, NULL, NULL);
    put(world, "schemata", "L3:0=ff000\n");
    assert_int_equal(pthread_create(&thread, NULL, hold_lock, &holder), 0);
    while (!__atomic_load_n(&holder.held, __ATOMIC_SEQ_CST))
        usleep(1000);
    r = create(world, "vm", 0, 2 * MIB, NULL);
    done = now_usec();
    pthread_join(thread, NULL);
    assert_int_equal(r, 0);
    assert_true(done >= holder.released);
}

/* A host that can only watch, and one that cannot watch. */
static void test_monitoring_missing(void **state) {
    World *world = *state;
    CLEANUP_ERROR Error *error = NULL;

    mount_double(world, "mon=0", "mba=0");
    assert_string_equal(world->resctrl->monitor_features, "");
    assert_int_equal(resctrl_monitor_create(world->resctrl, NULL, "m", &error), -EOPNOTSUPP);
    assert_non_null(strstr(error_message(error), "cannot watch"));
    assert_int_equal(
        resctrl_check(
            world->resctrl,
            &(ResctrlRequest){.bandwidths = &(ResctrlBandwidthRequest){0, 50}, .n_bandwidths = 1},
            &error),
        -EOPNOTSUPP);
    assert_non_null(strstr(error_message(error), "cannot limit the memory bandwidth"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find_run),
        cmocka_unit_test(test_no_file_system),
        cmocka_unit_test_setup_teardown(test_info, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_requests_that_cannot_be, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_allocation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bandwidth, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_code_and_data, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_more_groups, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_more_monitors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_schemata_that_the_kernel_refuses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_threads_and_monitors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_monitoring_missing, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
