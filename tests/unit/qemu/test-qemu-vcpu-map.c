/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The vCPU map: recorded answers of a real QEMU (tests/data/vcpu) and made ones for what x86 never
 * says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "qemu/vcpu-map.h"
#include "util/file.h"

typedef struct Recorded {
    json_object *all, *hotpluggable, *fast;
    pid_t pid;
} Recorded;

static void recorded_done(Recorded *recorded) {
    json_object_put(recorded->all);
}
#define CLEANUP_RECORDED CLEANUP(recorded_done)
#define CLEANUP_MAP CLEANUP(vcpu_map_done)

static Recorded load(const char *name) {
    CLEANUP_FREE char *path = strf("%s/vcpu/%s.json", TEST_DATA_DIR, name), *text = NULL;
    Recorded recorded = {0};

    assert_int_equal(file_read(path, 1 << 20, &text, NULL), 0);
    recorded.all = json_tokener_parse(text);
    assert_non_null(recorded.all);
    recorded.hotpluggable = json_object_object_get(recorded.all, "hotpluggable");
    recorded.fast = json_object_object_get(recorded.all, "fast");
    recorded.pid = json_object_get_int(json_object_object_get(recorded.all, "pid"));
    return recorded;
}

static VcpuMap build(const Recorded *recorded) {
    CLEANUP_ERROR Error *error = NULL;
    VcpuMap map = {0};

    if (vcpu_map_build(recorded->hotpluggable, recorded->fast, recorded->pid, &map, &error) < 0)
        fail_msg("%s", error_message(error));
    return map;
}

static json_object *json(const char *text) {
    json_object *object = json_tokener_parse(text);

    if (!object)
        fail_msg("not JSON: %s", text);
    return object;
}

/* ids count up through socket, die, core, thread; QEMU lists them the other way round. */
static void check_order(const VcpuMap *map) {
    unsigned id = 0;

    for (size_t i = 0; i < map->n_entities; i++) {
        const VcpuEntity *entity = &map->entities[i];

        assert_int_equal(entity->first_id, id);
        id += entity->n_vcpus;
        if (i == 0)
            continue;
        for (size_t k = 0; k < ARRAY_SIZE(entity->topology); k++) {
            if (entity->topology[k] == entity[-1].topology[k])
                continue;
            assert_true(entity->topology[k] > entity[-1].topology[k]);
            break;
        }
    }
    assert_int_equal(map->n_vcpus, id);
}

static void test_flat(void **state) {
    CLEANUP_RECORDED Recorded recorded = load("flat");
    CLEANUP_MAP VcpuMap map = build(&recorded);

    check_order(&map);
    assert_int_equal(map.n_entities, 4);
    assert_int_equal(vcpu_map_online(&map), 1);
    assert_string_equal(map.entities[0].qom_path, "/machine/unattached/device[0]");
    assert_null(map.entities[0].alias); /* a boot CPU stays */
    assert_true(map.tids[0] > 0);
    assert_true(map.has_tids);
    for (unsigned i = 1; i < 4; i++) {
        assert_null(map.entities[i].qom_path);
        assert_int_equal(map.tids[i], 0);
        assert_int_equal(map.entities[i].topology[6], i); /* cores */
    }
}

static void test_dies_and_threads(void **state) {
    CLEANUP_RECORDED Recorded recorded = load("dies");
    CLEANUP_MAP VcpuMap map = build(&recorded);

    check_order(&map);
    assert_int_equal(map.n_vcpus, 8);
    assert_int_equal(vcpu_map_online(&map), 4);
    for (unsigned i = 0; i < 4; i++) { /* the fixture plugged vcpu1 .. vcpu3 in this order */
        CLEANUP_FREE char *alias = strf("vcpu%u", i);

        assert_true(map.tids[i] > 0);
        if (i == 0)
            continue;
        assert_string_equal(map.entities[i].alias, alias);
        assert_ptr_equal(vcpu_map_by_alias(&map, alias), &map.entities[i]);
    }
    assert_int_equal(map.entities[2].topology[3], 1); /* die 1 of socket 0 */
    assert_int_equal(map.entities[5].topology[7], 1); /* thread 1 of socket 1 */
}

