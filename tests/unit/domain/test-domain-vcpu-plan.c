/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What cannot be planned: its code and its words. Cores of several threads, which x86 has none of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "domain/vcpu-plan.h"
#include "util/file.h"

#define CLEANUP_MAP CLEANUP(vcpu_map_done)
#define CORES 4u

/* Four cores of so many threads: 'b' came with the start, 'p' was plugged, '-' is not there. */
static VcpuMap cores(const char *what, unsigned n_threads) {
    json_object *hotpluggable = json_object_new_array(), *fast = json_object_new_array();
    CLEANUP_ERROR Error *error = NULL;
    VcpuMap map = {0};

    for (unsigned core = 0; core < CORES; core++) {
        CLEANUP_FREE char *path = what[core] == 'p'
                                      ? strf("/machine/peripheral/vcpu%u", core * n_threads)
                                      : strf("/machine/unattached/device[%u]", core);
        CLEANUP_FREE char *is_there = what[core] == '-' ? strdup("")
                                                        : strf(",\"qom-path\":\"%s\"", path);
        CLEANUP_FREE char *entity = strf(
            "{\"type\":\"c\",\"vcpus-count\":%u,\"props\":{\"core-id\":%u}%s}", n_threads,
            core * n_threads, is_there);

        json_object_array_add(hotpluggable, json_tokener_parse(entity));
        for (unsigned i = 0; i < n_threads && what[core] != '-'; i++) {
            CLEANUP_FREE char *thread = strf("{\"qom-path\":\"%s/thread[%u]\",\"thread-id\":%u}",
                                             path, i, 100 + core * n_threads + i);

            json_object_array_add(fast, json_tokener_parse(thread));
        }
    }
    if (vcpu_map_build(hotpluggable, fast, 1, &map, &error) < 0)
        fail_msg("%s", error_message(error));
    json_object_put(hotpluggable);
    json_object_put(fast);
    return map;
}

static void test_counts_that_cannot_be(void **state) {
    static const struct {
        const char *what;
        unsigned n_threads, target;
        const char *words; /* NULL: it can */
    } rows[] = {
        {"b---", 2, 8, NULL},
        {"b---", 2, 3,
         "requested vcpu count 3 is not a multiple of the hotpluggable entity's granularity (2 "
         "vcpus"},
        {"bp--", 2, 5, "requested vcpu count 5 is not a multiple"},
        {"bppp", 2, 7,
         "requested vcpu count 7 is not a multiple of the hotpluggable entity's granularity (2 "
         "vcpus"},
        {"bppp", 2, 2, NULL},
        {"b---", 2, 10, "no appropriate hotpluggable vcpus to satisfy the request for 10 vcpus"},
        {"bbpp", 2, 2,
         "no appropriate hotpluggable vcpus to unplug: 4 vcpus were there at boot and can't be "
         "unplugged"},
        {"bbbb", 1, 3, "4 vcpus were there at boot and can't be unplugged, 3 were asked for"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_MAP VcpuMap map = cores(rows[i].what, rows[i].n_threads);
        CLEANUP(hotplug_plan_done) HotplugPlan plan = {0};
        CLEANUP_ERROR Error *error = NULL;
        int r = hotplug_plan_count(&map, rows[i].target, &plan, &error);

        assert_int_equal(r < 0, rows[i].words != NULL);
        if (r >= 0)
            continue;
        assert_int_equal(error->code, ERROR_CONFIG_UNSUPPORTED);
        if (!strstr(error->message, rows[i].words))
            fail_msg("row %zu: %s", i, error->message);
        assert_null(plan.entities);
    }
}

#define ABSENT TRISTATE_ABSENT
#define NO TRISTATE_NO
#define YES TRISTATE_YES

/* Cores of two threads, three of them in the definition. */
static void test_definitions_that_cannot_start(void **state) {
    static const struct {
        VcpuDef wanted[6];
        const char *words; /* NULL: it can */
    } rows[] = {
        {{{true, NO}, {true, NO}, {true, YES, 2}, {true, YES, 2}, {false, YES}, {false, YES}},
         NULL},
        /* What is not said is said: an offline one can be plugged, an online one not. */
        {{{true, ABSENT},
          {true, NO},
          {false, YES},
          {false, ABSENT},
          {false, ABSENT},
          {false, ABSENT}},
         NULL},
        {{{true, NO}, {false, YES}},
         "vcpus 0 to 1 are one hotpluggable entity (granularity 2): they must be enabled"},
        {{{true, NO}, {true, NO}, {true, YES}, {true, NO}},
         "vcpus 2 to 3 are one hotpluggable entity"},
        {{{true, NO}, {true, NO}, {true, YES, 2}, {true, YES, 3}},
         "vcpus 2 to 3 are one hotpluggable entity"},
        {{{true, NO, 1},
          {true, NO, 1},
          {true, YES, 2},
          {true, YES, 2},
          {true, YES, 2},
          {true, YES, 2}},
         "duplicate vcpu order '2': vcpus '2' and '4' have it"},
        {{{true, NO, 1}, {true, NO, 1}, {true, YES, 7}, {true, YES, 7}},
         "vcpu order '7' of vcpu '2' exceeds vcpu count 6"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_MAP VcpuMap map = cores("b---", 2);
        CLEANUP_ERROR Error *error = NULL;
        int r = hotplug_check_def(&map, rows[i].wanted, 6, &error);

        if ((r < 0) != (rows[i].words != NULL))
            fail_msg("row %zu: %d, %s", i, r, error_message(error));
        if (r >= 0)
            continue;
        assert_int_equal(error->code, ERROR_CONFIG_UNSUPPORTED);
        if (!strstr(error->message, rows[i].words))
            fail_msg("row %zu: %s", i, error->message);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_that_cannot_be),
        cmocka_unit_test(test_definitions_that_cannot_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
