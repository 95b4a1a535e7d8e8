/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's resource control (filesystems/resctrl.rst): parts of the caches and of the memory
 * bandwidth for groups of threads, and counters of what they use.
 *
 * A group is a directory that the kernel keeps; nothing is held here between calls, so a daemon
 * that was restarted just goes on by name. What others made is respected and left alone: an
 * allocation is taken out of what no group has, and the default group counts as one. It has
 * everything at first: whoever administers the host has to take something away from it before there
 * is anything to give.
 *
 * Blocks (files, the lock): on a fiber, call it on a worker. A Resctrl is not written after it was
 * made. */
#pragma once

#include <sys/types.h>

#include "util/error.h"
#include "util/macro.h"
#include "util/words.h"

/* A cache that can be divided: info/L3 and the root group's schemata and size. */
typedef struct ResctrlCache {
    unsigned level; /* 2 or 3 */
    ResctrlType type;
    uint64_t mask; /* all bits there are */
    unsigned min_bits, n_closids;
    size_t n_ids;
    unsigned *ids;     /* the caches of this level */
    uint64_t *granule; /* bytes that one bit stands for, by place in ids */
} ResctrlCache;

typedef struct ResctrlBandwidth {
    bool present, linear; /* linear: in percent */
    unsigned min, granularity, n_closids;
    size_t n_ids;
    unsigned *ids;
} ResctrlBandwidth;

typedef struct Resctrl {
    char *root;
    size_t n_caches;
    ResctrlCache *caches;
    ResctrlBandwidth bandwidth;
    unsigned n_rmids;
    char *monitor_features; /* "llc_occupancy mbm_total_bytes", "" without monitoring */
} Resctrl;

typedef struct ResctrlRequest {
    const ResctrlCacheRequest *caches;
    const ResctrlBandwidthRequest *bandwidths;
    size_t n_caches, n_bandwidths;
} ResctrlRequest;

typedef struct ResctrlReading {
    unsigned id;
    bool available; /* the hardware may have no value yet */
    uint64_t value;
} ResctrlReading;

/* Reads info/; `root` is "/sys/fs/resctrl" when NULL. */
int resctrl_new(const char *root, Resctrl **ret, Error **reterr);
void resctrl_free(Resctrl *resctrl);
DEFINE_CLEANUP(Resctrl *, resctrl_free)

/* The smallest run of free bits that holds n_bits, and its lowest n_bits; -ENOSPC. */
int resctrl_find_run(uint64_t mask, uint64_t used, unsigned n_bits, uint64_t *ret);
/* Could the host ever grant it: levels, types, ids, sizes, percentages. Asks nobody. */
int resctrl_check(const Resctrl *resctrl, const ResctrlRequest *request, Error **reterr);

/* Under the lock that all programs share (flock on the root, at most 10 s): finds room, makes the
 * group and writes its schemata, or leaves nothing behind. Caches that are not asked for are as in
 * the default group, for the kernel would give a new group all of them. */
int resctrl_group_create(const Resctrl *resctrl, const char *group, const ResctrlRequest *request,
                         Error **reterr);
/* Its monitors go with it; its threads fall back to the default group. A group that is gone is no
 * error. */
int resctrl_group_remove(const Resctrl *resctrl, const char *group, Error **reterr);

/* `group` NULL is the default group, `monitor` NULL the group itself. -ESRCH for a thread that is
 * gone. */
int resctrl_add_thread(const Resctrl *resctrl, const char *group, const char *monitor, pid_t tid,
                       Error **reterr);
int resctrl_monitor_create(const Resctrl *resctrl, const char *group, const char *monitor,
                           Error **reterr);
int resctrl_monitor_remove(const Resctrl *resctrl, const char *group, const char *monitor,
                           Error **reterr);
/* `feature` of monitor_features, one reading per cache, by id. The caller frees. */
int resctrl_monitor_read(const Resctrl *resctrl, const char *group, const char *monitor,
                         const char *feature, ResctrlReading **ret, size_t *ret_n, Error **reterr);