/* QEMU has them from 9.1 on: cores and threads count from 0 in each module. Three at boot. */
static void test_modules(void **state) {
    CLEANUP_RECORDED Recorded recorded = load("modules");
    CLEANUP_MAP VcpuMap map = build(&recorded);

    check_order(&map);
    assert_int_equal(map.n_vcpus, 8);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(map.entities[i].qom_path != NULL, i < 3);
        assert_int_equal(map.entities[i].topology[5], i / 4);
        assert_int_equal(map.entities[i].topology[6], i / 2 % 2);
        assert_int_equal(map.entities[i].topology[7], i % 2);
    }
}

/* The sockets of s390x count from 0 in each book, books in each drawer; cores count on. */
static void test_books_and_drawers(void **state) {
    json_object *all = json_object_new_array(), *fast = json("[]");
    CLEANUP_MAP VcpuMap map = {0};

    for (int core = 7; core >= 0; core--) { /* 2 drawers of 2 books of 2 sockets */
        CLEANUP_FREE char *row = strf("{\"type\":\"s390x-cpu\",\"vcpus-count\":1,\"props\":{"
                                      "\"drawer-id\":%d,\"book-id\":%d,\"socket-id\":%d,"
                                      "\"core-id\":%d}}",
                                      core / 4, core / 2 % 2, core % 2, core);

        json_object_array_add(all, json(row));
    }
    assert_int_equal(vcpu_map_build(all, fast, 1, &map, NULL), 0);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(map.entities[i].topology[6], i);
    json_object_put(all);
    json_object_put(fast);
}

static void test_cores_and_threads(void **state) {
    CLEANUP_RECORDED Recorded recorded = load("cores");
    CLEANUP_MAP VcpuMap map = build(&recorded);

    check_order(&map);
    assert_int_equal(vcpu_map_online(&map), 4);
    assert_null(map.entities[0].alias);
    assert_null(map.entities[1].alias);
    assert_non_null(map.entities[2].alias);
}

static void test_shared_threads_are_no_threads(void **state) {
    CLEANUP_RECORDED Recorded recorded = load("single");
    CLEANUP_MAP VcpuMap map = build(&recorded);

    assert_int_equal(vcpu_map_online(&map), 2);
    assert_int_equal(map.tids[0], map.tids[1]);
    assert_false(map.has_tids);
}

/* The emulator's own pid as a thread id says as little. */
static void test_the_process_is_not_a_thread(void **state) {
    CLEANUP_RECORDED Recorded recorded = load("flat");
    CLEANUP_MAP VcpuMap map = build(&recorded), same = {0};

    assert_int_equal(vcpu_map_build(recorded.hotpluggable, recorded.fast, map.tids[0], &same, NULL),
                     0);
    assert_false(same.has_tids);
}

static void test_without_hotplug(void **state) {
    CLEANUP_RECORDED Recorded recorded = load("isapc");
    CLEANUP_MAP VcpuMap map = {0};
    CLEANUP_ERROR Error *error = NULL;

    assert_int_equal(vcpu_map_build_static(recorded.fast, recorded.pid, &map, &error), 0);
    assert_int_equal(map.n_vcpus, 1);
    assert_int_equal(vcpu_map_online(&map), 1);
    assert_true(map.has_tids);
    assert_null(map.entities[0].alias);
}

static void test_lookups(void **state) {
    CLEANUP_RECORDED Recorded recorded = load("dies");
    CLEANUP_MAP VcpuMap map = build(&recorded);

    assert_ptr_equal(vcpu_map_by_path(&map, "/machine/peripheral/vcpu3"), &map.entities[3]);
    assert_ptr_equal(vcpu_map_by_path(&map, "/machine/peripheral/vcpu3/lapic"), &map.entities[3]);
    assert_null(vcpu_map_by_path(&map, "/machine/peripheral/vcpu33"));
    assert_null(vcpu_map_by_path(&map, "/machine/peripheral/vcpu"));
    assert_null(vcpu_map_by_path(&map, NULL));
    assert_null(vcpu_map_by_alias(&map, NULL));
    assert_null(vcpu_map_by_alias(&map, "vcpu4"));
    assert_ptr_equal(vcpu_map_by_id(&map, 7), &map.entities[7]);
    assert_null(vcpu_map_by_id(&map, 8));
    assert_null(vcpu_map_by_id(&map, UINT32_MAX));
}

