/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/block-graph.h"

#include <stdlib.h>

#include "util/json.h"

static const char overlay[] = "overlay-";

json_object *block_query_args(const char *query) {
    CLEANUP_JSON json_object *args = streq(query, "query-named-block-nodes")
                                         ? json_object_new_object()
                                         : NULL;

    return args && json_add_bool(args, "flat", true) >= 0 ? TAKE_PTR(args) : NULL;
}

static void read_node(json_object *row, BlockNode *ret) {
    *ret = (BlockNode){.name = json_member_string(row, "node-name"),
                       .driver = json_member_string(row, "drv"),
                       .file = json_member_string(row, "file"),
                       .backing = json_member_string(row, "backing_file")};
}

bool block_node_find(json_object *nodes, const char *name, BlockNode *ret) {
    for (size_t i = 0; i < json_length(nodes); i++) {
        read_node(json_object_array_get_idx(nodes, i), ret);
        if (streq_ptr(ret->name, name))
            return true;
    }
    *ret = (BlockNode){0};
    return false;
}

/* Formats that an image below another one can have here; not the filters, nor what has the bytes.
 */
static bool has_format(const BlockNode *node) {
    return node->name && (streq_ptr(node->driver, "qcow2") || streq_ptr(node->driver, "raw"));
}

unsigned block_node_by_file(json_object *nodes, const char *file, BlockNode *ret) {
    BlockNode node;
    unsigned n = 0;

    for (size_t i = 0; i < json_length(nodes); i++) {
        read_node(json_object_array_get_idx(nodes, i), &node);
        if (!has_format(&node) || !streq_ptr(node.file, file))
            continue;
        *ret = node;
        n++;
    }
    return n;
}

unsigned block_node_last_overlay(json_object *nodes) {
    unsigned last = 0;
    BlockNode node;

    for (size_t i = 0; i < json_length(nodes); i++) {
        read_node(json_object_array_get_idx(nodes, i), &node);
        if (node.name && strncmp(node.name, overlay, strlen(overlay)) == 0) {
            unsigned long n = strtoul(node.name + strlen(overlay), NULL, 10);

            last = MAX_OF(last, n < UINT32_MAX ? (unsigned)n : 0);
        }
    }
    return last;
}

/* "/machine/peripheral/virtio-disk0/virtio-backend" has the alias between slashes. */
static bool is_of(const char *qdev, const char *alias) {
    static const char peripheral[] = "/machine/peripheral/";
    size_t len = strlen(alias);

    if (strncmp(qdev, peripheral, strlen(peripheral)) == 0)
        qdev += strlen(peripheral);
    return strncmp(qdev, alias, len) == 0 && (qdev[len] == '\0' || qdev[len] == '/');
}

bool block_root_find(json_object *blocks, const char *alias, BlockRoot *ret) {
    for (size_t i = 0; i < json_length(blocks); i++) {
        json_object *row = json_object_array_get_idx(blocks, i);
        json_object *inserted = json_member(row, "inserted"),
                    *image = json_member(inserted, "image");
        const char *qdev = json_member_string(row, "qdev");

        if (!qdev || !inserted || !is_of(qdev, alias))
            continue;
        *ret = (BlockRoot){.node = json_member_string(inserted, "node-name"),
                           .size = json_member_uint(image, "virtual-size", 0)};
        return ret->node != NULL;
    }
    return false;
}

bool block_tray(json_object *blocks, const char *alias, bool *ret_open) {
    for (size_t i = 0; i < json_length(blocks); i++) {
        json_object *row = json_object_array_get_idx(blocks, i);
        const char *qdev = json_member_string(row, "qdev");

        if (!qdev || !is_of(qdev, alias) || !json_member(row, "tray_open"))
            continue;
        *ret_open = json_member_bool(row, "tray_open", false);
        return true;
    }
    return false;
}

/* ---- what stands on what ---- */

#define FILTERS_MAX 16u /* above an image */

