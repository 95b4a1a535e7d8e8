/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is read of QEMU's replies about nodes and jobs: those of a QEMU as it is, and replies that
 * lack members or have others in their place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "qemu/block-graph.h"
#include "util/json.h"

static json_object *json(const char *text) {
    json_object *object = json_tokener_parse(text);

    assert_non_null(object);
    return object;
}

/* Every function finds nothing in it. */
static void check_nothing(json_object *reply) {
    BlockNode node = {.name = "x"};
    uint64_t done, total, speed;
    BlockRoot root;
    bool ready;

    assert_false(block_node_find(reply, "a", &node));
    assert_null(node.name);
    assert_int_equal(block_node_by_file(reply, "/a", &node), 0);
    assert_int_equal(block_node_last_overlay(reply), 0);
    assert_false(block_root_find(reply, "a", &root));
    assert_false(block_graph_below(reply, "a", "backing", &node.name));
    assert_int_equal(block_graph_which(reply, "a", (const char *const[]){"a", "b"}), -ENOENT);
    assert_int_equal(block_job_reading(reply, "a").status, BLOCK_JOB_STATUS_GONE);
    assert_false(block_job_progress(reply, "a", &done, &total, &speed, &ready));
}

static void test_nothing_there(void **state) {
    static const char *const texts[] = {
        "{}", "[]", "7", "\"a\"", "[null]", "[[]]", "[\"a\",1,true,{}]",
        "{\"node-name\":\"a\",\"device\":\"a\",\"id\":\"a\"}",
        /* every member of the wrong type */
        "[{\"node-name\":1,\"drv\":[],\"file\":{},\"device\":7,\"id\":null,\"qdev\":[],"
        "\"inserted\":1}]",
        "[{\"node-name\":[\"a\"],\"drv\":\"raw\",\"file\":\"/a\",\"qdev\":\"a\","
        "\"inserted\":\"a\"}]",
        "[{\"id\":\"a\"},{\"id\":\"a\",\"status\":3},{\"qdev\":\"a\"},{\"qdev\":\"a\","
        "\"inserted\":{}}]",
        "[{\"qdev\":\"a\",\"inserted\":{\"node-name\":5}}]"};

    check_nothing(NULL);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        CLEANUP_JSON json_object *reply = json(texts[i]);

        check_nothing(reply);
    }
}

static void test_nodes(void **state) {
    CLEANUP_JSON json_object *reply = json(
        "[{\"drv\":\"file\",\"file\":\"/a\",\"node-name\":\"f\"},"
        "{\"drv\":\"qcow2\",\"file\":\"/a\",\"node-name\":\"a\",\"backing_file\":\"/b\"},"
        "{\"drv\":\"raw\",\"file\":\"/b\",\"node-name\":\"b\",\"backing_file\":5},"
        "{\"drv\":\"throttle\",\"file\":\"/b\",\"node-name\":\"t\"},"
        "{\"drv\":\"qcow2\",\"file\":\"/b\"},"
        "{\"drv\":\"qcow2\",\"file\":\"/c\",\"node-name\":\"#block1\"},"
        "{\"drv\":\"raw\",\"file\":\"/c\",\"node-name\":\"c\"}]");
    BlockNode node;

    assert_true(block_node_find(reply, "a", &node));
    assert_string_equal(node.driver, "qcow2");
    assert_string_equal(node.file, "/a");
    assert_string_equal(node.backing, "/b");
    assert_true(block_node_find(reply, "b", &node));
    assert_null(node.backing);
    assert_int_equal(block_node_by_file(reply, "/a", &node), 1);
    assert_string_equal(node.name, "a"); /* not the one with the bytes */
    assert_int_equal(block_node_by_file(reply, "/b", &node), 1);
    assert_string_equal(node.name, "b"); /* neither a filter nor one without a name */
    assert_int_equal(block_node_by_file(reply, "/c", &node), 2);
}

