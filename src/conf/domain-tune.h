/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The part of a domain definition that says what its host threads may use: CPUs, CPU time,
 * scheduling, memory nodes, caches. Plain data, owned by the DomainDef it is in. Zero or NULL
 * everywhere means "not asked for". */
#pragma once

#include "util/bitmap.h"
#include "util/error.h"
#include "util/words.h"

#define IOTHREAD_ID_MAX 16384u

/* <vcpusched>, <iothreadsched>, <emulatorsched>. */
typedef struct SchedDef {
    bool given;
    ThreadPolicy policy;
    int priority; /* 1..99 with a real-time policy */
} SchedDef;

/* <period> and <quota>: microseconds; a negative quota is no limit. */
typedef struct BandwidthDef {
    uint64_t period;
    int64_t quota;
} BandwidthDef;

/* A <monitor> below <cachetune> or <memorytune>. */
typedef struct MonitorDef {
    Bitmap *vcpus;
    bool is_memory; /* of <memorytune> */
} MonitorDef;

/* The <cachetune> and <memorytune> of one set of vCPUs: one group of resctrl. */
typedef struct ResctrlDef {
    Bitmap *vcpus;
    bool has_cachetune, has_memorytune; /* which elements there were, for writing them back */
    ResctrlCacheRequest *caches;
    size_t n_caches;
    ResctrlBandwidthRequest *bandwidths;
    size_t n_bandwidths;
    MonitorDef *monitors;
    size_t n_monitors;
} ResctrlDef;

/* <cputune> without what belongs to a single vCPU or IO thread. */
typedef struct CpuTuneDef {
    uint64_t shares;
    BandwidthDef vcpu, global, emulator, iothread;
    Bitmap *emulator_pin;
    SchedDef emulator_sched;
    ResctrlDef *resctrls;
    size_t n_resctrls;
} CpuTuneDef;

/* One of <iothreads>. */
#define IOTHREAD_POOL_KEEP (-2) /* of a change: as it is */
typedef struct IothreadDef {
    unsigned id;    /* 1.. */
    bool automatic; /* its id was not written */
    bool has_poll_max, has_poll_grow, has_poll_shrink;
    uint64_t poll_max_ns, poll_grow, poll_shrink;
    int pool_min, pool_max; /* -1: not given */
    Bitmap *pin;
    SchedDef sched;
} IothreadDef;

typedef enum NumaMode { /* libvirt's numbers, which are on the wire */
                        NUMA_STRICT,
                        NUMA_PREFERRED,
                        NUMA_INTERLEAVE,
                        NUMA_RESTRICTIVE,
                        NUMA_MODE_MAX_
} NumaMode;

/* <memnode>: for one guest cell. */
typedef struct MemnodeDef {
    unsigned cell;
    NumaMode mode;
    Bitmap *nodes;
} MemnodeDef;

typedef struct NumaTuneDef {
    bool given;     /* <memory> was there */
    bool automatic; /* placement='auto': the nodes come from numad at start */
    NumaMode mode;
    Bitmap *nodes; /* NULL while automatic and not running */
    MemnodeDef *memnodes;
    size_t n_memnodes;
} NumaTuneDef;

/* 0, or ERROR_INVALID_ARG "value of 'vcpu_period' is out of range [..]". Zero passes. */
int bandwidth_check_period(const char *name, uint64_t period, Error **reterr);
int bandwidth_check_quota(const char *name, int64_t quota, Error **reterr);
int shares_check(const char *name, uint64_t shares, Error **reterr);
/* The pool's minimum must not be above its maximum. ERROR_INVALID_ARG. */
int iothread_check_pool(const IothreadDef *iothread, Error **reterr);

void cputune_done(CpuTuneDef *tune);
void iothreads_done(IothreadDef *iothreads, size_t n);
void numatune_done(NumaTuneDef *tune);
/* Forgets the vCPUs from `max` on, and what was for nobody else. */
void cputune_clip(CpuTuneDef *tune, unsigned max);
/* Replace borrowed pointers of a shallow copy by own ones; *ok turns false when out of memory, and
 * what was not copied is NULL then. */
void cputune_own(CpuTuneDef *tune, bool *ok);
void iothreads_own(IothreadDef **iothreads, size_t *n, bool *ok);
void numatune_own(NumaTuneDef *tune, bool *ok);
