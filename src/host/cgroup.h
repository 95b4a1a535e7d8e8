/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Control groups: where the host's controllers are, and the groups of one set of threads.
 *
 * libcgroup finds the hierarchies, makes and removes partitions and trees, and reads the counters
 * (host/cgroup-library.h says what of its version 2.0.2 is not used, and why). Threads and values
 * are one openat each below the directories that it found.
 *
 * A CgroupTree is one directory per hierarchy (three with cgroup v1, one with v2), PARTITION/NAME,
 * with one level of children below it ("emulator", "vcpu3"). The directories stay open, so that a
 * value costs one openat, write and close. Where a function takes `child`, NULL means the directory
 * itself.
 *
 * All of it blocks the kernel (moving a thread waits for a grace period): on a fiber, call it on a
 * worker. A tree is used by one thread at a time; a host is never written after it was made and
 * outlives it. */
#pragma once

#include <sys/types.h>

#include "util/bitmap.h"
#include "util/error.h"
#include "util/macro.h"
#include "util/words.h"

typedef struct CgroupHost CgroupHost;
typedef struct CgroupTree CgroupTree;

typedef enum CgroupController {
    CGROUP_CPU,     /* shares, period and quota */
    CGROUP_CPUACCT, /* usage; every group of v2 has it */
    CGROUP_CPUSET,  /* cpus and mems */
    CGROUP_CONTROLLER_MAX,
    CGROUP_CONTROLLER_INVALID = -EINVAL,
} CgroupController;

/* What to set. Zero or NULL leaves as it is. */
typedef struct CgroupValues {
    const Bitmap *cpus, *mems; /* empty: whatever the parent has; v2 only */
    uint64_t shares;           /* in v1's unit whatever the version */
    uint64_t period;           /* us */
    int64_t quota;             /* us; negative: unlimited */
} CgroupValues;

/* What is set. A part whose controller is missing stays zero or NULL. */
typedef struct CgroupState {
    Bitmap *cpus, *mems; /* as written; empty with v2: whatever the parent has */
    Bitmap *effective_cpus, *effective_mems;
    uint64_t shares, weight; /* weight: v2's own number, 0 with v1 */
    uint64_t period;
    int64_t quota; /* -1: unlimited */
} CgroupState;

typedef struct CgroupUsage {
    uint64_t usage_ns, user_ns, system_ns;
    uint64_t n_periods, n_throttled, throttled_ns; /* 0 without the controller cpu */
} CgroupUsage;

/* The kernel's name, "cpuset". */
const char *cgroup_controller_name(CgroupController controller);

/* The kernel's own rate: v2's default weight 100 is v1's default of 1024 shares (sched/core.c,
 * sched_weight_from_cgroup). It keeps every ratio and gives each weight back as it was; weights end
 * at 1 and 10000, which are 10 and 102400 shares. */
uint64_t cgroup_shares_to_weight(uint64_t shares);
uint64_t cgroup_weight_to_shares(uint64_t weight);

/* Are the numbers in the kernel's ranges? */
int cgroup_values_check(const CgroupValues *values, Error **reterr);

#define CGROUP_BIT(controller) (1u << (controller))

/* What libcgroup finds, which looks once in the life of a process: before the first worker starts.
 * A host without any controller is no error. */
int cgroup_host_new(CgroupHost **ret, Error **reterr);
void cgroup_host_free(CgroupHost *host);
DEFINE_CLEANUP(CgroupHost *, cgroup_host_free)
/* 1 or 2, 0 when the host has no such controller. */
int cgroup_host_version(const CgroupHost *host, CgroupController controller);
/* The group that a process is in ("/" at the mount's top), to be a partition; pid 0 is the caller.
 */
int cgroup_host_group_of(const CgroupHost *host, CgroupController controller, pid_t pid, char **ret,
                         Error **reterr);

/* Device nodes, by their numbers. */
typedef struct CgroupDevice {
    bool block; /* else a character device */
    unsigned major;
    int minor; /* CGROUP_MINOR_ANY: all of that major */
} CgroupDevice;

#define CGROUP_MINOR_ANY (-1)

/* Can the host keep a group's processes from opening other device nodes than it lists? By the
 * controller "devices" of v1. Opening is what is looked at: a descriptor that is handed over works.
 */
bool cgroup_host_has_devices(const CgroupHost *host);
/* Moves a process, and what it starts, to PARTITION/NAME of that hierarchy, which is made, and
 * where it may use nothing but the list. What the groups above lack cannot be given, and is left
 * out. */
int cgroup_devices_enter(const CgroupHost *host, const char *partition, const char *name, pid_t pid,
                         const CgroupDevice *list, size_t n, Error **reterr);
/* From now on the group has the list, as far as the groups above it have it, and with `more` also
 * what it had. Does nothing where there is no such group, or one that may use everything. */
int cgroup_devices_set(const CgroupHost *host, const char *partition, const char *name,
                       const CgroupDevice *list, size_t n, bool more, Error **reterr);
/* Removes it when its processes have gone, as cgroup_tree_remove; none is no error. */
int cgroup_devices_remove(const CgroupHost *host, const char *partition, const char *name,
                          Error **reterr);

/* A partition as the others here write it: "/a//b/" is "/a/b", the top is "". ERROR_INVALID_ARG for
 * what is none. */
int cgroup_partition_normal(const char *partition, char **ret, Error **reterr);

/* mkdir -p of an absolute path in every hierarchy, fit to have trees below it. */
int cgroup_partition_make(const CgroupHost *host, const char *partition, Error **reterr);

