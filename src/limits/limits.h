/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a running domain's threads may use: their cgroups, affinity, scheduler and resctrl groups.
 *
 * A Limits belongs to a run from its start to its end. Whatever happens to a thread, at start, at
 * plug, at a change, after a daemon restart or to mend what somebody else changed, is a change: a
 * plan made of the definition on the loop, carried out by a worker in one pass, and taken back by
 * itself when it fails. Each kind of limit is one row of a table (limits/kind.h). What each system
 * call does and demands is the business of host/cgroup, host/thread and host/resctrl.
 *
 * All functions run on a fiber with the job of whom they are for held, but those said to. Where a
 * Limits is taken, NULL stands for a QEMU that was not placed yet: nothing is done. */
#pragma once

#include "host/cgroup.h"
#include "conf/domain-def.h"
#include "qemu/iothread.h"
#include "qemu/process.h"
#include "qemu/vcpu-map.h"

/* What the host has, and where this daemon's machines go; one for the driver. */
typedef struct LimitsHost LimitsHost;
typedef struct Limits Limits;

typedef struct LimitsParams {
    const char *partition;    /* of domains that name none; made when it is missing */
    const char *resctrl_root; /* NULL: the kernel's */
    bool cgroups;             /* false: none is made, and what needs one is refused */
    bool scopes;              /* ask systemd for a scope when it is there */
} LimitsParams;

/* Whose threads: what a run has of it. Borrowed; looked at on the loop only, and again after each
 * wait. */
typedef struct LimitsSubject {
    const char *name;
    int id;
    pid_t pid;
    const DomainDef *def;
    const VcpuMap *vcpus;
    const IothreadList *iothreads;
    void *owner; /* told to limits_host_listen's callback */
} LimitsSubject;

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
    bool group;       /* shares and global bandwidth */
    const char *kind; /* the name of the one kind of limit that changes; NULL: any */
    bool wide_memory; /* the memory nodes that the whole domain has, not its <numatune>'s */
} LimitsScope;

#define LIMITS_EVERYTHING                                                                          \
    ((LimitsScope){.all_vcpus = true, .all_iothreads = true, .emulator = true, .group = true})

/* Before a start: could the host hold all that the definition asks for? Its pins and sets against
 * the host's CPUs, its memory nodes against the host's. ERROR_CONFIG_UNSUPPORTED. */
int limits_check_start(const LimitsHost *host, const LimitsSubject *subject, Error **reterr);
/* Places a process that runs nothing of its own yet (it waits before exec, or QEMU has no guest
 * code under way): the scope or partition, the domain's group, the group of the emulator, the move,
 * its CPUs and its scheduler, in this order. Its memory nodes are all that the definition names
 * anywhere, since its threads are not apart yet; bandwidth is not set: limits_tune does both later.
 * Without any use for a cgroup in the definition, a host that has none is no error. *ret is set
 * whenever there is something to end, also on failure. */
int limits_begin(LimitsHost *host, const LimitsSubject *subject, Limits **ret, Error **reterr);

/* Does the host let a QEMU be kept from device nodes that are not its own? */
bool limits_has_devices(const LimitsHost *host);
/* From now on the process, which limits_begin has placed, and its children may open the listed
 * device nodes and no others. Where that cannot be had it is left as it was. */
int limits_devices_begin(Limits *limits, pid_t pid, const CgroupDevice *list, size_t n,
                         Error **reterr);
/* It may open the listed ones, and with `more` also those it could before. Does nothing for a QEMU
 * that is not kept from any. */
int limits_devices_set(Limits *limits, const CgroupDevice *list, size_t n, bool more,
                       Error **reterr);

/* What limits_partition, _group and _machine said to an earlier daemon. */
typedef struct LimitsFound {
    const char *partition, *group, *machine;
} LimitsFound;

/* The same of a domain that was found running. *ret as above. */
int limits_resume(LimitsHost *host, const LimitsSubject *subject, const LimitsFound *found,
                  Limits **ret, Error **reterr);
