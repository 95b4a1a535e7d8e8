/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Evidence of removals: which events are, and what a look at QEMU leaves of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "qemu/unplug.h"
#include "util/file.h"
#include "util/json.h"

#define CLEANUP_MAP CLEANUP(vcpu_map_done)

/* Four entities of a vCPU each: 0 from the start, 1 to `online` - 1 plugged. */
static VcpuMap make_map(unsigned online) {
    VcpuMap map = {.entities = calloc(4, sizeof(VcpuEntity)),
                   .n_entities = 4,
                   .tids = calloc(4, sizeof(pid_t)),
                   .n_vcpus = 4};

    for (unsigned i = 0; i < 4; i++) {
        VcpuEntity *entity = &map.entities[i];

        *entity = (VcpuEntity){.first_id = i, .n_vcpus = 1, .type = strdup("cpu")};
        if (i >= online)
            continue;
        entity->alias = i ? strf("vcpu%u", i) : NULL;
        entity->qom_path = i ? strf("/machine/peripheral/vcpu%u", i)
                             : strdup("/machine/unattached/device[0]");
    }
    return map;
}

static bool event(VcpuMap *map, const char *name, const char *data, uint64_t news) {
    CLEANUP_JSON json_object *object = NULL;

    assert_int_equal(json_parse(data, strlen(data), &object), 0);
    return unplug_event(map, name, object, news);
}

static bool ost(VcpuMap *map, unsigned slot, int status, int source, uint64_t news) {
    CLEANUP_FREE char *data = strf("{\"info\":{\"slot\":\"%u\",\"slot-type\":\"CPU\",\"source\":%d,"
                                   "\"status\":%d}}",
                                   slot, source, status);

    return event(map, "ACPI_DEVICE_OST", data, news);
}

static void test_signs(void **state) {
    CLEANUP_MAP VcpuMap map = make_map(4);

    unplug_request(&map.entities[1]);
    unplug_request(&map.entities[2]);
    unplug_request(&map.entities[3]);
    assert_false(unplug_needs_look(&map));
    assert_true(event(&map, "DEVICE_DELETED",
                      "{\"device\":\"vcpu1\",\"path\":\"/machine/peripheral/vcpu1\"}", 7));
    assert_int_equal(map.entities[1].hint, 7);
    assert_true(event(&map, "DEVICE_DELETED", "{\"path\":\"/machine/peripheral/vcpu2/lapic\"}", 8));
    assert_int_equal(map.entities[2].hint, 8);
    assert_true(ost(&map, 3, 0, 3, 9));
    assert_int_equal(map.entities[3].hint, 9);
    assert_true(unplug_needs_look(&map));
}

static void test_what_is_no_evidence(void **state) {
    CLEANUP_MAP VcpuMap map = make_map(4);

    unplug_request(&map.entities[3]);
    assert_false(event(&map, "RESET", "{}", 1));
    assert_false(event(&map, "DEVICE_DELETED", "{\"device\":\"net0\"}", 1));
    assert_false(
        event(&map, "DEVICE_DELETED", "{\"path\":\"/machine/unattached/device[0]/lapic\"}", 1));
    assert_false(event(&map, "DEVICE_DELETED", "{}", 1));
    assert_false(event(&map, "ACPI_DEVICE_OST", "{}", 1));
    assert_false(event(&map, "ACPI_DEVICE_OST", "{\"info\":[]}", 1));
    assert_false(
        event(&map, "ACPI_DEVICE_OST",
              "{\"info\":{\"slot\":\"3\",\"slot-type\":\"DIMM\",\"source\":3,\"status\":0}}", 1));
    assert_false(
        event(&map, "ACPI_DEVICE_OST",
              "{\"info\":{\"slot\":\"-1\",\"slot-type\":\"CPU\",\"source\":3,\"status\":0}}", 1));
    assert_false(ost(&map, 3, 0, 1, 1)); /* of a plug */
    assert_false(ost(&map, 3, 0x83 + 9, 3, 1));
    assert_false(ost(&map, 2, 0, 3, 1)); /* nothing was asked of it */
    assert_false(ost(&map, 400, 0, 3, 1));
    assert_false(unplug_needs_look(&map));
    assert_int_equal(map.entities[3].unplug, UNPLUG_REQUESTED);
}

static void test_refusals(void **state) {
    static const int codes[] = {1, 0x80, 0x81, 0x82, 0x83};

    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        CLEANUP_MAP VcpuMap map = make_map(4);

        unplug_request(&map.entities[2]);
        assert_true(ost(&map, 2, codes[i], 0x103, 1));
        assert_int_equal(map.entities[2].unplug, UNPLUG_REFUSED);
        assert_non_null(map.entities[2].refusal);
        assert_false(ost(&map, 2, codes[i], 3, 2)); /* said twice */
        unplug_forget(&map.entities[2]);
        assert_false(ost(&map, 2, codes[i], 3, 3)); /* said too late */
    }
}