/* TCG: the object lingers while query-cpus-fast has already left it out. */
static void test_an_entity_without_threads_is_gone(void **state) {
    json_object *hotpluggable = json(
        "[{\"type\":\"c\",\"props\":{\"socket-id\":1},\"qom-path\":\"/machine/peripheral/vcpu1\"},"
        "{\"type\":\"c\",\"props\":{\"socket-id\":0},\"qom-path\":\"/a\"}]");
    json_object *fast = json(
        "[{\"qom-path\":\"/a\",\"thread-id\":5},{\"qom-path\":\"/stranger\",\"thread-id\":6}]");
    CLEANUP_MAP VcpuMap map = {0};

    assert_int_equal(vcpu_map_build(hotpluggable, fast, 1, &map, NULL), 0);
    assert_int_equal(vcpu_map_online(&map), 1);
    assert_null(map.entities[1].qom_path);
    assert_null(map.entities[1].alias);
    assert_int_equal(map.tids[0], 5);
    json_object_put(hotpluggable);
    json_object_put(fast);
}

/* POWER: an entity is a core of several threads, its CPUs are children of it. */
static void test_cores_of_several_threads(void **state) {
    json_object *hotpluggable = json(
        "[{\"type\":\"core\",\"vcpus-count\":2,\"props\":{\"core-id\":2}},"
        "{\"type\":\"core\",\"vcpus-count\":2,\"props\":{\"core-id\":0},\"qom-path\":\"/m/"
        "device[1]\"}]");
    json_object *fast = json("[{\"qom-path\":\"/m/device[1]/thread[1]\",\"thread-id\":12},"
                             "{\"qom-path\":\"/m/device[1]/thread[0]\",\"thread-id\":11},"
                             "{\"qom-path\":\"/m/device[1]/thread[2]\",\"thread-id\":13}]");
    CLEANUP_MAP VcpuMap map = {0};

    assert_int_equal(vcpu_map_build(hotpluggable, fast, 1, &map, NULL), 0);
    assert_int_equal(map.n_vcpus, 4);
    assert_int_equal(vcpu_map_online(&map), 2);
    assert_int_equal(map.tids[0], 11); /* by their number, in whatever order they are listed */
    assert_int_equal(map.tids[1], 12); /* one thread too many is left alone */
    assert_int_equal(map.tids[2], 0);
    assert_ptr_equal(vcpu_map_by_id(&map, 3), &map.entities[1]);
    json_object_put(hotpluggable);
    json_object_put(fast);
}

/* QEMU before 2.7, and the machine types of that time up to 5.1: no entities, but cpu-add. */
static void test_cpu_add(void **state) {
    json_object *fast = json("[{\"CPU\":0,\"current\":true,\"halted\":false,\"thread_id\":25627,"
                             "\"qom_path\":\"/machine/unattached/device[0]\"},"
                             "{\"CPU\":1,\"current\":false,\"halted\":true,\"thread_id\":25628,"
                             "\"qom_path\":\"/machine/unattached/device[2]\"}]");
    CLEANUP_MAP VcpuMap map = {0}, none = {0};
    CLEANUP_ERROR Error *error = NULL;
    const char *command = NULL;
    json_object *arguments, *expected = json("{\"id\":2}");

    assert_int_equal(vcpu_map_build_cpu_add(fast, 1, 4, &map, NULL), 0);
    check_order(&map);
    assert_int_equal(map.n_vcpus, 4);
    assert_int_equal(vcpu_map_online(&map), 2);
    assert_true(map.has_tids && vcpu_map_has_hotplug(&map));
    assert_int_equal(map.tids[1], 25628);
    assert_int_equal(map.tids[2], 0);
    assert_string_equal(map.entities[1].qom_path, "/machine/unattached/device[2]");
    for (unsigned i = 0; i < 4; i++) { /* what came so never goes */
        assert_null(map.entities[i].alias);
        assert_true(vcpu_entity_can_plug(&map.entities[i]));
    }
    assert_int_equal(vcpu_map_check_plug(&map, &map.entities[2], NULL), 0);
    assert_true(vcpu_map_check_plug(&map, &map.entities[3], &error) < 0);
    assert_int_equal(error->code, ERROR_OPERATION_UNSUPPORTED);
    assert_non_null(strstr(error->message, "vcpu 3 cannot be plugged before vcpu 2"));
    arguments = vcpu_entity_plug_command(&map.entities[2], &command);
    assert_string_equal(command, "cpu-add");
    assert_true(json_object_equal(arguments, expected));
    json_object_put(arguments);

    assert_int_equal(vcpu_map_build_static(fast, 1, &none, NULL), 0); /* neither of the two */
    assert_false(vcpu_map_has_hotplug(&none));
    assert_int_equal(none.n_vcpus, 2);
    json_object_put(expected);
    json_object_put(fast);
}

