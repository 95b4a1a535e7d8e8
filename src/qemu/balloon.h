/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the balloon says of a guest's memory. Pure: replies in, struct out. */
#pragma once

#include <json-c/json.h>

#include "util/macro.h"

#define BALLOON_ALIAS "balloon0"
#define BALLOON_PATH "/machine/peripheral/" BALLOON_ALIAS

/* Numbers of libvirt's virDomainMemoryStatTags. */
typedef enum MemoryStat {
    MEMORY_STAT_SWAP_IN = 0,
    MEMORY_STAT_SWAP_OUT = 1,
    MEMORY_STAT_MAJOR_FAULT = 2,
    MEMORY_STAT_MINOR_FAULT = 3,
    MEMORY_STAT_UNUSED = 4,
    MEMORY_STAT_AVAILABLE = 5,
    MEMORY_STAT_ACTUAL_BALLOON = 6,
    MEMORY_STAT_RSS = 7,
    MEMORY_STAT_USABLE = 8,
    MEMORY_STAT_LAST_UPDATE = 9,
    MEMORY_STAT_DISK_CACHES = 10,
    MEMORY_STAT_HUGETLB_PGALLOC = 11,
    MEMORY_STAT_HUGETLB_PGFAIL = 12,
    MEMORY_STAT_MAX_
} MemoryStat;

typedef struct MemoryStats {
    bool known[MEMORY_STAT_MAX_];
    uint64_t value[MEMORY_STAT_MAX_]; /* KiB, but counts of faults and of huge pages, and seconds */
} MemoryStats;

/* "swap_in": the name in typed parameters. */
const char *memory_stat_name(MemoryStat stat);

/* Adds what query-balloon and the balloon's guest-stats say; either may be NULL. */
void balloon_parse(json_object *query_balloon, json_object *guest_stats, MemoryStats *to);
