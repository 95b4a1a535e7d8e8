/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's CPUs through the agent. Everything it says is checked: the guest is not ours. */
#include "qemu/agent-vcpu-internal.h"

#include "util/json.h"

void agent_vcpus_done(AgentVcpus *vcpus) {
    free(vcpus->items);
    *vcpus = (AgentVcpus){0};
}

/* ---- pure ---- */

static int malformed(const char *command, Error **reterr) {
    return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                        "the guest agent's answer to '%s' is malformed", command);
}

static int parse_vcpu(json_object *entry, Bitmap *seen, AgentVcpu *ret) {
    json_object *online = json_member(entry, "online");
    json_object *offlinable = json_member(entry, "can-offline");
    int64_t number = json_member_int(entry, "logical-id", -1);
    int r;

    if (!json_object_is_type(online, json_type_boolean))
        return -EBADMSG;
    /* The member is optional; without it nothing is known, so the CPU stays. */
    if (offlinable && !json_object_is_type(offlinable, json_type_boolean))
        return -EBADMSG;
    if (number < 0 || number >= AGENT_VCPUS_MAX || bitmap_test(seen, (unsigned)number))
        return -EBADMSG;
    r = bitmap_set(seen, (unsigned)number);
    if (r < 0)
        return r;
    *ret = (AgentVcpu){.id = (unsigned)number,
                       .online = json_object_get_boolean(online),
                       .offlinable = offlinable && json_object_get_boolean(offlinable)};
    return 0;
}

int agent_vcpus_parse(json_object *value, AgentVcpus *ret, Error **reterr) {
    CLEANUP_AGENT_VCPUS AgentVcpus vcpus = {0};
    CLEANUP_BITMAP Bitmap *seen = bitmap_new();

    if (!seen)
        return error_no_memory(reterr);
    vcpus.n = json_length(value);
    if (vcpus.n == 0 || vcpus.n > AGENT_VCPUS_MAX)
        return malformed("guest-get-vcpus", reterr);
    vcpus.items = calloc(vcpus.n, sizeof(AgentVcpu));
    if (!vcpus.items)
        return error_no_memory(reterr);
    for (size_t i = 0; i < vcpus.n; i++) {
        int r = parse_vcpu(json_object_array_get_idx(value, i), seen, &vcpus.items[i]);

        if (r < 0)
            return r == -ENOMEM ? error_no_memory(reterr) : malformed("guest-get-vcpus", reterr);
    }
    *ret = vcpus;
    vcpus = (AgentVcpus){0};
    return 0;
}

unsigned agent_vcpus_online(const AgentVcpus *vcpus) {
    unsigned n = 0;

    for (size_t i = 0; i < vcpus->n; i++)
        n += vcpus->items[i].online;
    return n;
}

static int compare_vcpus(const void *a, const void *b) {
    const AgentVcpu *left = a, *right = b;

    return (left->id > right->id) - (left->id < right->id);
}

/* Whether one that may go offline, but for the CPU 0 that stays because all of them may. */
static bool can_go(const AgentVcpu *vcpu, bool keep_zero) {
    return vcpu->online && vcpu->offlinable && !(keep_zero && vcpu->id == 0);
}

int agent_vcpus_plan(AgentVcpus *vcpus, unsigned target, Error **reterr) {
    unsigned online = agent_vcpus_online(vcpus), may_go = 0;
    bool keep_zero;

    qsort(vcpus->items, vcpus->n, sizeof(AgentVcpu), compare_vcpus);
    for (size_t i = 0; i < vcpus->n; i++) {
        const AgentVcpu *vcpu = &vcpus->items[i];

        if (!vcpu->online && !vcpu->offlinable)
            return error_report(
                reterr, FROM_QEMU, ERROR_INTERNAL,
                "the guest agent says that vCPU '%u' is offline and cannot go offline", vcpu->id);
        may_go += can_go(vcpu, false);
    }
    keep_zero = may_go == online && vcpus->n > 0 && can_go(&vcpus->items[0], false) &&
                vcpus->items[0].id == 0;
    if (target > vcpus->n)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "guest agent reports less cpu than requested: %zu < %u", vcpus->n,
                            target);
    if (target < online - (may_go - keep_zero))
        return error_report(
            reterr, FROM_QEMU, ERROR_INVALID_ARG,
            "Cannot offline enough CPUs: %u of the guest's %u online ones cannot go offline",
            online - (may_go - keep_zero), online);
    for (size_t i = 0; i < vcpus->n && online != target; i++) {
        AgentVcpu *vcpu = &vcpus->items[i];

        if (online > target ? !can_go(vcpu, keep_zero) : vcpu->online)
            continue;
        vcpu->online = !vcpu->online;
        vcpu->modified = true;
        online += vcpu->online ? 1 : -1;
    }
    return 0;
}

