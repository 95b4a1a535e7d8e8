/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between domain-limits.c (a domain's life), domain-limits-plan.c (from definition to plans) and
 * domain-limits-apply.c (a worker does them). Plans own all they point to: a worker must not look
 * at what the loop may change. */
#pragma once

#include <stdio.h>

#include "limits/limits.h"
#include "host/resctrl.h"

struct LimitsHost {
    CgroupHost *cgroups;
    char *partition, *resctrl_root;
    bool enabled, scopes;
    int inotify_fd; /* one for all domains: a user may have 128 (fs.inotify.max_user_instances); -1:
                       none */
};

/* inotify's watch descriptors, ascending. */
typedef struct Watches {
    int *list;
    size_t n;
} Watches;

struct Limits {
    unsigned n_refs;
    const LimitsHost *host;
    CgroupTree *tree; /* NULL: none could be had */
    char *no_tree;    /* why */
    Bitmap *had; /* the CPUs of the tree's cpuset when it was made or found again; NULL: unknown */
    char *partition, *group, *machine;
    bool in_scope;
    Resctrl *resctrl; /* NULL: not asked for */
    bool *made;       /* by index of cputune.resctrls: its group or its monitors are there */
    size_t n_made;
    Watches watches;  /* of its groups' directories; the loop's */
    unsigned n_quiet; /* how many of our own changes are under way */
    sd_event_source *settle;
};

#define CHILD_NAME_SIZE 32
#define SCOPE_USEC (10 * USEC_PER_SEC)

/* A resctrl group of a plan's thread. */
typedef struct ResctrlPlan {
    char *group; /* NULL: the default group */
    char **monitors;
    size_t n_monitors;
} ResctrlPlan;

typedef struct ThreadPlan {
    char child[CHILD_NAME_SIZE]; /* "vcpu3" */
    pid_t tid;                   /* 0: all of the process that no other plan or `others` has */
    Bitmap *cpus, *mems;         /* for the cpuset; NULL: the parent's */
    BandwidthDef bandwidth;
    Bitmap *affinity;
    SchedDef sched;
    bool set_sched; /* to `sched`, or to the default */
    ResctrlPlan *resctrls;
    size_t n_resctrls;
} ThreadPlan;

typedef struct LimitsPlan {
    pid_t pid;
    ThreadPlan *threads;
    size_t n_threads;
    pid_t *others; /* threads that are not the emulator's */
    size_t n_others;
    bool group; /* set these two on the domain's own group */
    uint64_t shares;
    BandwidthDef global;
    bool needs_cpu; /* a value that nothing but the cpu controller can keep */
} LimitsPlan;

/* domain-limits-plan.c */
int limits_plan(const Domain *domain, const LimitsScope *scope, LimitsPlan *ret, Error **reterr);
void limits_plan_done(LimitsPlan *plan);
/* Whether the definition asks for what only a cgroup can give. */
bool limits_needs_cgroup(const DomainDef *def);
/* "vireo-3-ol8-vcpus_0-1"; NULL for a group that only monitors. Caller frees. */
int limits_resctrl_name(const Domain *domain, const ResctrlDef *resctrl, char **ret);
/* "vcpus_1"; *ret NULL for the monitor that the group itself is. */
int limits_monitor_name(const Domain *domain, const ResctrlDef *resctrl, const MonitorDef *monitor,
                        char **ret);

/* drift.c. The group's directories (NULL: the domain's own) are watched from now on, and in the
 * list, which is the caller's to free; on the loop or a worker. */
void drift_watch_group(const Limits *limits, const char *child, Watches *list);
/* Begins to listen to those: `list` is merged in, and what has been written so far is our own
 * doing. */
void drift_listen(Domain *domain, Limits *limits, const Watches *list);

/* domain-limits-apply.c; on a worker. `name` is the domain's, for sentences. */
int limits_apply(const Limits *limits, const LimitsPlan *plan, const char *name, Error **reterr);
/* Mends what differs and writes a line for each into `out`. Returns how many. */
int limits_mend(const Limits *limits, const LimitsPlan *plan, const char *name, FILE *out,
                Error **reterr);
