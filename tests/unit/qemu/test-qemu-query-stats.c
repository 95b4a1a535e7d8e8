/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU's statistics say, and what is made of replies that say something else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "qemu/block-stats.h"
#include "qemu/query-stats.h"
#include "util/json.h"

static json_object *parsed(const char *text) {
    json_object *value = NULL;

    assert_int_equal(json_parse(text, strlen(text), &value), 0);
    return value;
}

static void test_halt_poll(void **data) {
    CLEANUP_JSON json_object *args = query_stats_halt_poll_args();
    CLEANUP_FREE char *text = json_text(args);
    CLEANUP_JSON json_object *reply = parsed(
        "[{\"provider\":\"kvm\",\"qom-path\":\"/a\",\"stats\":["
        "{\"name\":\"halt_poll_success_ns\",\"value\":5},{\"name\":\"halt_poll_fail_ns\",\"value\":"
        "7}]},"
        "{\"provider\":\"kvm\",\"qom-path\":\"/b\",\"stats\":["
        "{\"name\":\"halt_poll_fail_ns\",\"value\":1},{\"name\":\"other\",\"value\":[1,2]},"
        "{\"name\":\"halt_poll_success_ns\",\"value\":\"x\"},7]},null]");
    HaltPoll poll;

    assert_non_null(text);
    assert_string_equal(text,
                        "{\"providers\":[{\"provider\":\"kvm\",\"names\":["
                        "\"halt_poll_success_ns\",\"halt_poll_fail_ns\"]}],\"target\":\"vcpu\"}");
    assert_true(query_stats_halt_poll(reply, &poll));
    assert_int_equal(poll.success_ns, 5);
    assert_int_equal(poll.fail_ns, 8);
    assert_false(query_stats_halt_poll(NULL, &poll));
    assert_int_equal(poll.fail_ns, 0);
}

static void test_kvm(void **data) {
    CLEANUP_JSON json_object *vm = query_stats_vm_args(), *of = query_stats_schemas_args();
    CLEANUP_FREE char *text = json_text(vm), *of_text = json_text(of);
    CLEANUP_JSON json_object *schemas = parsed(
        "[{\"provider\":\"kvm\",\"target\":\"vcpu\",\"stats\":[{\"name\":\"exits\",\"type\":"
        "\"cumulative\"}]},{\"provider\":\"kvm\",\"target\":\"vm\",\"stats\":["
        "{\"name\":\"pages_4k\",\"type\":\"instant\"},{\"name\":\"flush\",\"type\":\"cumulative\"},"
        "{\"name\":\"most\",\"type\":\"peak\"},{\"name\":\"curve\",\"type\":\"linear-histogram\"},"
        "{\"name\":\"on\",\"type\":\"instant\"},{\"name\":\"list\",\"type\":\"instant\"}]}]");
    CLEANUP_JSON json_object *reply = parsed(
        "[{\"provider\":\"kvm\",\"stats\":[{\"name\":\"pages_4k\",\"value\":7},"
        "{\"name\":\"flush\",\"value\":9223372036854775808},{\"name\":\"most\",\"value\":0},"
        "{\"name\":\"on\",\"value\":true},{\"name\":\"exits\",\"value\":1},"
        "{\"name\":\"curve\",\"value\":1},{\"name\":\"list\",\"value\":[1]},5,{\"value\":1}]}]");
    KvmStats stats;

    assert_string_equal(text, "{\"target\":\"vm\"}");
    assert_string_equal(of_text, "{\"provider\":\"kvm\"}");
    assert_int_equal(query_stats_vm(reply, schemas, &stats), 0);
    assert_int_equal(stats.n, 4);
    assert_string_equal(stats.list[0].name, "vm.pages_4k.cur");
    assert_true(stats.list[0].value == 7 && !stats.list[0].is_bool);
    assert_string_equal(stats.list[1].name, "vm.flush.sum");
    assert_true(stats.list[1].value == UINT64_C(9223372036854775808));
    assert_string_equal(stats.list[2].name, "vm.most.max");
    assert_string_equal(stats.list[3].name, "vm.on.cur");
    assert_true(stats.list[3].value == 1 && stats.list[3].is_bool);
    kvm_stats_done(&stats);
    assert_int_equal(query_stats_vm(reply, NULL, &stats), 0);
    assert_int_equal(stats.n, 0);
    kvm_stats_done(&stats);
    assert_int_equal(query_stats_vm(NULL, schemas, &stats), 0);
    assert_int_equal(stats.n, 0);
}

static void test_dirty_rate(void **data) {
    CLEANUP_JSON json_object *measured = parsed(
        "{\"status\":\"measured\",\"start-time\":12,\"calc-time\":1,\"mode\":\"dirty-bitmap\","
        "\"dirty-rate\":108,\"sample-pages\":512}");
    CLEANUP_JSON json_object *unstarted = parsed(
        "{\"status\":\"unstarted\",\"start-time\":0,\"calc-time\":0,\"mode\":\"page-sampling\"}");
    CLEANUP_JSON json_object *newer = parsed("{\"status\":\"tired\",\"dirty-rate\":1}");
    DirtyRateResult result;

    assert_true(query_stats_dirty_rate(measured, &result));
    assert_int_equal(result.status, DIRTY_MEASURED);
    assert_int_equal(result.start, 12);
    assert_int_equal(result.seconds, 1);
    assert_string_equal(result.mode, "dirty-bitmap");
    assert_int_equal(result.mib_sec, 108);
    assert_true(query_stats_dirty_rate(unstarted, &result));
    assert_int_equal(result.status, DIRTY_UNSTARTED);
    assert_false(query_stats_dirty_rate(newer, &result));
    assert_false(query_stats_dirty_rate(NULL, &result));
}

static void test_threshold(void **data) {
    CLEANUP_JSON json_object *nodes = parsed(
        "[{\"node-name\":\"drive-a\",\"write_threshold\":0},7,"
        "{\"node-name\":\"file-a\",\"write_threshold\":4096}]");

    assert_int_equal(block_stats_threshold(nodes, "file-a"), 4096);
    assert_int_equal(block_stats_threshold(nodes, "drive-a"), 0);
    assert_int_equal(block_stats_threshold(nodes, "file-b"), 0);
    assert_int_equal(block_stats_threshold(NULL, "file-a"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halt_poll),
        cmocka_unit_test(test_kvm),
        cmocka_unit_test(test_dirty_rate),
        cmocka_unit_test(test_threshold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
