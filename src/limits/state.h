/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The structs behind limits.h, for the files of this room. */
#pragma once

#include "host/resctrl.h"
#include "limits/limits.h"
#include "util/fiber.h"
#include "util/worker.h"

#define SCOPE_USEC (10 * USEC_PER_SEC)

/* inotify's watch descriptors, ascending. */
typedef struct Watches {
    int *list;
    size_t n;
} Watches;

static inline void watches_done(Watches *watches) {
    free(watches->list);
}

/* Whose directory a watch descriptor is; NULL: it has gone. */
typedef struct WatchEntry {
    int watch;
    Limits *limits;
} WatchEntry;

struct LimitsHost {
    unsigned n_refs; /* the driver's, and one for each Limits */
    CgroupHost *cgroups;
    char *partition, *resctrl_root;
    bool enabled, scopes;
    int inotify_fd; /* one for all domains: a user may have 128 (fs.inotify.max_user_instances); -1:
                       none */
    WatchEntry *watched; /* ascending; the loop's, as the next four */
    size_t n_watched, n_gone;
    void (*written)(void *owner);
    Limits *first;                 /* all that have an owner */
    unsigned n_working, n_at_once; /* threads that change groups, and how many may */
    FiberCond worked;
};

/* Runs func(arg) on a worker; of what changes groups as many at once as the host has CPUs, and two
 * at least, for one sleeps in the kernel now and then. The kernel keeps the CPU of each for up to
 * milliseconds, and with more of them the loop, and every client, waits longer for one. */
int limits_work(LimitsHost *host, WorkerFunc func, void *arg);

struct Limits {
    unsigned n_refs;
    LimitsHost *host;
    Limits *next;
    void *owner;      /* NULL: it has let go */
    CgroupTree *tree; /* NULL: none could be had */
    CgroupTree *worn; /* whose directories have gone; a reader may still hold it */
    char *no_tree;    /* why */
    Bitmap *had;  /* the CPUs of the tree's cpuset when it was made or found again; NULL: unknown */
    Bitmap *came; /* host CPUs that have come since somebody last looked */
    char *partition, *group, *machine;
    bool in_scope, own_partition; /* own: the daemon's default, not one that a definition names */
    Resctrl *resctrl;             /* NULL: not asked for */
    bool *made; /* by index of cputune.resctrls: its group or its monitors are there */
    size_t n_made;
    Watches own;      /* of the domain's own group */
    unsigned n_quiet; /* how many of our own changes are under way */
    Watches heard;    /* written to meanwhile */
    bool missed;      /* or nobody knows what: the kernel's queue was full */
    char *clipped;    /* what was last said of somebody else's bounds */
};

Limits *limits_ref(Limits *limits);
void limits_unref(Limits *limits);
DEFINE_CLEANUP(Limits *, limits_unref)

/* watch.c: the part for this room. The directories of a group (child NULL: the domain's own) are
 * watched from now on, and in the list, which is the caller's to free; on the loop or a worker. */
void limits_watch_group(const LimitsHost *host, const CgroupTree *tree, const char *child,
                        Watches *list);
/* Begins to listen to those. */
void limits_watch_add(Limits *limits, const Watches *list);
/* No more of this Limits'; those that are still watched are in *ret (may be NULL). */
void limits_watch_end(Limits *limits, Watches *ret);
/* Was another group than those of the two lists written to while n_quiet? Forgets what was. */
bool limits_watch_heard_others(Limits *limits, const Watches *own, const Watches *more);
