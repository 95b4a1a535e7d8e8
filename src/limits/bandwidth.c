/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CPU time: the shares of the domain's own group, and the period and quota of every group. */
#include "host/scope.h"
#include "limits/kind.h"
#include "limits/state.h"

typedef struct BandwidthPart {
    uint64_t shares;
    BandwidthDef bandwidth;
    CgroupValues had; /* kept; zeros: nothing */
} BandwidthPart;

static const BandwidthDef *bandwidth_of(const CpuTuneDef *tune, LimitRole role) {
    switch (role) {
    case LIMIT_ROLE_DOMAIN:
        return &tune->global;
    case LIMIT_ROLE_EMULATOR:
        return &tune->emulator;
    case LIMIT_ROLE_IOTHREAD:
        return &tune->iothread;
    case LIMIT_ROLE_VCPU:
        break;
    }
    return &tune->vcpu;
}

static int plan(const LimitPlanner *planner, const LimitThread *thread, void *arg) {
    const CpuTuneDef *tune = &planner->subject->def->cputune;
    BandwidthPart *part = arg;

    if (!planner->newborn)
        part->bandwidth = *bandwidth_of(tune, thread->role);
    if (thread->role == LIMIT_ROLE_DOMAIN)
        part->shares = tune->shares;
    return 0;
}

/* In a scope it is the scope that competes with other machines. */
static int set_scope_share(const LimitTarget *target, uint64_t shares, Error **reterr) {
    bool is_v1 = cgroup_tree_version(target->tree, CGROUP_CPU) == 1;

    return scope_set_share(NULL, target->scope, is_v1 ? "CPUShares" : "CPUWeight",
                           is_v1 ? shares : cgroup_shares_to_weight(shares), SCOPE_USEC, reterr);
}

static int set(const LimitTarget *target, const CgroupValues *values, Error **reterr) {
    int r = cgroup_tree_set(target->tree, target->child, values, reterr);

    return r < 0 || !target->scope || !values->shares
               ? r
               : set_scope_share(target, values->shares, reterr);
}

static int keep(const LimitTarget *target, BandwidthPart *part, Error **reterr) {
    CLEANUP(cgroup_state_done) CgroupState state = {0};
    int r = cgroup_tree_get(target->tree, target->child, &state, reterr);

    if (r < 0)
        return r;
    part->had = (CgroupValues){
        .shares = part->shares ? state.shares : 0, .period = state.period, .quota = state.quota};
    return 0;
}

static int apply(const LimitTarget *target, void *arg, Error **reterr) {
    BandwidthPart *part = arg;
    CgroupValues values = {
        .shares = part->shares, .period = part->bandwidth.period, .quota = part->bandwidth.quota};
    int r = 0;

    if (target->tid || !target->tree || (!values.shares && !values.period && !values.quota))
        return 0;
    if (target->keep && !part->had.period)
        r = keep(target, part, reterr);
    return r < 0 ? r : set(target, &values, reterr);
}

static bool differs(const LimitTarget *target, const void *arg, LimitMending *mending) {
    const BandwidthPart *part = arg;
    const CgroupState *state = target->tid ? NULL : limit_state(mending, target);
    bool found;

    if (!state)
        return false;
    if (part->shares && state->weight) /* v2 keeps less exact numbers */
        found = limit_number_differs(mending, "cpu.weight", (int64_t)state->weight,
                                     (int64_t)cgroup_shares_to_weight(part->shares));
    else
        found = limit_number_differs(mending, "cpu.shares", (int64_t)state->shares,
                                     (int64_t)part->shares);
    found |= limit_number_differs(mending, "period", (int64_t)state->period,
                                  (int64_t)part->bandwidth.period);
    return limit_number_differs(mending, "quota", state->quota, part->bandwidth.quota) || found;
}

static int restore(const LimitTarget *target, void *arg, Error **reterr) {
    BandwidthPart *part = arg;

    return part->had.period && !target->tid ? set(target, &part->had, reterr) : 0;
}

static int check_shares(const char *name, int64_t value, Error **reterr) {
    return shares_check(name, (uint64_t)value, reterr);
}

static int check_period(const char *name, int64_t value, Error **reterr) {
    return bandwidth_check_period(name, (uint64_t)value, reterr);
}

#define UNSET_PERIOD 100000 /* the kernel's */

#define BANDWIDTH_PARAMS(role_, word)                                                              \
    {.name = #word "_period",                                                                      \
     .role = role_,                                                                                \
     .offset = offsetof(DomainDef, cputune.word.period),                                           \
     .unset = UNSET_PERIOD,                                                                        \
     .check = check_period},                                                                       \
    {                                                                                              \
        .name = #word "_quota", .role = role_, .is_signed = true,                                  \
        .offset = offsetof(DomainDef, cputune.word.quota), .unset = -1,                            \
        .check = bandwidth_check_quota                                                             \
    }

static const LimitParam params[] = {{.name = "cpu_shares",
                                     .role = LIMIT_ROLE_DOMAIN,
                                     .offset = offsetof(DomainDef, cputune.shares),
                                     .check = check_shares},
                                    BANDWIDTH_PARAMS(LIMIT_ROLE_VCPU, vcpu),
                                    BANDWIDTH_PARAMS(LIMIT_ROLE_EMULATOR, emulator),
                                    BANDWIDTH_PARAMS(LIMIT_ROLE_DOMAIN, global),
                                    BANDWIDTH_PARAMS(LIMIT_ROLE_IOTHREAD, iothread),
                                    {.name = NULL}};

const LimitKind limit_bandwidth = {.name = "bandwidth",
                                   .params = params,
                                   .size = sizeof(BandwidthPart),
                                   .plan = plan,
                                   .apply = apply,
                                   .differs = differs,
                                   .restore = restore};
