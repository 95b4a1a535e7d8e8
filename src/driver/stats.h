/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Readings of domains: CPU time, memory, disks. Readers hold no job. Files are read by workers, and
 * QEMUs are asked all at once: one that hangs costs its readers a second, and is not asked again
 * for some time. */
#pragma once

#include "domain/domain.h"
#include "host/cgroup.h"
#include "limits/readings.h"
#include "qemu/balloon.h"
#include "qemu/block-stats.h"
#include "qemu/query-stats.h"

#define STATS_QUESTIONS 9 /* to one QEMU */

/* What is to be read. */
enum {
    READ_CPU = 1 << 0,     /* of the whole machine */
    READ_VCPUS = 1 << 1,   /* of each vCPU thread */
    READ_MEMORY = 1 << 2,  /* the balloon, and what is resident on the host */
    READ_BLOCK = 1 << 3,   /* counters of disks, sizes of images */
    READ_NET = 1 << 4,     /* counters of the host's ends of interfaces */
    READ_DIRTY = 1 << 5,   /* what a calculation of a dirty rate has found */
    READ_QUICK = 1 << 6,   /* CPU time of the process and how long quotas held it back: few files */
    READ_KVM = 1 << 8,     /* what KVM counts of the machine */
    READ_BACKING = 1 << 7, /* with READ_BLOCK: also the images below each disk's own */
};

typedef struct VcpuReading {
    unsigned id;
    bool known;
    int host_cpu;                       /* on which it last ran */
    uint64_t run_ns, wait_ns, delay_ns; /* wait: 0 while the kernel does not count it */
    bool has_throttled;                 /* READ_QUICK, when each vCPU has a quota */
    uint64_t throttled_ns;
} VcpuReading;

/* A disk of the definition, or an image below it, with what its file says. */
typedef struct DiskReading {
    char *target, *source, *alias; /* source: NULL for an empty drive; alias: NULL when shut off,
                                      and of an image below */
    bool qcow2, local, has_file;   /* local: a file or device of this host */
    char node[96];                 /* QEMU's, of the file; "" when shut off */
    unsigned index;                /* of its source in "vda[2]"; 0: none */
    uint64_t capacity, allocation, physical; /* bytes */
    uint64_t threshold; /* bytes: an event comes when it is written there or beyond; 0: none */
} DiskReading;

/* An interface, as the guest counts: rx is what it received. */
typedef struct NicReading {
    char *target, *mac; /* target: the host's end; NULL: it has none */
    bool known;
    bool swapped;          /* the host's end counts the other way round */
    uint64_t rx[4], tx[4]; /* bytes, packets, errors, dropped */
} NicReading;

typedef struct DomainReading {
    Domain *domain;
    bool active;
    bool has_usage, has_cpu, has_halt_poll, has_dirty, has_time, has_throttled;
    CgroupUsage usage;
    uint64_t user_ns, system_ns; /* of QEMU's process, without a cgroup */
    uint64_t time_ns, throttled_ns;
    HaltPoll halt_poll;
    DirtyRateResult dirty;
    KvmStats kvm;
    VcpuReading *vcpus;
    size_t n_vcpus;
    MemoryStats memory;
    BlockStatsList blocks;
    DiskReading *disks; /* each followed by what is below it */
    size_t n_disks;
    NicReading *nics;
    size_t n_nics;
    /* while it is read */
    pid_t pid;
    pid_t *tids;
    bool vcpu_quota; /* each vCPU has one */
    LimitsHeld held;
    MonitorReply *replies[STATS_QUESTIONS]; /* those under way */
} DomainReading;

/* Reads `what` of each of the domains, which are references the readings then hold. On a fiber.
 * nowait: a domain that a job holds is not asked. What cannot be had is missing. -ENOMEM. */
int driver_read_stats(Domain *const *domains, size_t n, unsigned what, bool nowait,
                      DomainReading **ret, Error **reterr);
void driver_readings_free(DomainReading *readings, size_t n);

/* The disk a client means, by its target or its source. NULL: there is none. */
const DiskReading *reading_find_disk(const DomainReading *reading, const char *path);
/* The same of an interface, by the name of its host's end or its MAC address. */
const NicReading *reading_find_nic(const DomainReading *reading, const char *device);
