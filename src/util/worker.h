/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The worker pool: what may block the kernel for more than a millisecond (fsync, cgroup attach,
 * fork/exec, host probing) runs on a few threads, through one call that looks synchronous to its
 * fiber. */
#pragma once

#include "util/macro.h"

/* How many threads there are, how many of them have nothing to do, and what waits for one. */
typedef struct WorkerCounts {
    unsigned n_threads, n_free, n_waiting;
} WorkerCounts;

typedef int (*WorkerFunc)(void *arg);

/* Starts the pool (n_threads 1..16) bound to the fiber loop; stop waits for running work. */
int worker_init(unsigned n_threads);
void worker_shutdown(void);
WorkerCounts worker_counts(void);

/* Runs func(arg) on a worker thread and suspends the calling fiber until it returned; yields func's
 * return value. func must not touch loop-owned state. Off a fiber, or before worker_init (unit
 * tests, start-up), it calls func directly. Work is never abandoned: arg may live on the caller's
 * stack. */
int worker_run(WorkerFunc func, void *arg);
/* The same for each of the n items of `size` bytes: several threads take one after the other, one
 * thread is left to others; while another fiber does so, one item after the other in turn with
 * other work. Not for what may hang, as files of a network do. Returns when all are done; func's
 * return value says nothing. */
void worker_run_each(WorkerFunc func, void *items, size_t size, size_t n);
