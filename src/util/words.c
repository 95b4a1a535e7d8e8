/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names of scheduling policies. */
#include "util/words.h"

static const char *const policy_names[THREAD_POLICY_MAX] = {
    [THREAD_POLICY_OTHER] = "other", [THREAD_POLICY_BATCH] = "batch", [THREAD_POLICY_IDLE] = "idle",
    [THREAD_POLICY_FIFO] = "fifo",   [THREAD_POLICY_RR] = "rr",
};

const char *thread_policy_to_string(ThreadPolicy policy) {
    assert(policy >= 0 && policy < THREAD_POLICY_MAX);
    return policy_names[policy];
}

ThreadPolicy thread_policy_from_string(const char *text) {
    for (ThreadPolicy policy = 0; policy < THREAD_POLICY_MAX; policy++)
        if (text && streq(policy_names[policy], text))
            return policy;
    return THREAD_POLICY_INVALID;
}

bool thread_policy_is_realtime(ThreadPolicy policy) {
    return policy == THREAD_POLICY_FIFO || policy == THREAD_POLICY_RR;
}
