/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU has measured of a guest: how its vCPUs wait before they halt (query-stats), and how
 * fast it writes its memory (query-dirty-rate). Pure: replies in, structs out. */
#pragma once

#include <json-c/json.h>

#include "util/macro.h"

/* Time that all vCPUs spent polling before they halted, in ns: when that was worth it, when not. */
typedef struct HaltPoll {
    uint64_t success_ns, fail_ns;
} HaltPoll;

/* libvirt's virDomainDirtyRateStatus */
typedef enum DirtyRateStatus { DIRTY_UNSTARTED, DIRTY_MEASURING, DIRTY_MEASURED } DirtyRateStatus;

typedef struct DirtyRateResult {
    DirtyRateStatus status;
    int64_t start;   /* seconds on QEMU's clock; 0: never */
    int seconds;     /* that a calculation takes */
    char mode[32];   /* QEMU's word, "page-sampling"; "" for none */
    int64_t mib_sec; /* only of what is DIRTY_MEASURED */
} DirtyRateResult;

/* The arguments of the question for HaltPoll. NULL: out of memory. */
json_object *query_stats_halt_poll_args(void);
/* False for a reply that says nothing of it, or NULL. */
bool query_stats_halt_poll(json_object *reply, HaltPoll *ret);
bool query_stats_dirty_rate(json_object *reply, DirtyRateResult *ret);