static void test_plug_command_of_entities(void **state) {
    CLEANUP_RECORDED Recorded recorded = load("dies");
    CLEANUP_MAP VcpuMap map = build(&recorded);
    const char *command = NULL;
    json_object *arguments = vcpu_entity_plug_command(&map.entities[6], &command);
    json_object *expected = json("{\"driver\":\"qemu64-x86_64-cpu\",\"id\":\"vcpu6\",\"core-id\":0,"
                                 "\"thread-id\":0,\"die-id\":1,\"socket-id\":1}");

    assert_string_equal(command, "device_add");
    assert_true(json_object_equal(arguments, expected));
    assert_int_equal(vcpu_map_check_plug(&map, &map.entities[7], NULL), 0); /* in any order */
    json_object_put(arguments);
    json_object_put(expected);
}

/* Four entities, the first there; QEMU's side of the start. */
static void test_boot_against_the_definition(void **state) {
    enum { OFF, BOOT, PLUG };
    static const struct {
        const char *name;
        int vcpus[6];
        unsigned n;
        const char *words;
    } rows[] = {
        {"flat", {BOOT, OFF, OFF, OFF}, 4, NULL},
        {"flat", {BOOT, OFF, PLUG, PLUG}, 4, NULL},
        {"flat", {BOOT, PLUG}, 2, NULL}, /* more than the definition's are not its business */
        {"flat", {OFF, PLUG, OFF, OFF}, 4, "vcpu '0' is not enabled, but QEMU starts with it"},
        {"flat", {BOOT, OFF, BOOT, OFF}, 4, "vcpu '2' is enabled and not hotpluggable"},
        {"flat", {BOOT, OFF, OFF, OFF, OFF, OFF}, 6, NULL},
        {"flat", {BOOT, OFF, OFF, OFF, OFF, PLUG}, 6, "QEMU names no hotpluggable entity for it"},
        {"flat", {BOOT, OFF, OFF, OFF, BOOT, OFF}, 6, "vcpu '4' is enabled and not hotpluggable"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_RECORDED Recorded recorded = load(rows[i].name);
        CLEANUP_MAP VcpuMap map = build(&recorded);
        CLEANUP_ERROR Error *error = NULL;
        VcpuDef wanted[6] = {0};
        int r;

        for (unsigned id = 0; id < rows[i].n; id++)
            wanted[id] = (VcpuDef){.online = rows[i].vcpus[id] != OFF,
                                   .hotpluggable = rows[i].vcpus[id] == BOOT ? TRISTATE_NO
                                                                             : TRISTATE_YES};
        r = vcpu_map_check_boot(&map, wanted, rows[i].n, &error);
        assert_int_equal(r < 0, rows[i].words != NULL);
        if (r >= 0)
            continue;
        assert_int_equal(error->code, ERROR_CONFIG_UNSUPPORTED);
        if (!strstr(error->message, rows[i].words))
            fail_msg("row %zu: %s", i, error->message);
    }
}

static void test_affinity_needs_threads(void **state) {
    CLEANUP_RECORDED Recorded recorded = load("flat"), single = load("single");
    CLEANUP_MAP VcpuMap map = build(&recorded), shared = build(&single);
    CLEANUP_ERROR Error *error = NULL;

    assert_int_equal(vcpu_map_check_affinity(&map, NULL), 0);
    assert_true(vcpu_map_check_affinity(&shared, &error) < 0);
    assert_int_equal(error->code, ERROR_OPERATION_INVALID);
    assert_non_null(strstr(error->message, "cpu affinity is not supported"));
}

static void test_bad_answers_are_errors(void **state) {
    static const struct {
        const char *hotpluggable, *words;
    } rows[] = {
        {"{}", "not arrays"},
        {"[]", "0 vCPUs are out of range"},
        {"[7]", "no type or props"},
        {"[null]", "no type or props"},
        {"[{\"props\":{}}]", "no type or props"},
        {"[{\"type\":\"c\"}]", "no type or props"},
        {"[{\"type\":\"c\",\"props\":[]}]", "no type or props"},
        {"[{\"type\":1,\"props\":{}}]", "no type or props"},
        {"[{\"type\":\"c\",\"props\":{},\"vcpus-count\":0}]", "vcpus-count 0 is out of range"},
        {"[{\"type\":\"c\",\"props\":{},\"vcpus-count\":-1}]", "vcpus-count -1 is out of range"},
        {"[{\"type\":\"c\",\"props\":{},\"vcpus-count\":4294967297}]",
         "vcpus-count 4294967297 is out of range"},
        {"[{\"type\":\"c\",\"props\":{},\"vcpus-count\":16384},{\"type\":\"c\",\"props\":{}}]",
         "16385 vCPUs are out of range"},
    };
    json_object *fast = json("[]");

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        json_object *hotpluggable = json(rows[i].hotpluggable);
        CLEANUP_ERROR Error *error = NULL;
        VcpuMap map = {0};

        assert_true(vcpu_map_build(hotpluggable, fast, 1, &map, &error) < 0);
        assert_int_equal(error->code, ERROR_INTERNAL);
        if (!strstr(error->message, rows[i].words))
            fail_msg("%s: %s", rows[i].hotpluggable, error->message);
        assert_null(map.entities);
        json_object_put(hotpluggable);
    }
    json_object_put(fast);
}

