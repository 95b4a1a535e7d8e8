/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's CPUs by its agent: what is asked of a scripted peer, what its answers may not be, and
 * which CPUs are chosen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <malloc.h>
#include <stdio.h>

#include "agent-peer.h"
#include "qemu/agent-vcpu-internal.h"

static void call_vcpus(void *userdata) {
    CLEANUP_AGENT_VCPUS AgentVcpus vcpus = {0};
    CLEANUP_ERROR Error *error = NULL;

    assert_int_equal(agent_get_vcpus(agent, &vcpus, NULL), 0);
    assert_int_equal(vcpus.n, 4);
    assert_int_equal(agent_vcpus_online(&vcpus), 2);
    assert_false(vcpus.items[0].offlinable);
    assert_true(vcpus.items[1].offlinable);
    assert_int_equal(agent_set_vcpus(agent, &vcpus, NULL), 0); /* nothing to do, nothing sent */
    assert_int_equal(agent_vcpus_plan(&vcpus, 4, NULL), 0);
    assert_int_equal(agent_set_vcpus(agent, &vcpus, NULL), 0);
    assert_false(vcpus.items[2].modified || vcpus.items[3].modified);
    assert_int_equal(agent_vcpus_plan(&vcpus, 1, NULL), 0);
    assert_true(agent_set_vcpus(agent, &vcpus, &error) < 0);
    assert_string_equal(
        error_message(error),
        "internal error: unable to execute QEMU agent command 'guest-set-vcpus': busy");
    assert_true(!vcpus.items[1].modified && !vcpus.items[2].modified && vcpus.items[3].modified);
    assert_true(agent_set_vcpus(agent, &vcpus, &error) < 0);
    assert_string_equal(
        error_message(error),
        "internal error: the guest agent's answer to 'guest-set-vcpus' is malformed");
    assert_true(agent_get_vcpus(agent, &vcpus, &error) < 0);
    assert_string_equal(
        error_message(error),
        "internal error: the guest agent's answer to 'guest-get-vcpus' is malformed");
}

static void peer_set(const char *list, const char *reply) {
    char text[512];

    snprintf(text, sizeof(text), "{\"execute\":\"guest-set-vcpus\",\"arguments\":{\"vcpus\":[%s]}}",
             list);
    peer_sync();
    peer_expect(text);
    peer_say(reply);
}

static void answer_vcpus(void *userdata) {
    peer_accept();
    peer_sync();
    peer_expect("{\"execute\":\"guest-get-vcpus\"}");
    peer_say("{\"return\": [{\"online\": true, \"can-offline\": false, \"logical-id\": 0},"
             "{\"online\": true, \"can-offline\": true, \"logical-id\": 1},"
             "{\"online\": false, \"can-offline\": true, \"logical-id\": 2},"
             "{\"online\": false, \"can-offline\": true, \"logical-id\": 3}]}\n");
    peer_set("{\"logical-id\":2,\"online\":true},{\"logical-id\":3,\"online\":true}",
             "{\"return\": 1}\n");
    peer_set("{\"logical-id\":3,\"online\":true}", "{\"return\": 1}\n");
    peer_set("{\"logical-id\":1,\"online\":false},{\"logical-id\":2,\"online\":false},"
             "{\"logical-id\":3,\"online\":false}",
             "{\"return\": 2}\n");
    peer_set("{\"logical-id\":3,\"online\":false}",
             "{\"error\": {\"class\": \"GenericError\", \"desc\": \"busy\"}}\n");
    peer_set("{\"logical-id\":3,\"online\":false}", "{\"return\": 2}\n");
    peer_sync();
    peer_read();
    peer_say("{\"return\": []}\n");
}

static void test_vcpus_and_partial_success(void **data) {
    run(call_vcpus, answer_vcpus, NULL);
}

static int parse(const char *json, AgentVcpus *ret) {
    json_object *value = json_tokener_parse(json);
    int r = agent_vcpus_parse(value, ret, NULL);

    json_object_put(value);
    return r;
}