/* Everything is removed; QEMU has ended. Logs what stays. Takes the Limits. */
void limits_end(Limits *limits, const LimitsSubject *subject);
/* Ends a QEMU that nobody knows, and removes the cgroup it was put into. */
void limits_end_stray(LimitsHost *host, const QemuPid *pid);
/* The cgroup that a process was put into as a machine's; NULLs: none. The caller frees both. */
void limits_find_group(const LimitsHost *host, pid_t pid, char **ret_partition, char **ret_group);
/* Removes such a cgroup when nothing is in it any more; the texts stay the caller's. */
void limits_remove_group(const LimitsHost *host, char *partition, char *group);
/* The owner lets go; removes nothing. */
void limits_free(Limits *limits);
DEFINE_CLEANUP(Limits *, limits_free)

/* For the status file; NULL where there is no cgroup. Borrowed. `machine`: the name systemd knows
 * it by. */
const char *limits_partition(const Limits *limits);
const char *limits_group(const Limits *limits);
const char *limits_machine(const Limits *limits);

/* Could these offline vCPUs be tuned as the definition asks? Their pins against the cgroup and the
 * host, room in resctrl, whose groups are made now. A group that somebody has removed is made
 * again. Nothing has been sent to QEMU yet. */
int limits_prepare_vcpus(Limits *limits, const LimitsSubject *subject, const Bitmap *vcpus,
                         Error **reterr);
/* Opens the emulator's memory nodes while QEMU creates threads, and closes them again. Without a
 * <numatune> that narrows them it does nothing. */
int limits_widen_memory(Limits *limits, const LimitsSubject *subject, bool wide, Error **reterr);
/* Carries out what the definition says of those threads. The first failure names the thread, and
 * all that was done is taken back. */
int limits_tune(Limits *limits, const LimitsSubject *subject, const LimitsScope *scope,
                Error **reterr);
/* vCPUs that have gone: their cgroups, and the resctrl groups that have no vCPU any more. Logs what
 * cannot be. */
void limits_drop_vcpus(Limits *limits, const LimitsSubject *subject, const Bitmap *vcpus);
/* Removes the resctrl groups that no online vCPU needs, after a plug that failed. */
void limits_forget_vcpus(Limits *limits, const LimitsSubject *subject);
void limits_drop_iothread(Limits *limits, const LimitsSubject *subject, unsigned id);

/* The same in steps, for who has more to do that may fail. `new` makes the plan of the definition
 * as it is in that moment and never suspends; `run` carries it out or leaves all as it was; `undo`
 * gives the kernel back what it had before `run`, and logs what cannot be. */
typedef struct LimitsChange LimitsChange;

int limits_change_new(Limits *limits, const LimitsSubject *subject, const LimitsScope *scope,
                      LimitsChange **ret, Error **reterr);
int limits_change_run(LimitsChange *change, Error **reterr);
void limits_change_undo(LimitsChange *change);
void limits_change_free(LimitsChange *change);
DEFINE_CLEANUP(LimitsChange *, limits_change_free)

/* Compares every thread with the definition and mends what differs. *ret_text (may be NULL) is a
 * line for each difference, and one for each value that somebody else's bound clips; "" for none;
 * the caller frees. Returns how many were mended. */
int limits_reconcile(Limits *limits, const LimitsSubject *subject, char **ret_text, Error **reterr);

/* Could a thread of this domain be pinned to them? ERROR_CONFIG_UNSUPPORTED naming who has fewer.
 */
int limits_check_cpus(Limits *limits, const Bitmap *cpus, Error **reterr);
/* Does the host have all these memory nodes? ERROR_CONFIG_UNSUPPORTED. */
int limits_check_nodes(const Bitmap *nodes, Error **reterr);
/* The cgroup controller is there for this domain; ERROR_OPERATION_INVALID says why not. Never
 * suspends, and may be asked without the job. */
int limits_require(const Limits *limits, const char *name, CgroupController controller,
                   Error **reterr);