static json_object *graph_node(json_object *graph, uint64_t id) {
    json_object *rows = json_member(graph, "nodes");

    for (size_t i = 0; i < json_length(rows); i++) {
        json_object *row = json_object_array_get_idx(rows, i);

        if (json_member_uint(row, "id", 0) == id)
            return row;
    }
    return NULL;
}

/* NULL: the edge is not there. */
static json_object *graph_child(json_object *graph, json_object *node, const char *edge) {
    json_object *rows = json_member(graph, "edges");
    const uint64_t id = json_member_uint(node, "id", 0);

    for (size_t i = 0; i < json_length(rows); i++) {
        json_object *row = json_object_array_get_idx(rows, i);

        if (json_member_uint(row, "parent", 0) == id &&
            streq_ptr(json_member_string(row, "name"), edge))
            return graph_node(graph, json_member_uint(row, "child", 0));
    }
    return NULL;
}

bool block_graph_below(json_object *graph, const char *node, const char *edge, const char **ret) {
    json_object *rows = json_member(graph, "nodes");

    *ret = NULL;
    for (size_t i = 0; node && i < json_length(rows); i++) {
        json_object *row = json_object_array_get_idx(rows, i);

        if (!streq_ptr(json_member_string(row, "type"), "block-driver") ||
            !streq_ptr(json_member_string(row, "name"), node))
            continue;
        *ret = json_member_string(graph_child(graph, row, edge), "name");
        return true;
    }
    return false;
}

static json_object *graph_root(json_object *graph, const char *alias) {
    json_object *rows = json_member(graph, "nodes");

    for (size_t i = 0; i < json_length(rows); i++) {
        json_object *row = json_object_array_get_idx(rows, i), *root;
        const char *name = json_member_string(row, "name");

        if (!name || !streq_ptr(json_member_string(row, "type"), "block-backend") ||
            !is_of(name, alias))
            continue;
        root = graph_child(graph, row, "root");
        if (root)
            return root;
    }
    return NULL;
}

int block_graph_which(json_object *graph, const char *alias, const char *const nodes[2]) {
    json_object *at = graph_root(graph, alias);

    for (unsigned i = 0; at && i < FILTERS_MAX; i++) {
        const char *name = json_member_string(at, "name");
        json_object *file = graph_child(graph, at, "file");

        for (int n = 0; n < 2; n++)
            if (name && streq_ptr(nodes[n], name))
                return n;
        at = file ? file : graph_child(graph, at, "backing");
    }
    return -ENOENT;
}

BlockJobReading block_job_reading(json_object *jobs, const char *id) {
    for (size_t i = 0; i < json_length(jobs); i++) {
        json_object *row = json_object_array_get_idx(jobs, i);
        const char *status = json_member_string(row, "status");

        if (!status || !streq_ptr(json_member_string(row, "id"), id))
            continue;
        return (BlockJobReading){.status = streq(status, "concluded") ? BLOCK_JOB_STATUS_CONCLUDED
                                           : streq(status, "ready")   ? BLOCK_JOB_STATUS_READY
                                           : streq(status, "pending") ? BLOCK_JOB_STATUS_PENDING
                                           : streq(status, "null")    ? BLOCK_JOB_STATUS_GONE
                                                                      : BLOCK_JOB_STATUS_RUNS,
                                 .error = json_member_string(row, "error")};
    }
    return (BlockJobReading){.status = BLOCK_JOB_STATUS_GONE};
}

bool block_job_progress(json_object *jobs, const char *id, uint64_t *ret_done, uint64_t *ret_total,
                        uint64_t *ret_speed, bool *ret_ready) {
    for (size_t i = 0; i < json_length(jobs); i++) {
        json_object *row = json_object_array_get_idx(jobs, i);

        if (!streq_ptr(json_member_string(row, "device"), id))
            continue;
        *ret_done = json_member_uint(row, "offset", 0);
        *ret_total = json_member_uint(row, "len", 0);
        *ret_speed = json_member_uint(row, "speed", 0);
        *ret_ready = json_member_bool(row, "ready", false);
        return true;
    }
    return false;
}