int agent_vcpus_select(AgentVcpus *vcpus, const Bitmap *ids, bool online, Error **reterr) {
    CLEANUP_BITMAP Bitmap *missing = bitmap_copy(ids);
    CLEANUP_FREE char *text = NULL;

    assert(ids);
    if (!missing)
        return error_no_memory(reterr);
    for (size_t i = 0; i < vcpus->n; i++) {
        AgentVcpu *vcpu = &vcpus->items[i];

        if (!bitmap_test(ids, vcpu->id))
            continue;
        bitmap_clear(missing, vcpu->id);
        if (!online && vcpu->online && !vcpu->offlinable)
            return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG, "vCPU '%u' is not offlinable",
                                vcpu->id);
    }
    if (!bitmap_is_empty(missing)) {
        text = bitmap_format(missing);
        return text ? error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                                   "guest is missing vCPUs '%s'", text)
                    : error_no_memory(reterr);
    }
    for (size_t i = 0; i < vcpus->n; i++) {
        AgentVcpu *vcpu = &vcpus->items[i];

        if (bitmap_test(ids, vcpu->id) && vcpu->online != online) {
            vcpu->online = online;
            vcpu->modified = true;
        }
    }
    return 0;
}

int agent_vcpus_sets(const AgentVcpus *vcpus, Bitmap **ret_all, Bitmap **ret_online,
                     Bitmap **ret_offlinable) {
    CLEANUP_BITMAP Bitmap *all = bitmap_new(), *online = bitmap_new(), *offlinable = bitmap_new();
    int r = all && online && offlinable ? 0 : -ENOMEM;

    for (size_t i = 0; i < vcpus->n && r >= 0; i++) {
        const AgentVcpu *vcpu = &vcpus->items[i];

        r = bitmap_set(all, vcpu->id);
        if (r >= 0 && vcpu->online)
            r = bitmap_set(online, vcpu->id);
        if (r >= 0 && vcpu->offlinable)
            r = bitmap_set(offlinable, vcpu->id);
    }
    if (r < 0)
        return r;
    if (ret_all)
        *ret_all = TAKE_PTR(all);
    if (ret_online)
        *ret_online = TAKE_PTR(online);
    if (ret_offlinable)
        *ret_offlinable = TAKE_PTR(offlinable);
    return 0;
}

/* ---- conversations ---- */

int agent_get_vcpus(Agent *agent, AgentVcpus *ret, Error **reterr) {
    json_object *value = NULL;
    int r = agent_run(agent, "guest-get-vcpus", NULL, AGENT_DEFAULT, &value, reterr);

    if (r < 0)
        return r;
    r = agent_vcpus_parse(value, ret, reterr);
    json_object_put(value);
    return r;
}

/* {"logical-id":…,"online":…}; NULL when out of memory. */
static json_object *build_vcpu(const AgentVcpu *vcpu) {
    CLEANUP_JSON json_object *entry = json_object_new_object();

    if (!entry || json_add_int(entry, "logical-id", vcpu->id) < 0 ||
        json_add_bool(entry, "online", vcpu->online) < 0)
        return NULL;
    return TAKE_PTR(entry);
}

/* Arguments for all that is modified; *ret_n says how many that are. NULL when out of memory. */
static json_object *build_arguments(const AgentVcpus *vcpus, size_t *ret_n) {
    CLEANUP_JSON json_object *arguments = json_object_new_object(), *list = json_object_new_array();

    *ret_n = 0;
    for (size_t i = 0; i < vcpus->n; i++) {
        if (!vcpus->items[i].modified)
            continue;
        if (!list || json_append(list, build_vcpu(&vcpus->items[i])) < 0)
            return NULL;
        (*ret_n)++;
    }
    if (!arguments || json_add(arguments, "vcpus", TAKE_PTR(list)) < 0)
        return NULL;
    return TAKE_PTR(arguments);
}

/* The first `n` of the modified ones are done. */
static void mark_done(AgentVcpus *vcpus, int64_t n) {
    for (size_t i = 0; i < vcpus->n && n > 0; i++)
        if (vcpus->items[i].modified) {
            vcpus->items[i].modified = false;
            n--;
        }
}

/* The agent answers when all is done; a busy guest takes a fraction of a second for each CPU. */
static int set_timeout(size_t n) {
    return n <= 8 ? AGENT_DEFAULT : 5 + (int)(n / 4);
}

int agent_set_vcpus(Agent *owner, AgentVcpus *vcpus, Error **reterr) {
    CLEANUP(agent_unrefp) Agent *agent = agent_ref(owner);

    for (;;) {
        json_object *arguments, *value = NULL;
        int64_t done;
        size_t n;
        int r;

        arguments = build_arguments(vcpus, &n);
        if (!arguments)
            return error_no_memory(reterr);
        if (n == 0) {
            json_object_put(arguments);
            return 0;
        }
        r = agent_run(agent, "guest-set-vcpus", arguments, set_timeout(n), &value, reterr);
        if (r < 0)
            return r;
        done = json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : 0;
        json_object_put(value);
        /* At least one each time, so this ends. */
        if (done <= 0 || (uint64_t)done > n)
            return malformed("guest-set-vcpus", reterr);
        mark_done(vcpus, done);
    }
}
