/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Plans: what the definition asks of each thread, in parts by kind. They own all they point to: a
 * worker must not look at what the loop may change. */
#pragma once

#include "limits/kind.h"
#include "limits/state.h"

#define CHILD_NAME_SIZE 32

typedef struct ThreadPlan {
    LimitThread who;
    char child[CHILD_NAME_SIZE]; /* "vcpu3"; "" for the domain's own group */
    pid_t tid;                   /* 0: all of the process that no other plan or `others` has */
    bool made;                   /* this change made its group: there is nothing to keep */
    bool done;                   /* something was applied */
    char *parts;                 /* limit_part's */
} ThreadPlan;

typedef struct LimitsPlan {
    char *name; /* the domain's, for sentences */
    pid_t pid;
    ThreadPlan *threads; /* the domain's own group first */
    size_t n_threads;
    char *parts;
    pid_t *others; /* threads that are not the emulator's */
    size_t n_others;
    const LimitKind *only; /* of groups that are there; NULL: every kind */
    bool needs_cpu;        /* a value that nothing but the cpu controller can keep */
} LimitsPlan;

/* The part of a thread's plan that belongs to limit_kinds[i]. */
void *limit_part(const ThreadPlan *thread, size_t i);

/* Reads the definition and the map as they are in this moment, on the loop; does not suspend.
 * `newborn`: QEMU's threads are not apart yet. The caller ends *ret with limits_plan_done. */
int limits_plan(const Limits *limits, const LimitsSubject *subject, const LimitsScope *scope,
                bool newborn, LimitsPlan *ret, Error **reterr);
void limits_plan_done(LimitsPlan *plan);
/* Whether the definition asks for what only a cgroup can give. */
bool limits_needs_cgroup(const DomainDef *def);
