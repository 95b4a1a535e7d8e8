/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hosts as trees of sysfs. */
/* cmocka needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

#include "host/topology.h"
#include "util/file.h"

static char root[] = "/tmp/vireo-topology-XXXXXX";

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *ftw) {
    return remove(path);
}

static void put(const char *path, const char *text) {
    CLEANUP_FREE char *whole = strf("%s/devices/system/%s", root, path);

    for (char *slash = strchr(whole + strlen(root) + 1, '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(whole, 0700);
        *slash = '/';
    }
    assert_int_equal(file_write_atomic(whole, text, strlen(text), 0600), 0);
}

static void put_cpu(unsigned cpu, const char *what, const char *text) {
    CLEANUP_FREE char *path = strf("cpu/cpu%u/topology/%s", cpu, what);

    put(path, text);
}

static void put_cpu_at(unsigned cpu, int package, int core, const char *siblings) {
    char text[32];

    snprintf(text, sizeof(text), "%d\n", package);
    put_cpu(cpu, "physical_package_id", text);
    snprintf(text, sizeof(text), "%d\n", core);
    put_cpu(cpu, "core_id", text);
    put_cpu(cpu, "thread_siblings_list", siblings);
}

static void expect(unsigned online, unsigned nodes, unsigned sockets, unsigned cores,
                   unsigned threads) {
    HostTopology found;

    assert_int_equal(host_topology_read(root, &found), 0);
    assert_int_equal(found.online, online);
    assert_int_equal(found.nodes, nodes);
    assert_int_equal(found.sockets, sockets);
    assert_int_equal(found.cores, cores);
    assert_int_equal(found.threads, threads);
}

static int set_up(void **state) {
    strcpy(root + strlen(root) - 6, "XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state) {
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Two nodes with a socket each, two cores of two threads; numbers of cores have holes. */
static void put_server(void) {
    static const char *const siblings[] = {"0,4\n", "1,5\n", "2,6\n", "3,7\n"};

    put("cpu/online", "0-7\n");
    put("cpu/present", "0-7\n");
    for (unsigned cpu = 0; cpu < 8; cpu++)
        put_cpu_at(cpu, cpu % 4 / 2, cpu % 2 * 9, siblings[cpu % 4]);
    put("node/online", "0,2\n");
    put("node/node0/cpulist", "0-1,4-5\n");
    put("node/node2/cpulist", "2-3,6-7\n");
}

static void test_nodes_sockets_cores_and_threads(void **state) {
    put_server();
    expect(8, 2, 1, 2, 2);
}

static void test_several_sockets_of_one_node(void **state) {
    put_server();
    put("node/online", "0\n");
    put("node/node0/cpulist", "0-7\n");
    expect(8, 1, 2, 2, 2);
}

static void test_without_nodes(void **state) {
    put("cpu/online", "0-2\n");
    put("cpu/present", "0-2\n");
    for (unsigned cpu = 0; cpu < 3; cpu++)
        put_cpu_at(cpu, 0, (int)cpu, cpu == 0 ? "0\n" : cpu == 1 ? "1\n" : "2\n");
    expect(3, 1, 1, 3, 1);
}

static void test_what_is_no_product_is_cores(void **state) {
    put_server();
    put("cpu/online", "0-6\n"); /* one is offline */
    put("node/node2/cpulist", "2-3,6\n");
    put_cpu(3, "thread_siblings_list", "3\n");
    expect(7, 2, 1, 2, 2);      /* the one that is offline has its place */
    put("cpu/online", "0-3\n"); /* and now a thread of each core */
    put("node/node0/cpulist", "0-1\n");
    put("node/node2/cpulist", "2-3\n");
    for (unsigned cpu = 0; cpu < 4; cpu++)
        put_cpu(cpu, "thread_siblings_list", "0\n");
    expect(4, 1, 1, 8, 1);
    put("node/online", "0,2-3\n"); /* memory alone */
    put("node/node3/cpulist", "\n");
    put("cpu/present", "0-3\n");
    expect(4, 1, 1, 4, 1);
}

static void test_nothing_and_nonsense(void **state) {
    expect(0, 1, 1, 1, 1);
    put("cpu/online", "0-1\n");
    put("cpu/present", "what\n");
    put_cpu(0, "physical_package_id", "-1\n");
    put_cpu(0, "core_id", "99999999999999999999\n");
    put_cpu(1, "thread_siblings_list", "\n");
    put("node/online", "x");
    expect(2, 1, 1, 2, 1);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_nodes_sockets_cores_and_threads), TEST(test_several_sockets_of_one_node),
        TEST(test_without_nodes), TEST(test_what_is_no_product_is_cores),
        TEST(test_nothing_and_nonsense)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
