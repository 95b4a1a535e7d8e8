/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading of disks' counters. */
#include "qemu/block-stats.h"

#include "util/json.h"

static const char peripheral[] = "/machine/peripheral/";

/* "/machine/peripheral/virtio-disk0/virtio-backend": the alias between the slashes. */
static char *alias_of(json_object *row) {
    const char *qdev = json_member_string(row, "qdev");

    if (!qdev)
        return NULL;
    if (strncmp(qdev, peripheral, strlen(peripheral)) == 0)
        qdev += strlen(peripheral);
    return strndup(qdev, strcspn(qdev, "/"));
}

static BlockStats *find(BlockStatsList *stats, const char *alias) {
    for (size_t i = 0; i < stats->n; i++)
        if (streq(stats->list[i].alias, alias))
            return &stats->list[i];
    return NULL;
}

static int add(BlockStatsList *stats, json_object *row, BlockStats **ret) {
    CLEANUP_FREE char *alias = alias_of(row);
    BlockStats *found = alias ? find(stats, alias) : NULL;
    void *grown;

    *ret = found;
    if (found || !json_member_string(row, "qdev"))
        return 0;
    grown = alias ? reallocarray(stats->list, stats->n + 1, sizeof(BlockStats)) : NULL;
    if (!grown)
        return -ENOMEM;
    stats->list = grown;
    stats->list[stats->n] = (BlockStats){.alias = TAKE_PTR(alias)};
    *ret = &stats->list[stats->n++];
    return 0;
}

static void read_counters(BlockStats *to, json_object *stats) {
    to->rd_reqs = json_member_uint(stats, "rd_operations", 0);
    to->rd_bytes = json_member_uint(stats, "rd_bytes", 0);
    to->rd_ns = json_member_uint(stats, "rd_total_time_ns", 0);
    to->wr_reqs = json_member_uint(stats, "wr_operations", 0);
    to->wr_bytes = json_member_uint(stats, "wr_bytes", 0);
    to->wr_ns = json_member_uint(stats, "wr_total_time_ns", 0);
    to->fl_reqs = json_member_uint(stats, "flush_operations", 0);
    to->fl_ns = json_member_uint(stats, "flush_total_time_ns", 0);
    to->errors = json_member_uint(stats, "failed_rd_operations", 0) +
                 json_member_uint(stats, "failed_wr_operations", 0) +
                 json_member_uint(stats, "failed_flush_operations", 0);
}

static void read_image(BlockStats *to, json_object *row) {
    json_object *image = json_member(json_member(row, "inserted"), "image");
    const char *status = json_member_string(row, "io-status");

    if (image) {
        to->has_sizes = true;
        to->capacity = json_member_uint(image, "virtual-size", 0);
        to->allocation = json_member_uint(image, "actual-size", 0);
    }
    if (status && streq(status, "failed"))
        to->error = BLOCK_ERROR_IO;
    else if (status && streq(status, "nospace"))
        to->error = BLOCK_ERROR_SPACE;
}

int block_stats_parse(json_object *blockstats, json_object *block, BlockStatsList *ret) {
    CLEANUP(block_stats_done) BlockStatsList stats = {0};
    BlockStats *to;
    int r = 0;

    for (size_t i = 0; r >= 0 && i < json_length(blockstats); i++) {
        json_object *row = json_object_array_get_idx(blockstats, i);

        r = add(&stats, row, &to);
        if (r >= 0 && to)
            read_counters(to, json_member(row, "stats"));
    }
    for (size_t i = 0; r >= 0 && i < json_length(block); i++) {
        json_object *row = json_object_array_get_idx(block, i);

        r = add(&stats, row, &to);
        if (r >= 0 && to)
            read_image(to, row);
    }
    if (r < 0)
        return r;
    *ret = stats;
    stats = (BlockStatsList){0};
    return 0;
}

uint64_t block_stats_threshold(json_object *nodes, const char *node) {
    for (size_t i = 0; i < json_length(nodes); i++) {
        json_object *row = json_object_array_get_idx(nodes, i);

        if (streq_ptr(json_member_string(row, "node-name"), node))
            return json_member_uint(row, "write_threshold", 0);
    }
    return 0;
}

void block_stats_done(BlockStatsList *stats) {
    for (size_t i = 0; i < stats->n; i++)
        free(stats->list[i].alias);
    free(stats->list);
    *stats = (BlockStatsList){0};
}

const BlockStats *block_stats_find(const BlockStatsList *stats, const char *alias) {
    return alias ? find((BlockStatsList *)stats, alias) : NULL;
}
