/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a running domain's threads may use: their cgroups, affinity, scheduler and resctrl groups.
 *
 * A Limits belongs to a Domain from its start to its end. Whatever happens to a thread, at start,
 * at plug, at a change, after a daemon restart or to mend what somebody else changed, goes through
 * limits_tune: what the live definition says is made into a ThreadPlan for each thread, and a
 * worker carries the plans out, in one pass. What each system call does and demands is
 * util/cgroup's, util/thread's and util/resctrl's business.
 *
 * All functions run on a fiber with the domain's job held, but limits_new, limits_host_* and those
 * said to. */
#pragma once

#include "host/resctrl.h"
#include "host/thread.h"
#include "domain/domain.h"
#include "host/cgroup.h"

/* What the host has, and where this daemon's machines go; one for the driver. */
typedef struct LimitsHost LimitsHost;

typedef struct LimitsParams {
    const char *partition;    /* of domains that name none; made when it is missing */
    const char *resctrl_root; /* NULL: the kernel's */
    bool cgroups;             /* false: none is made, and what needs one is refused */
    bool scopes;              /* ask systemd for a scope when it is there */
} LimitsParams;

int limits_host_new(const LimitsParams *params, LimitsHost **ret, Error **reterr);
/* Also removes the partition, when nothing is in it. */
void limits_host_free(LimitsHost *host);

/* Which threads of a domain. */
typedef struct LimitsScope {
    const Bitmap *vcpus; /* NULL: none */
    bool all_vcpus;      /* those that are online */
    unsigned iothread;   /* one by id */
    bool all_iothreads;
    bool emulator;
    bool group; /* shares and global bandwidth */
} LimitsScope;

#define LIMITS_EVERYTHING                                                                          \
    ((LimitsScope){.all_vcpus = true, .all_iothreads = true, .emulator = true, .group = true})

/* Once QEMU runs and has no guest code under way: the scope or partition, the domain's group with
 * its shares, QEMU's process in it, and the emulator's threads. Without any use for a cgroup in the
 * definition, a host that has none is no error. */
int limits_begin(Domain *domain, Error **reterr);
/* The same of a domain that was found running: `partition` and `group` are what limits_partition
 * and _group said. */
int limits_resume(Domain *domain, const char *partition, const char *group, const char *machine,
                  Error **reterr);
/* Everything is removed; QEMU has ended. Logs what stays. */
void limits_end(Domain *domain);
/* Ends a QEMU that nobody knows, and removes the cgroup it was put into. */
void limits_end_stray(LimitsHost *host, const QemuPid *pid);
/* Lets go; removes nothing. */
void limits_free(Limits *limits);

/* For the status file; NULL where there is no cgroup. Borrowed. `machine`: the name systemd knows
 * it by. */
const char *limits_partition(const Limits *limits);
const char *limits_group(const Limits *limits);
const char *limits_machine(const Limits *limits);

/* Could these offline vCPUs be tuned as the live definition asks? Their pins against the cgroup and
 * the host, room in resctrl, whose groups are made now. Nothing has been sent to QEMU yet. */
int limits_prepare_vcpus(Domain *domain, const Bitmap *vcpus, Error **reterr);
/* Opens the emulator's memory nodes while QEMU creates threads, and closes them again. Without a
 * <numatune> that narrows them it does nothing. */
int limits_widen_memory(Domain *domain, bool wide, Error **reterr);
/* Carries out what the live definition says of those threads. The first failure ends it and names
 * the thread. */
int limits_tune(Domain *domain, const LimitsScope *scope, Error **reterr);
/* vCPUs that have gone: their cgroups, and the resctrl groups that have no vCPU any more. Logs what
 * cannot be. */
void limits_drop_vcpus(Domain *domain, const Bitmap *vcpus);
/* Removes the resctrl groups that no online vCPU needs, after a plug that failed. */
void limits_forget_vcpus(Domain *domain);
void limits_drop_iothread(Domain *domain, unsigned id);

/* Compares every thread with the definition and mends what differs. *ret_text (may be NULL) is a
 * line for each difference, "" for none; the caller frees. Returns how many. */
int limits_reconcile(Domain *domain, char **ret_text, Error **reterr);

/* Could a thread of this domain be pinned to them? ERROR_CONFIG_UNSUPPORTED naming who has fewer.
 */
int limits_check_cpus(Domain *domain, const Bitmap *cpus, Error **reterr);
/* The cgroup controller is there for this domain; ERROR_OPERATION_INVALID says why not. Never
 * suspends. */
int limits_require(const Domain *domain, CgroupController controller, Error **reterr);
/* Usage of a child ("vcpu3") or the whole (NULL). Any time, job or not. */
int limits_usage(Domain *domain, const char *child, CgroupUsage *ret, Error **reterr);
/* The same of all vCPUs together: it suspends. */
int limits_vcpu_times(Domain *domain, uint64_t **ret, size_t *ret_n, Error **reterr);
int limits_usage_percpu(Domain *domain, const char *child, uint64_t **ret, size_t *ret_n,
                        Error **reterr);
/* The shares as the kernel has them, in v1's unit whatever the version. 0: no such controller. */
int limits_shares(Domain *domain, uint64_t *ret, Error **reterr);
/* Host CPUs that are online and not isolated; where an unpinned thread may run. */
int limits_default_cpus(Bitmap **ret, Error **reterr);
/* What the domain's own group has: all that its threads could be given. Caller frees both. */
int limits_whole(Domain *domain, Bitmap **ret_cpus, Bitmap **ret_mems, Error **reterr);
/* Readings of one resctrl monitor feature ("llc_occupancy") of a monitor, by cache or node. Caller
 * frees. */
int limits_monitor(Domain *domain, size_t resctrl, size_t monitor, const char *feature,
                   ResctrlReading **ret, size_t *ret_n, Error **reterr);
