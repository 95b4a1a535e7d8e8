/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU says of its block nodes and jobs: query-named-block-nodes, query-block, query-jobs,
 * query-block-jobs, x-debug-query-block-graph. Pure: replies in, structs out; what does not look as
 * it should is left out. */
#pragma once

#include <json-c/json.h>

#include "util/macro.h"

/* One node; all borrowed from the reply. */
typedef struct BlockNode {
    const char *name, *driver, *file;
    const char *backing; /* the file of the node below it; NULL: none */
} BlockNode;

/* What query-named-block-nodes is asked with: each node alone, without those below it in it again,
 * which are the square of them. NULL for other queries, or no memory. Caller frees. */
json_object *block_query_args(const char *query);
/* The node of that name; false: QEMU has none. */
bool block_node_find(json_object *nodes, const char *name, BlockNode *ret);
/* The node with a format whose file that is. How many there are, and *ret is the last of them. */
unsigned block_node_by_file(json_object *nodes, const char *file, BlockNode *ret);
/* The largest N of the nodes called "overlay-N"; 0: there are none. */
unsigned block_node_last_overlay(json_object *nodes);

/* What a device of that alias has, in a reply of query-block; borrowed from it. */
typedef struct BlockRoot {
    const char *node; /* the topmost, above all filters */
    uint64_t size;    /* bytes that the guest sees */
} BlockRoot;
bool block_root_find(json_object *blocks, const char *alias, BlockRoot *ret);
/* Whether the drive of that alias stands open, in such a reply; false: it does not say. */
bool block_tray(json_object *blocks, const char *alias, bool *ret_open);

/* ---- of a reply of x-debug-query-block-graph: what stands on what, by the nodes' names ---- */

/* The node below `node` by that edge ("backing", "file"); *ret is borrowed, NULL: nothing is there.
 * False: QEMU has no such node. */
bool block_graph_below(json_object *graph, const char *node, const char *edge, const char **ret);
/* Which of the two nodes a device of that alias has, below filters of any number: 0 or 1; -ENOENT:
 * neither, or the device has none. */
int block_graph_which(json_object *graph, const char *alias, const char *const nodes[2]);

typedef enum BlockJobStatus {
    BLOCK_JOB_STATUS_GONE, /* QEMU has no such job */
    BLOCK_JOB_STATUS_RUNS,
    BLOCK_JOB_STATUS_READY,
    BLOCK_JOB_STATUS_PENDING, /* all is done but the change of the nodes, which has to be asked for
                               */
    BLOCK_JOB_STATUS_CONCLUDED,
} BlockJobStatus;

typedef struct BlockJobReading {
    BlockJobStatus status;
    const char *error; /* borrowed; NULL: none */
} BlockJobReading;

/* Of a reply of query-jobs. */
BlockJobReading block_job_reading(json_object *jobs, const char *id);
/* How far it is, of a reply of query-block-jobs; speed in bytes a second. False: it is not there.
 */
bool block_job_progress(json_object *jobs, const char *id, uint64_t *ret_done, uint64_t *ret_total,
                        uint64_t *ret_speed, bool *ret_ready);
