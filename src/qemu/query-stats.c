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
