/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/query-stats.h"

#include <stdio.h>

#include "util/json.h"

static const char success[] = "halt_poll_success_ns", fail[] = "halt_poll_fail_ns";

static int add_names(json_object *provider) {
    json_object *names = json_object_new_array();

    if (!names || json_add(provider, "names", names) < 0)
        return -ENOMEM;
    return json_append_string(names, success) < 0 || json_append_string(names, fail) < 0 ? -ENOMEM
                                                                                         : 0;
}

json_object *query_stats_halt_poll_args(void) {
    CLEANUP_JSON json_object *args = json_object_new_object();
    CLEANUP_JSON json_object *provider = json_object_new_object();
    json_object *providers = json_object_new_array();

    if (!args || !provider || json_add(args, "providers", providers) < 0 ||
        json_add_string(args, "target", "vcpu") < 0 ||
        json_add_string(provider, "provider", "kvm") < 0 || add_names(provider) < 0 ||
        json_append(providers, TAKE_PTR(provider)) < 0)
        return NULL;
    return TAKE_PTR(args);
}

/* Of one vCPU: [{"name": "...", "value": 1}, ...]. */
static void add_vcpu(json_object *stats, HaltPoll *to) {
    for (size_t i = 0; i < json_length(stats); i++) {
        json_object *row = json_object_array_get_idx(stats, i);
        const char *name = json_member_string(row, "name");

        if (name && streq(name, success))
            to->success_ns += json_member_uint(row, "value", 0);
        else if (name && streq(name, fail))
            to->fail_ns += json_member_uint(row, "value", 0);
    }
}

bool query_stats_halt_poll(json_object *reply, HaltPoll *ret) {
    *ret = (HaltPoll){0};
    if (!json_object_is_type(reply, json_type_array))
        return false;
    for (size_t i = 0; i < json_length(reply); i++)
        add_vcpu(json_member(json_object_array_get_idx(reply, i), "stats"), ret);
    return true;
}

/* ---- what KVM counts of the machine ---- */

#define KVM_STATS_MAX 1024u

json_object *query_stats_vm_args(void) {
    CLEANUP_JSON json_object *args = json_object_new_object();

    return args && json_add_string(args, "target", "vm") >= 0 ? TAKE_PTR(args) : NULL;
}

json_object *query_stats_schemas_args(void) {
    CLEANUP_JSON json_object *args = json_object_new_object();

    return args && json_add_string(args, "provider", "kvm") >= 0 ? TAKE_PTR(args) : NULL;
}

/* libvirt's word for the kind of one; NULL: there is no such number of machines. */
static const char *kind_of(json_object *schemas, const char *name) {
    static const struct {
        const char *qemu, *libvirt;
    } kinds[] = {{"cumulative", "sum"}, {"instant", "cur"}, {"peak", "max"}};
    const char *type = NULL;

    for (size_t i = 0; i < json_length(schemas); i++) {
        json_object *schema = json_object_array_get_idx(schemas, i);
        json_object *rows = json_member(schema, "stats");

        if (!streq_ptr(json_member_string(schema, "target"), "vm"))
            continue;
        for (size_t k = 0; k < json_length(rows); k++)
            if (streq_ptr(json_member_string(json_object_array_get_idx(rows, k), "name"), name))
                type = json_member_string(json_object_array_get_idx(rows, k), "type");
    }
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (streq_ptr(type, kinds[i].qemu))
            return kinds[i].libvirt;
    return NULL;
}

static void add_stat(json_object *row, json_object *schemas, KvmStats *to) {
    const char *name = json_member_string(row, "name"),
               *kind = name ? kind_of(schemas, name) : NULL;
    json_object *value = json_member(row, "value");
    KvmStat *stat = &to->list[to->n];

    stat->is_bool = json_object_is_type(value, json_type_boolean);
    if (!kind || (!stat->is_bool && !json_object_is_type(value, json_type_int)) ||
        (size_t)snprintf(stat->name, sizeof(stat->name), "vm.%s.%s", name, kind) >=
            sizeof(stat->name))
        return;
    stat->value = stat->is_bool ? (uint64_t)json_object_get_boolean(value)
                                : json_member_uint(row, "value", 0);
    to->n++;
}

int query_stats_vm(json_object *reply, json_object *schemas, KvmStats *ret) {
    json_object *rows = json_length(reply) == 1
                            ? json_member(json_object_array_get_idx(reply, 0), "stats")
                            : NULL;
    const size_t n = MIN_OF(json_length(rows), (size_t)KVM_STATS_MAX);

    *ret = (KvmStats){0};
    if (n == 0)
        return 0;
    ret->list = calloc(n, sizeof(KvmStat));
    if (!ret->list)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++)
        add_stat(json_object_array_get_idx(rows, i), schemas, ret);
    return 0;
}

void kvm_stats_done(KvmStats *stats) {
    free(stats->list);
}

bool query_stats_dirty_rate(json_object *reply, DirtyRateResult *ret) {
    static const char *const statuses[] = {"unstarted", "measuring", "measured"};
    const char *status = json_member_string(reply, "status");
    const char *mode = json_member_string(reply, "mode");
    size_t found = 0;

    *ret = (DirtyRateResult){0};
    while (found < ARRAY_SIZE(statuses) && !streq_ptr(statuses[found], status))
        found++;
    if (found == ARRAY_SIZE(statuses))
        return false;
    ret->status = (DirtyRateStatus)found;
    ret->start = (int64_t)json_member_uint(reply, "start-time", 0);
    ret->seconds = (int)json_member_uint(reply, "calc-time", 0);
    ret->mib_sec = (int64_t)json_member_uint(reply, "dirty-rate", 0);
    snprintf(ret->mode, sizeof(ret->mode), "%s", mode ? mode : "");
    return true;
}
