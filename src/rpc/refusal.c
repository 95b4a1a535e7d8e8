/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/refusal.h"

static uint64_t counts[REFUSAL_MAX_];

const char *refusal_name(Refusal refusal) {
    static const char *const names[] = {[REFUSAL_LOGIN] = "login",
                                        [REFUSAL_READONLY] = "readonly",
                                        [REFUSAL_POLKIT] = "polkit",
                                        [REFUSAL_LIMIT] = "limit"};

    assert(refusal < REFUSAL_MAX_);
    return names[refusal];
}

void refusal_count(Refusal refusal) {
    assert(refusal < REFUSAL_MAX_);
    counts[refusal]++;
}

uint64_t refusal_counted(Refusal refusal) {
    assert(refusal < REFUSAL_MAX_);
    return counts[refusal];
}