/* Removes a partition that nobody uses; one that somebody does stays, and is no error. */
void cgroup_partition_remove(const CgroupHost *host, const char *partition);

/* Makes PARTITION/NAME where it is v2's and moves a process there that is in the partition itself.
 * Before cgroup_tree_create: v2 would make the partition the root of a threaded subtree when it
 * hands controllers down with a process in it, and take no process below it any more. v1 has no
 * such rule. */
int cgroup_move_down(const CgroupHost *host, const char *partition, const char *name, pid_t pid,
                     Error **reterr);

/* PARTITION/NAME; the partition exists. What is there already is taken over. Succeeds when one
 * hierarchy could be used; of the others cgroup_tree_require tells the reason, as does every value
 * that needs them. `open` makes nothing: -ENOENT when there is no such group in any hierarchy. */
int cgroup_tree_create(const CgroupHost *host, const char *partition, const char *name,
                       CgroupTree **ret, Error **reterr);
int cgroup_tree_open(const CgroupHost *host, const char *partition, const char *name,
                     CgroupTree **ret, Error **reterr);
void cgroup_tree_free(CgroupTree *tree); /* closes; removes nothing */
DEFINE_CLEANUP(CgroupTree *, cgroup_tree_free)
int cgroup_tree_require(const CgroupTree *tree, CgroupController controller, Error **reterr);
/* Of the hierarchy the tree has it in: 1 or 2; 0: it has no such controller. */
int cgroup_tree_version(const CgroupTree *tree, CgroupController controller);
/* Has somebody removed the tree's own directory in any hierarchy? */
bool cgroup_tree_is_gone(const CgroupTree *tree);

/* Moves a whole process into the tree; v2 needs that before its threads can go to the children. */
int cgroup_tree_adopt(CgroupTree *tree, pid_t pid, Error **reterr);

/* add: makes the child, ready for threads, and takes one that is there; *ret_made (may be NULL):
 * there was none in any hierarchy. attach: moves one thread;
 * -ESRCH when it is gone. set: cpus, mems, shares, bandwidth, in that order; the first failure ends
 * it and what was set before stays. Both versions accept this order of the three: v2 lets a group
 * without threads have any set, and checks nothing then; v1 needs the parent's set in it before a
 * thread may enter, which add has seen to. */
int cgroup_tree_add(CgroupTree *tree, const char *child, bool *ret_made, Error **reterr);
int cgroup_tree_attach(CgroupTree *tree, const char *child, pid_t tid, Error **reterr);
int cgroup_tree_set(CgroupTree *tree, const char *child, const CgroupValues *values,
                    Error **reterr);
/* Is there a group of the child's own? In a v1 hierarchy that is the cpuset's alone there is none
 * until `set` gives it other CPUs or nodes than the tree has: its threads stay in the tree's own
 * group there, and `get` answers what that one has. */
bool cgroup_tree_has_own(const CgroupTree *tree, CgroupController controller, const char *child);
/* A value by the names of its file; for what this header does not know of. */
typedef struct CgroupFile {
    CgroupController controller;
    const char *v1, *v2;
} CgroupFile;

int cgroup_tree_write(const CgroupTree *tree, const char *child, const CgroupFile *file,
                      const char *text, Error **reterr);
/* Without the line's end; the caller frees. */
int cgroup_tree_read(const CgroupTree *tree, const char *child, const CgroupFile *file, char **ret,
                     Error **reterr);
/* Could a child have these CPUs? Writes nothing; names the ancestor that has fewer. */
int cgroup_tree_check_cpus(CgroupTree *tree, const Bitmap *cpus, Error **reterr);
/* With v1 a host CPU that goes offline leaves every group, and does not come back into them with
 * the host; v2 keeps what was asked. Those of the CPUs that the groups from the top down to the
 * tree's own lack are given to them again, as far as the host has them; the children are the
 * caller's. Does nothing with v2. */
int cgroup_tree_give_back(CgroupTree *tree, const Bitmap *cpus, Error **reterr);
int cgroup_tree_get(CgroupTree *tree, const char *child, CgroupState *ret, Error **reterr);
/* The same of the group that the tree is in, its cpuset only. */
int cgroup_tree_get_partition(const CgroupTree *tree, CgroupState *ret, Error **reterr);
void cgroup_state_done(CgroupState *state);
int cgroup_tree_usage(CgroupTree *tree, const char *child, CgroupUsage *ret, Error **reterr);
/* Only for how long its own quota held it back, ns, of the one file that says it. -errno. */
int cgroup_tree_throttled(CgroupTree *tree, const char *child, uint64_t *ret);
/* Nanoseconds by host CPU, *ret_n of them; the caller frees. v1 only: v2 does not count by CPU,
 * ERROR_OPERATION_UNSUPPORTED. */
int cgroup_tree_usage_percpu(CgroupTree *tree, const char *child, uint64_t **ret, size_t *ret_n,
                             Error **reterr);
/* Has inotify report who writes to the group's files (IN_MODIFY) and, for the tree itself, who
 * removes a child (IN_DELETE): the kernel keeps the watch of a group that is gone, and says
 * nothing. ret has room for CGROUP_CONTROLLER_MAX watch descriptors; returns how many it got: fewer
 * when a directory cannot be watched. */
size_t cgroup_tree_watch(const CgroupTree *tree, const char *child, int inotify_fd, int *ret);

/* Removes the directory or directories, the deepest first; threads that are about to leave are
 * waited for, 2 s in all. What is gone already is no error. */
int cgroup_tree_remove_child(CgroupTree *tree, const char *child, Error **reterr);
int cgroup_tree_remove(CgroupTree *tree, Error **reterr);