static void test_guest_error(void **state) {
    CLEANUP_MAP VcpuMap map = make_map(4);

    unplug_request(&map.entities[2]);
    unplug_request(&map.entities[3]);
    assert_true(
        event(&map, "DEVICE_UNPLUG_GUEST_ERROR", "{\"path\":\"/machine/peripheral/vcpu2\"}", 1));
    assert_true(
        event(&map, "DEVICE_UNPLUG_GUEST_ERROR", "{\"device\":\"vcpu3\",\"path\":\"?\"}", 2));
    assert_int_equal(map.entities[2].unplug, UNPLUG_REFUSED);
    assert_int_equal(map.entities[3].unplug, UNPLUG_REFUSED);
}

static void test_progress(void **state) {
    CLEANUP_MAP VcpuMap map = make_map(4);

    unplug_request(&map.entities[1]);
    assert_true(
        event(&map, "ACPI_DEVICE_OST",
              "{\"info\":{\"device\":\"vcpu1\",\"slot\":\"9\",\"slot-type\":\"CPU\",\"source\":3,"
              "\"status\":132}}",
              5));
    assert_int_equal(map.entities[1].progress, 5);
    assert_int_equal(map.entities[1].unplug, UNPLUG_REQUESTED);
    assert_false(unplug_needs_look(&map));
}

/* A look that was asked before the sign came does not answer it. */
static void test_a_look_answers_what_came_before_it(void **state) {
    CLEANUP_MAP VcpuMap old = make_map(4), map = make_map(4);

    unplug_request(&old.entities[1]);
    unplug_request(&old.entities[2]);
    unplug_hint(&old.entities[1], 5);
    unplug_hint(&old.entities[2], 6);
    unplug_carry_over(&map, &old, 5);
    assert_int_equal(map.entities[1].unplug, UNPLUG_REQUESTED);
    assert_int_equal(map.entities[1].hint, 0);
    assert_int_equal(map.entities[2].hint, 6);
    assert_true(unplug_needs_look(&map));
}

/* Asked for or not, by whoever looks; until it is settled. */
static void test_what_has_gone(void **state) {
    CLEANUP_MAP VcpuMap old = make_map(4), map = make_map(2), next = make_map(2), other = {0};

    unplug_request(&old.entities[3]);
    unplug_carry_over(&map, &old, 0);
    assert_int_equal(map.entities[1].unplug, UNPLUG_NONE);
    assert_int_equal(map.entities[2].unplug, UNPLUG_GONE);
    assert_int_equal(map.entities[3].unplug, UNPLUG_GONE);
    unplug_forget(&map.entities[2]);
    assert_true(unplug_has_gone(&map));
    assert_false(ost(&map, 3, 0, 3, 1)); /* its second event */
    unplug_carry_over(&next, &map, 0);
    assert_int_equal(next.entities[2].unplug, UNPLUG_NONE);
    assert_int_equal(next.entities[3].unplug, UNPLUG_GONE);
    unplug_forget(&next.entities[3]);
    assert_false(unplug_has_gone(&next));
    unplug_carry_over(&next, &other, 0); /* the first map of all */
    assert_false(unplug_has_gone(&next));
}

static void test_a_refusal_carries_over(void **state) {
    CLEANUP_MAP VcpuMap old = make_map(4), map = make_map(4);

    unplug_request(&old.entities[2]);
    assert_true(ost(&old, 2, 0x81, 3, 1));
    old.entities[2].progress = 3;
    unplug_carry_over(&map, &old, 9);
    assert_int_equal(map.entities[2].unplug, UNPLUG_REFUSED);
    assert_string_equal(map.entities[2].refusal, "the CPU is in use by the guest");
    assert_int_equal(map.entities[2].progress, 3);
}

static void test_a_new_daemon(void **state) {
    CLEANUP_MAP VcpuMap map = make_map(3);
    CLEANUP_BITMAP Bitmap *there = bitmap_new(), *pending = bitmap_new(), *said = NULL;

    for (unsigned id = 0; id < 4; id++)
        assert_true(bitmap_set(there, id) >= 0);
    assert_true(bitmap_set(pending, 2) >= 0 && bitmap_set(pending, 0) >= 0);
    unplug_resume(&map, there, pending);
    assert_int_equal(map.entities[0].unplug, UNPLUG_NONE); /* no alias: nobody can have asked */
    assert_int_equal(map.entities[1].unplug, UNPLUG_NONE);
    assert_int_equal(map.entities[2].unplug, UNPLUG_REQUESTED);
    assert_int_equal(map.entities[3].unplug, UNPLUG_GONE);
    said = unplug_pending(&map);
    assert_int_equal(bitmap_count(said), 1);
    assert_true(bitmap_test(said, 2));
    unplug_resume(&map, NULL, NULL);
    assert_int_equal(map.entities[2].unplug, UNPLUG_REQUESTED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signs),
        cmocka_unit_test(test_what_is_no_evidence),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_guest_error),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_a_look_answers_what_came_before_it),
        cmocka_unit_test(test_what_has_gone),
        cmocka_unit_test(test_a_refusal_carries_over),
        cmocka_unit_test(test_a_new_daemon),
    };

    return cmocka_run_group_tests_name("qemu/unplug", tests, NULL, NULL);
}
