/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading of the balloon's replies (QEMU docs/interop/virtio-balloon-stats.rst): bytes, and
 * 2^64-1 for what the guest does not say. */
#include "qemu/balloon.h"

#include "util/json.h"

#define KIB 1024u

static const struct {
    const char *name, *member; /* member: of guest-stats' "stats", or NULL */
    bool is_size;
} stats[MEMORY_STAT_MAX_] = {
    [MEMORY_STAT_SWAP_IN] = {"swap_in", "stat-swap-in", true},
    [MEMORY_STAT_SWAP_OUT] = {"swap_out", "stat-swap-out", true},
    [MEMORY_STAT_MAJOR_FAULT] = {"major_fault", "stat-major-faults", false},
    [MEMORY_STAT_MINOR_FAULT] = {"minor_fault", "stat-minor-faults", false},
    [MEMORY_STAT_UNUSED] = {"unused", "stat-free-memory", true},
    [MEMORY_STAT_AVAILABLE] = {"available", "stat-total-memory", true},
    [MEMORY_STAT_ACTUAL_BALLOON] = {"current", NULL, true},
    [MEMORY_STAT_RSS] = {"rss", NULL, true},
    [MEMORY_STAT_USABLE] = {"usable", "stat-available-memory", true},
    [MEMORY_STAT_LAST_UPDATE] = {"last-update", NULL, false},
    [MEMORY_STAT_DISK_CACHES] = {"disk_caches", "stat-disk-caches", true},
    [MEMORY_STAT_HUGETLB_PGALLOC] = {"hugetlb_pgalloc", "stat-htlb-pgalloc", false},
    [MEMORY_STAT_HUGETLB_PGFAIL] = {"hugetlb_pgfail", "stat-htlb-pgfail", false},
};

const char *memory_stat_name(MemoryStat stat) {
    assert(stat < MEMORY_STAT_MAX_);
    return stats[stat].name;
}

static void set(MemoryStats *to, MemoryStat stat, uint64_t value) {
    to->known[stat] = true;
    to->value[stat] = stats[stat].is_size ? value / KIB : value;
}

void balloon_parse(json_object *query_balloon, json_object *guest_stats, MemoryStats *to) {
    json_object *values = json_member(guest_stats, "stats");
    uint64_t updated = json_member_uint(guest_stats, "last-update", 0);

    if (json_member(query_balloon, "actual"))
        set(to, MEMORY_STAT_ACTUAL_BALLOON, json_member_uint(query_balloon, "actual", 0));
    if (!values)
        return;
    set(to, MEMORY_STAT_LAST_UPDATE, updated);
    for (MemoryStat stat = 0; stat < MEMORY_STAT_MAX_; stat++) {
        uint64_t value = stats[stat].member
                             ? json_member_uint(values, stats[stat].member, UINT64_MAX)
                             : UINT64_MAX;

        if (value != UINT64_MAX && updated > 0)
            set(to, stat, value);
    }
}
