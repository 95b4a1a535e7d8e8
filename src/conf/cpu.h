/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* <cpu>. */
#pragma once

#include "conf/element.h"

typedef enum CpuMode {
    CPU_MODE_NONE, /* no <cpu>, or one with topology/numa only: QEMU's default model */
    CPU_MODE_CUSTOM,
    CPU_MODE_HOST_MODEL,
    CPU_MODE_HOST_PASSTHROUGH,
    CPU_MODE_MAXIMUM,
    CPU_MODE_MAX_
} CpuMode;

typedef enum CpuFeaturePolicy {
    CPU_FEATURE_FORCE,
    CPU_FEATURE_REQUIRE,
    CPU_FEATURE_OPTIONAL,
    CPU_FEATURE_DISABLE,
    CPU_FEATURE_FORBID,
    CPU_FEATURE_POLICY_MAX_
} CpuFeaturePolicy;

typedef struct CpuFeature {
    char *name;
    CpuFeaturePolicy policy;
} CpuFeature;

typedef struct CpuTopology { /* all zero: not given */
    unsigned sockets, dies, clusters, cores, threads;
} CpuTopology;

typedef struct NumaDistance {
    unsigned id, value;
} NumaDistance;

typedef struct NumaCache {
    unsigned level;
    char *associativity, *policy;
    uint64_t size; /* KiB */
    uint64_t line; /* bytes */
} NumaCache;

typedef struct NumaCell { /* after parse the index is the id */
    unsigned id;
    bool has_id;
    Bitmap *cpus; /* NULL: memory-only cell */
    uint64_t memory_kib;
    char *mem_access; /* shared, private */
    Tristate discard;
    NumaDistance *distances;
    size_t n_distances;
    NumaCache *caches;
    size_t n_caches;
} NumaCell;

/* <latency> and <bandwidth> of <interconnects>. */
typedef struct NumaInterconnect {
    unsigned initiator, target, cache;
    bool has_cache;
    char *type; /* access, read, write */
    uint64_t value;
} NumaInterconnect;

typedef struct CpuDef {
    bool given; /* <cpu> was there */
    CpuMode mode;
    char *match;      /* exact, minimum, strict or NULL */
    char *check;      /* none, partial, full or NULL */
    char *migratable; /* on, off or NULL */
    char *model;      /* custom */
    char *fallback;   /* allow, forbid or NULL */
    char *vendor_id;  /* of <model> */
    char *vendor;
    CpuTopology topology;
    bool has_cache;
    char *cache_mode;
    unsigned cache_level;
    bool has_cache_level;
    char *maxphysaddr_mode;
    unsigned maxphysaddr_bits, maxphysaddr_limit;
    CpuFeature *features;
    size_t n_features;
    NumaCell *cells;
    size_t n_cells;
    NumaInterconnect *latencies, *bandwidths;
    size_t n_latencies, n_bandwidths;
    bool has_bare_features; /* as it was read: features of no model and no mode */
} CpuDef;

extern const Field cpu_fields[]; /* of CpuDef */