static void test_bad_vcpus_are_refused(void **data) {
    CLEANUP_AGENT_VCPUS AgentVcpus vcpus = {0};
    static const char *const bad[] = {
        "{}",
        "[]",
        "[1]",
        "[{}]",
        "null",
        "[{\"logical-id\":0}]",
        "[{\"online\":true}]",
        "[{\"logical-id\":-1,\"online\":true}]",
        "[{\"logical-id\":16384,\"online\":true}]",
        "[{\"logical-id\":\"0\",\"online\":true}]",
        "[{\"logical-id\":0,\"online\":1}]",
        "[{\"logical-id\":0,\"online\":true,\"can-offline\":\"no\"}]",
        "[{\"logical-id\":0,\"online\":true},{\"logical-id\":0,\"online\":true}]",
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_true(parse(bad[i], &vcpus) < 0);
    assert_null(vcpus.items);
    assert_int_equal(parse("[{\"logical-id\":16383,\"online\":true}]", &vcpus), 0);
    assert_int_equal(vcpus.items[0].id, 16383);
}

/* CPUs from a text, one letter each: '-' offline, 'x' online for good, 'o' online and offlinable.
 */
static void from_text(AgentVcpus *vcpus, AgentVcpu *items, const char *text) {
    *vcpus = (AgentVcpus){.items = items, .n = strlen(text)};
    for (size_t i = 0; i < vcpus->n; i++)
        items[i] = (AgentVcpu){.id = i, .online = text[i] != '-', .offlinable = text[i] != 'x'};
}

static void check_plan(const char *before, unsigned target, const char *after) {
    AgentVcpu items[16];
    AgentVcpus vcpus;
    char text[17] = "";

    from_text(&vcpus, items, before);
    assert_int_equal(agent_vcpus_plan(&vcpus, target, NULL), 0);
    for (size_t i = 0; i < vcpus.n; i++) {
        text[i] = !items[i].online ? '-' : items[i].offlinable ? 'o' : 'x';
        assert_int_equal(items[i].modified, text[i] != before[i]);
    }
    assert_string_equal(text, after);
}

static void check_no_plan(const char *before, unsigned target, ErrorCode code, const char *words) {
    CLEANUP_ERROR Error *error = NULL;
    AgentVcpu items[16];
    AgentVcpus vcpus;

    from_text(&vcpus, items, before);
    assert_true(agent_vcpus_plan(&vcpus, target, &error) < 0);
    assert_int_equal(error->code, code);
    assert_non_null(strstr(error->message, words));
    for (size_t i = 0; i < vcpus.n; i++)
        assert_false(items[i].modified);
}

static void test_plan(void **data) {
    CLEANUP_ERROR Error *error = NULL;
    AgentVcpu bad[] = {{.id = 0, .online = true}, {.id = 1}};
    AgentVcpus vcpus = {.items = bad, .n = 2};

    check_plan("x---", 4, "xooo");
    check_plan("x--o", 3, "xo-o");
    check_plan("xooo", 4, "xooo");
    check_plan("xooo", 2, "x--o");
    check_plan("xooo", 1, "x---");
    /* All may go: CPU 0 stays. */
    check_plan("oooo", 1, "o---");
    check_plan("o--o", 1, "o---");
    /* Not all may: CPU 0 is like any other. */
    check_plan("ooox", 2, "--ox");
    check_plan("-ooo", 1, "---o");
    check_no_plan("oooo", 0, ERROR_INVALID_ARG,
                  "Cannot offline enough CPUs: 1 of the guest's 4 online ones cannot go");
    check_no_plan("xoxo", 1, ERROR_INVALID_ARG,
                  "Cannot offline enough CPUs: 2 of the guest's 4 online ones cannot go");
    check_no_plan("xo", 3, ERROR_INVALID_ARG, "guest agent reports less cpu than requested: 2 < 3");
    assert_true(agent_vcpus_plan(&vcpus, 2, &error) < 0);
    assert_int_equal(error->code, ERROR_INTERNAL);
    assert_non_null(strstr(error->message, "says that vCPU '1' is offline and cannot go offline"));
}

static void test_plan_takes_any_order(void **data) {
    AgentVcpu items[] = {{.id = 5, .online = true, .offlinable = true},
                         {.id = 0, .online = true},
                         {.id = 3, .online = true, .offlinable = true}};
    AgentVcpus vcpus = {.items = items, .n = 3};

    assert_int_equal(agent_vcpus_plan(&vcpus, 2, NULL), 0);
    assert_int_equal(items[1].id, 3);
    assert_true(items[1].modified && !items[1].online && items[2].online);
}

static int select_text(AgentVcpus *vcpus, const char *list, bool online, Error **reterr) {
    CLEANUP_BITMAP Bitmap *ids = NULL;

    assert_int_equal(bitmap_parse(list, AGENT_VCPUS_MAX, &ids), 0);
    return agent_vcpus_select(vcpus, ids, online, reterr);
}

static void test_select_and_sets(void **data) {
    CLEANUP_BITMAP Bitmap *all = NULL, *online = NULL, *offlinable = NULL;
    CLEANUP_FREE char *all_text = NULL, *online_text = NULL, *offlinable_text = NULL;
    CLEANUP_ERROR Error *error = NULL;
    AgentVcpu items[16];
    AgentVcpus vcpus;

    from_text(&vcpus, items, "xo-o");
    assert_true(select_text(&vcpus, "1,9-10", false, &error) < 0);
    assert_string_equal(error_message(error), "invalid argument: guest is missing vCPUs '9-10'");
    assert_true(select_text(&vcpus, "0-1", false, &error) < 0);
    assert_string_equal(error_message(error), "invalid argument: vCPU '0' is not offlinable");
    assert_false(items[1].modified);
    assert_int_equal(select_text(&vcpus, "1-2", false, NULL), 0);
    assert_true(items[1].modified && !items[1].online && !items[2].modified);
    assert_int_equal(select_text(&vcpus, "0,2", true, NULL), 0);
    assert_true(items[2].modified && items[2].online && !items[0].modified);
    assert_int_equal(agent_vcpus_sets(&vcpus, &all, &online, &offlinable), 0);
    all_text = bitmap_format(all);
    online_text = bitmap_format(online);
    offlinable_text = bitmap_format(offlinable);
    assert_string_equal(all_text, "0-3");
    assert_string_equal(online_text, "0,2-3");
    assert_string_equal(offlinable_text, "1-3");
}

/* ---- the owner goes between two conversations ---- */

static void set_two(void *data) {
    CLEANUP_ERROR Error *error = NULL;
    AgentVcpu items[] = {{.id = 1, .online = true, .modified = true},
                         {.id = 2, .online = true, .modified = true}};
    AgentVcpus vcpus = {.items = items, .n = 2};

    assert_true(agent_set_vcpus(agent, &vcpus, &error) < 0);
    assert_int_equal(error->code, ERROR_AGENT_UNRESPONSIVE);
}

/* Wakes the one that waits for the answer, so that it waits behind this fiber. */
static void free_when_answered(void *data) {
    fiber_cond_broadcast(&agent->changed);
    while (!agent->answered)
        assert_int_equal(fiber_cond_wait(&agent->changed, soon()), 0);
    agent_free(TAKE_PTR(agent));
}

static void answer_half(void *data) {
    peer_accept();
    peer_sync();
    peer_read();
    assert_int_equal(fiber_start("free", free_when_answered, NULL), 0);
    fiber_yield(); /* it waits */
    fiber_yield(); /* and set_two behind it */
    peer_say("{\"return\": 1}\n");
}

/* When the partial answer is there, and its fiber has not run yet. */
static void test_freed_after_a_partial_answer(void **data) {
    mallopt(M_PERTURB, 0xa5);
    run(set_two, answer_half, NULL);
    mallopt(M_PERTURB, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_vcpus_and_partial_success),
        cmocka_unit_test(test_bad_vcpus_are_refused),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_plan_takes_any_order),
        cmocka_unit_test(test_select_and_sets),
        cmocka_unit_test_setup_teardown(test_freed_after_a_partial_answer, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
