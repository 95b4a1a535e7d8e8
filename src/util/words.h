/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words and ranges that the definition (conf) and the host (host) share: scheduling policies, the
 * kernel's bounds of cgroup values, kinds of cache. */
#pragma once

#include "util/macro.h"

typedef enum ThreadPolicy {
    THREAD_POLICY_OTHER, /* the kernel's default, fair among all */
    THREAD_POLICY_BATCH, /* fair, but never preempts: for what computes */
    THREAD_POLICY_IDLE,  /* only what nobody else wants */
    THREAD_POLICY_FIFO,  /* real time, until it yields */
    THREAD_POLICY_RR,    /* real time, in turns with its equals */
    THREAD_POLICY_MAX,
    THREAD_POLICY_INVALID = -EINVAL,
} ThreadPolicy;

/* "other", "batch", "idle", "fifo", "rr"; THREAD_POLICY_INVALID for anything else. */
const char *thread_policy_to_string(ThreadPolicy policy);
ThreadPolicy thread_policy_from_string(const char *text);
/* Does the policy take a priority? Then it is 1 to 99. */
bool thread_policy_is_realtime(ThreadPolicy policy);

/* cpu.shares, cpu.cfs_period_us, cpu.cfs_quota_us (cgroup v1's units): what the kernel takes. */
#define CGROUP_SHARES_MIN UINT64_C(2)
#define CGROUP_SHARES_MAX UINT64_C(262144)
#define CGROUP_PERIOD_MIN UINT64_C(1000)
#define CGROUP_PERIOD_MAX UINT64_C(1000000)
#define CGROUP_QUOTA_MIN INT64_C(1000)
#define CGROUP_QUOTA_MAX INT64_C(17592186044415)

typedef enum ResctrlType {
    RESCTRL_BOTH, /* "L3": the kernel was not mounted with cdp */
    RESCTRL_CODE,
    RESCTRL_DATA,
    RESCTRL_TYPE_MAX,
    RESCTRL_TYPE_INVALID = -EINVAL,
} ResctrlType;

/* What a group asks for. */
typedef struct ResctrlCacheRequest {
    unsigned level, id;
    ResctrlType type;
    uint64_t size; /* bytes */
} ResctrlCacheRequest;

typedef struct ResctrlBandwidthRequest {
    unsigned id, value;
} ResctrlBandwidthRequest;