static void test_odd_threads_are_survived(void **state) {
    json_object *hotpluggable = json(
        "[{\"type\":\"c\",\"props\":{\"socket-id\":\"x\"},\"qom-path\":\"/a\"}]");
    json_object *fast = json("[7,null,{},{\"qom-path\":3},{\"qom-path\":\"/a\",\"thread-id\":-4},"
                             "{\"qom-path\":\"/a\",\"thread-id\":4}]");
    CLEANUP_MAP VcpuMap map = {0}, none = {0};
    CLEANUP_ERROR Error *error = NULL;

    assert_int_equal(vcpu_map_build(hotpluggable, fast, 1, &map, NULL), 0);
    assert_int_equal(map.tids[0], 0);
    assert_false(map.has_tids);
    assert_true(vcpu_map_build_static(hotpluggable, 1, &none, NULL) == 0);
    vcpu_map_done(&none);
    assert_true(vcpu_map_build_static(NULL, 1, &none, &error) < 0);
    assert_null(none.entities);
    assert_true(strstr(error->message, "query-cpus-fast") != NULL);
    json_object_put(hotpluggable);
    json_object_put(fast);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flat),
        cmocka_unit_test(test_dies_and_threads),
        cmocka_unit_test(test_modules),
        cmocka_unit_test(test_books_and_drawers),
        cmocka_unit_test(test_cores_and_threads),
        cmocka_unit_test(test_shared_threads_are_no_threads),
        cmocka_unit_test(test_the_process_is_not_a_thread),
        cmocka_unit_test(test_without_hotplug),
        cmocka_unit_test(test_lookups),
        cmocka_unit_test(test_an_entity_without_threads_is_gone),
        cmocka_unit_test(test_cores_of_several_threads),
        cmocka_unit_test(test_cpu_add),
        cmocka_unit_test(test_plug_command_of_entities),
        cmocka_unit_test(test_boot_against_the_definition),
        cmocka_unit_test(test_affinity_needs_threads),
        cmocka_unit_test(test_bad_answers_are_errors),
        cmocka_unit_test(test_odd_threads_are_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