static void test_last_overlay(void **state) {
    static const struct {
        const char *text;
        unsigned last;
    } rows[] = {
        {"[{\"node-name\":\"overlay-3\"},{\"node-name\":\"overlay-12\"},"
         "{\"node-name\":\"overlay-5\"}]",
         12},
        {"[{\"node-name\":\"overlay-4294967294\"}]", 4294967294},
        {"[{\"node-name\":\"overlay-4294967295\"}]", 0},
        {"[{\"node-name\":\"overlay-99999999999999999999999\"}]", 0},
        {"[{\"node-name\":\"overlay--1\"},{\"node-name\":\"overlay-\"},"
         "{\"node-name\":\"overlay-x\"},{\"node-name\":\"myoverlay-7\"}]",
         0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_JSON json_object *reply = json(rows[i].text);

        assert_int_equal(block_node_last_overlay(reply), rows[i].last);
    }
}

/* An alias is not the beginning of another one. */
static void test_root(void **state) {
    CLEANUP_JSON json_object *reply = json(
        "[{\"qdev\":\"/machine/peripheral/virtio-disk10/virtio-backend\","
        "\"inserted\":{\"node-name\":\"ten\"}},"
        "{\"qdev\":\"/machine/peripheral/virtio-disk1/virtio-backend\",\"inserted\":{"
        "\"node-name\":\"one\",\"image\":{\"filename\":\"/i\",\"virtual-size\":77}}},"
        "{\"qdev\":\"sata0-0-0\",\"inserted\":{\"node-name\":\"sata\",\"image\":[]}},"
        "{\"qdev\":\"big\",\"inserted\":{\"node-name\":\"b\",\"image\":{\"filename\":1,"
        "\"virtual-size\":\"9\"}}}]");
    BlockRoot root;

    assert_true(block_root_find(reply, "virtio-disk1", &root));
    assert_string_equal(root.node, "one");
    assert_int_equal(root.size, 77);
    assert_true(block_root_find(reply, "sata0-0-0", &root));
    assert_int_equal(root.size, 0);
    assert_true(block_root_find(reply, "big", &root));
    assert_int_equal(root.size, 0);
    assert_false(block_root_find(reply, "virtio-disk", &root));
    assert_false(block_root_find(reply, "", &root));
}

/* A throttle above a chain of two, and a disk whose filter stands on itself. */
static void test_what_stands_on_what(void **state) {
    CLEANUP_JSON json_object *graph = json(
        "{\"nodes\":[{\"id\":1,\"type\":\"block-backend\",\"name\":"
        "\"/machine/peripheral/virtio-disk0/virtio-backend\"},"
        "{\"id\":2,\"type\":\"block-driver\",\"name\":\"throttle\"},"
        "{\"id\":3,\"type\":\"block-driver\",\"name\":\"top\"},"
        "{\"id\":4,\"type\":\"block-driver\",\"name\":\"base\"},"
        "{\"id\":5,\"type\":\"block-job\",\"name\":\"job\"},"
        "{\"id\":6,\"type\":\"block-backend\",\"name\":\"virtio-disk1\"},"
        "{\"id\":7,\"type\":\"block-driver\",\"name\":\"circle\"}],"
        "\"edges\":[{\"parent\":1,\"child\":2,\"name\":\"root\"},"
        "{\"parent\":5,\"child\":4,\"name\":\"main node\"},"
        "{\"parent\":2,\"child\":3,\"name\":\"file\"},"
        "{\"parent\":3,\"child\":4,\"name\":\"backing\"},"
        "{\"parent\":6,\"child\":7,\"name\":\"root\"},"
        "{\"parent\":7,\"child\":7,\"name\":\"file\"}]}");
    static const struct {
        const char *alias, *nodes[2];
        int which;
    } rows[] = {
        {"virtio-disk0", {"top", "base"}, 0},       {"virtio-disk0", {"other", "base"}, 1},
        {"virtio-disk0", {"other", NULL}, -ENOENT}, {"virtio-disk1", {"top", "base"}, -ENOENT},
        {"virtio-disk", {"top", "base"}, -ENOENT},
    };
    const char *below;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(block_graph_which(graph, rows[i].alias, rows[i].nodes), rows[i].which);
    assert_true(block_graph_below(graph, "top", "backing", &below));
    assert_string_equal(below, "base");
    assert_true(block_graph_below(graph, "base", "backing", &below));
    assert_null(below);
    assert_false(block_graph_below(graph, "job", "main node", &below));
    assert_false(block_graph_below(graph, NULL, "backing", &below));
}

static void test_job(void **state) {
    static const char *const bare[] = {"b", "c"};
    CLEANUP_JSON json_object *jobs = json(
        "[{\"id\":\"r\",\"status\":\"running\",\"error\":7},{\"id\":\"y\",\"status\":\"ready\"},"
        "{\"id\":\"c\",\"status\":\"concluded\",\"error\":\"No space\"},"
        "{\"id\":\"n\",\"status\":\"null\"},{\"id\":\"p\",\"status\":\"pending\"},"
        "{\"id\":\"o\",\"status\":\"of a later QEMU\"}]");
    CLEANUP_JSON json_object *progress = json(
        "[{\"device\":\"a\",\"offset\":5,\"len\":9,\"speed\":3,\"ready\":true},"
        "{\"device\":\"b\"},"
        "{\"device\":\"c\",\"offset\":-5,\"len\":\"9\",\"speed\":1.5,\"ready\":\"yes\"}]");
    uint64_t done, total, speed;
    bool ready;

    assert_int_equal(block_job_reading(jobs, "r").status, BLOCK_JOB_STATUS_RUNS);
    assert_null(block_job_reading(jobs, "r").error);
    assert_int_equal(block_job_reading(jobs, "y").status, BLOCK_JOB_STATUS_READY);
    assert_int_equal(block_job_reading(jobs, "c").status, BLOCK_JOB_STATUS_CONCLUDED);
    assert_string_equal(block_job_reading(jobs, "c").error, "No space");
    assert_int_equal(block_job_reading(jobs, "n").status, BLOCK_JOB_STATUS_GONE);
    assert_int_equal(block_job_reading(jobs, "p").status, BLOCK_JOB_STATUS_PENDING);
    assert_int_equal(block_job_reading(jobs, "o").status, BLOCK_JOB_STATUS_RUNS);
    assert_true(block_job_progress(progress, "a", &done, &total, &speed, &ready));
    assert_true(done == 5 && total == 9 && speed == 3 && ready);
    for (size_t i = 0; i < ARRAY_SIZE(bare); i++) {
        assert_true(block_job_progress(progress, bare[i], &done, &total, &speed, &ready));
        assert_true(done == 0 && total == 0 && speed == 0 && !ready);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_there),       cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_last_overlay),        cmocka_unit_test(test_root),
        cmocka_unit_test(test_what_stands_on_what), cmocka_unit_test(test_job),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
