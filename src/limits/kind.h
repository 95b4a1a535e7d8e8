/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A kind of limit: what it asks of a thread, how that is done, compared and put back.
 *
 * Each thread of a plan has a part for each kind, of the kind's own type, zeroed before `plan`. A
 * limit may be the group's (a file of its cgroup) or the thread's (a system call), or both:
 * `apply`, `differs` and `restore` are called once for the group and then for each thread that is
 * in it, and do nothing for the target that is not theirs. In the order of the table: a real-time
 * thread cannot enter a cgroup without a budget but may get its policy there, and a cpuset that is
 * narrowed overrides the affinity.
 *
 * A new kind is a file with its row here, and a line in kind.c. */
#pragma once

#include "host/cgroup.h"
#include "host/resctrl.h"
#include "limits/limits.h"
#include "limits/params.h"

typedef struct LimitMending LimitMending;

/* What a plan is made of. */
typedef struct LimitPlanner {
    const LimitsSubject *subject;
    const char *machine;             /* prefix of names that are the host's */
    const Bitmap *online, *fallback; /* host CPUs; those of a thread that is not pinned */
    bool newborn;                    /* QEMU's threads are not apart yet */
    bool wide_memory;                /* QEMU is making threads: all nodes the domain has */
} LimitPlanner;

/* Whom the definition means. */
typedef struct LimitThread {
    LimitRole role;
    unsigned id; /* of a vCPU or IO thread */
} LimitThread;

/* A group (tid 0), or a thread in it. */
typedef struct LimitTarget {
    CgroupTree *tree;  /* NULL: there is none */
    const char *child; /* "vcpu3"; NULL: the domain's own group */
    pid_t tid;
    pid_t first;             /* of a group: a thread that is in it or comes into it; 0: none */
    const Resctrl *resctrl;  /* NULL: not asked for */
    const char *scope;       /* the machine whose scope competes for the domain's group; or NULL */
    bool keep;               /* what there is may have to be put back */
    const Bitmap *bound;     /* mending: a set is cut to these CPUs; or NULL */
    const Bitmap *inherited; /* mending, v1: the CPUs of a group that asks for none; or NULL */
} LimitTarget;

typedef struct LimitKind {
    const char *name;
    const LimitParam *params; /* ends with one without a name; NULL: none */
    size_t size;              /* of a part */
    /* Reads the definition. A part that asks for nothing stays zero. -ENOMEM. */
    int (*plan)(const LimitPlanner *planner, const LimitThread *thread, void *part);
    void (*done)(void *part); /* or NULL */
    /* Does it; with `keep`, what the kernel had is in the part afterwards. -ESRCH for a thread that
     * is gone. */
    int (*apply)(const LimitTarget *target, void *part, Error **reterr);
    /* Is something else there? Says so with limit_differs. */
    bool (*differs)(const LimitTarget *target, const void *part, LimitMending *mending);
    /* Puts back what `apply` kept; NULL for what is set only once. */
    int (*restore)(const LimitTarget *target, void *part, Error **reterr);
} LimitKind;

extern const LimitKind limit_pin, limit_memory, limit_bandwidth, limit_scheduler, limit_resctrl;
extern const LimitKind *const limit_kinds[]; /* in the order they are applied; ends with NULL */

/* For `differs`: one line each. `what` is the noun ("cpuset.cpus"). The last two compare, say so,
 * and return whether they differ; a wanted NULL or 0 is not compared. */
void limit_differs(LimitMending *mending, const char *what, const char *is, const char *wanted);
bool limit_set_differs(LimitMending *mending, const char *what, const Bitmap *is,
                       const Bitmap *wanted);
bool limit_number_differs(LimitMending *mending, const char *what, int64_t is, int64_t wanted);
/* What the target's group has, read once for all kinds; NULL: it cannot be read. */
const CgroupState *limit_state(LimitMending *mending, const LimitTarget *target);
/* The part of `wanted` that the domain's own group has; what it lacks is reported as clipped. NULL:
 * out of memory. The caller frees. */
Bitmap *limit_bounded(LimitMending *mending, const LimitTarget *target, const Bitmap *wanted);
