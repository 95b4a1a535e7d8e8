/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU has measured of a guest: how its vCPUs wait before they halt, what KVM counts of the
 * machine (query-stats), and how fast it writes its memory (query-dirty-rate). Pure: replies in,
 * structs out. */
#pragma once

#include <json-c/json.h>

#include "util/macro.h"

/* Time that all vCPUs spent polling before they halted, in ns: when that was worth it, when not. */
typedef struct HaltPoll {
    uint64_t success_ns, fail_ns;
} HaltPoll;

/* A number that KVM keeps of a machine, under libvirt's name: "vm.pages_4k.cur". */
typedef struct KvmStat {
    char name[80];
    bool is_bool;
    uint64_t value;
} KvmStat;

typedef struct KvmStats {
    KvmStat *list;
    size_t n;
} KvmStats;

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
/* The arguments of the question for KvmStats, and of that for which kind each is of
 * (query-stats-schemas). NULL: out of memory. */
json_object *query_stats_vm_args(void);
json_object *query_stats_schemas_args(void);
/* Those of which `schemas` tells the kind; what is in neither form, or more than 1024, is left out.
 * The caller ends *ret with kvm_stats_done; -ENOMEM. */
int query_stats_vm(json_object *reply, json_object *schemas, KvmStats *ret);
void kvm_stats_done(KvmStats *stats);
bool query_stats_dirty_rate(json_object *reply, DirtyRateResult *ret);
