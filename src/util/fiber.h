/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fibers: conversations that wait, written top to bottom.
 *
 * One thread, one sd_event loop. A fiber has its own stack (with a guard page) and runs until it
 * suspends or returns; nothing preempts it, so no locks. It is resumed from the loop only: waking
 * posts, it never switches stacks under the caller ("send never calls back"). Fibers that are
 * runnable run for 200 us, then sockets and timers get their turn.
 *
 * The one thing to wait on is a FiberCond, embedded in the object whose state changes:
 *
 *     while (!slot->done) {
 *         r = fiber_cond_wait(&slot->cond, deadline);
 *         if (r < 0)
 *             return r;        // -ETIMEDOUT
 *     }
 *
 * After any wait, other fibers have run: re-check whatever was looked up before. */
#pragma once

#include <systemd/sd-event.h>

#include "util/macro.h"

typedef struct Fiber Fiber;

/* A wait list. Zero-initialised is empty and valid. Must be empty (nobody waiting) when its owner
 * is freed; asserts it in fiber_cond_done. */
typedef struct FiberCond {
    struct FiberWait *first, *last; /* in the order in which they came */
} FiberCond;

typedef void (*FiberFunc)(void *userdata);

/* Binds the module to the loop; takes a reference. Call once before the first fiber, and
 * fiber_shutdown at the end. All fibers must have returned by then (asserted); run the loop until
 * fiber_count() is 0. */
int fiber_init(sd_event *event);
void fiber_shutdown(void);
sd_event *fiber_event(void);

/* Starts `func(userdata)` on a new fiber from the next loop iteration on. `name` is copied, for
 * logs. Stack: 256 KiB, pooled. Errors: -ENOMEM. */
int fiber_start(const char *name, FiberFunc func, void *userdata);

/* A fiber that does not run yet: fiber_run_now is to follow. -ENOMEM. */
int fiber_new(const char *name, FiberFunc func, void *userdata, Fiber **ret);
/* Runs it until it first waits, ahead of all that are runnable, when the caller is on the loop's
 * own stack. On a fiber it waits for its turn, as after fiber_start. */
void fiber_run_now(Fiber *fiber);

/* The running fiber, or NULL on the loop's own stack. */
Fiber *fiber_self(void);
unsigned fiber_count(void);

/* CLOCK_MONOTONIC now in microseconds, and now + usec (saturating; USEC_FOREVER stays). */
uint64_t now_usec(void);
uint64_t deadline_in(uint64_t usec);

/* Waits for a signal or broadcast on the condition, or for the absolute CLOCK_MONOTONIC deadline.
 * 0 when woken (possibly spuriously: re-check), -ETIMEDOUT at the deadline. On a fiber only. */
int fiber_cond_wait(FiberCond *cond, uint64_t deadline);

/* Wakes the first waiter / all of them. Callable from anywhere on the loop's thread. */
void fiber_cond_signal(FiberCond *cond);
void fiber_cond_broadcast(FiberCond *cond);
void fiber_cond_done(FiberCond *cond);

/* Sleeps; on a fiber only. */
int fiber_sleep(uint64_t usec);

/* Lets the loop and the fibers that are runnable have a turn. */
void fiber_yield(void);

/* Waits until `events` (EPOLLIN, ...) are ready on fd or the deadline passes: 0 or -ETIMEDOUT. */
int fiber_wait_fd(int fd, uint32_t events, uint64_t deadline);
