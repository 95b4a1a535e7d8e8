/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fibers on ucontext and one sd_event loop.
 *
 * A runnable fiber waits in a queue that a defer source drains; only that source's handler switches
 * stacks, so nobody's stack is ever switched away underneath. Stacks are mmap'ed with a guard page
 * below and kept in a small pool. ASan and valgrind are told about every switch and stack. */
#include "util/fiber.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#endif
#ifdef FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define FIBER_STACK_SIZE (1024u * 1024u) /* instrumented frames are several times larger */
#else
#define FIBER_STACK_SIZE (256u * 1024u)
#endif

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define STACK_REGISTER(low, high) VALGRIND_STACK_REGISTER(low, high)
#define STACK_DEREGISTER(id) VALGRIND_STACK_DEREGISTER(id)
#else
#define STACK_REGISTER(low, high) 0
#define STACK_DEREGISTER(id) ((void)(id))
#endif

#define POOL_MAX 64u
#define GUARD_SIZE 4096u

typedef struct Stack {
    struct Stack *next;
    char *base; /* of the mapping; the guard page is the lowest */
    unsigned valgrind_id;
} Stack;

struct Fiber {
    ucontext_t context;
    Stack *stack;
    char *name; /* for whoever looks with a debugger */
    FiberFunc func;
    void *userdata;
    Fiber *next_runnable;
    bool runnable, finished;
    void *asan_fake_stack;
};

/* One waiter; lives on the waiting fiber's stack. */
typedef struct FiberWait {
    struct FiberWait *next;
    Fiber *fiber;
    FiberCond *cond;
    bool woken, timed_out;
} FiberWait;

static struct {
    sd_event *event;
    sd_event_source *run_source;
    Fiber *current;
    Fiber *first, **tail; /* runnable */
    ucontext_t loop_context;
    unsigned n_fibers, n_pooled;
    Stack *pool;
    void *asan_fake_stack;
    const void *asan_loop_bottom;
    size_t asan_loop_size;
} state;

uint64_t now_usec(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

uint64_t deadline_in(uint64_t usec) {
    uint64_t now = now_usec();

    return usec > USEC_FOREVER - now ? USEC_FOREVER : now + usec;
}

/* ---- stacks ---- */

static Stack *stack_new(void) {
    Stack *stack = state.pool;

    if (stack) {
        state.pool = stack->next;
        state.n_pooled--;
        return stack;
    }
    stack = calloc(1, sizeof(Stack));
    if (!stack)
        return NULL;
    stack->base = mmap(NULL, FIBER_STACK_SIZE + GUARD_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (stack->base == MAP_FAILED || mprotect(stack->base, GUARD_SIZE, PROT_NONE) < 0) {
        if (stack->base != MAP_FAILED)
            munmap(stack->base, FIBER_STACK_SIZE + GUARD_SIZE);
        free(stack);
        return NULL;
    }
    stack->valgrind_id = STACK_REGISTER(stack->base + GUARD_SIZE,
                                        stack->base + GUARD_SIZE + FIBER_STACK_SIZE);
    return stack;
}

static void stack_destroy(Stack *stack) {
    STACK_DEREGISTER(stack->valgrind_id);
    munmap(stack->base, FIBER_STACK_SIZE + GUARD_SIZE);
    free(stack);
}

static void stack_release(Stack *stack) {
#ifdef FIBER_ASAN
    __asan_unpoison_memory_region(stack->base + GUARD_SIZE, FIBER_STACK_SIZE);
#endif
    if (state.n_pooled >= POOL_MAX) {
        stack_destroy(stack);
        return;
    }
    stack->next = state.pool;
    state.pool = stack;
    state.n_pooled++;
}

/* ---- switching ---- */

static void switch_to_fiber(Fiber *fiber) {
    state.current = fiber;
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(&state.asan_fake_stack, fiber->stack->base + GUARD_SIZE,
                                   FIBER_STACK_SIZE);
#endif
    swapcontext(&state.loop_context, &fiber->context);
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(state.asan_fake_stack, NULL, NULL);
#endif
    state.current = NULL;
}

static void switch_to_loop(Fiber *fiber) {
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(fiber->finished ? NULL : &fiber->asan_fake_stack,
                                   state.asan_loop_bottom, state.asan_loop_size);
#endif
    swapcontext(&fiber->context, &state.loop_context);
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(fiber->asan_fake_stack, &state.asan_loop_bottom,
                                    &state.asan_loop_size);
#endif
}

static void fiber_main(void) {
    Fiber *fiber = state.current;

#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(NULL, &state.asan_loop_bottom, &state.asan_loop_size);
#endif
    fiber->func(fiber->userdata);
    fiber->finished = true;
    switch_to_loop(fiber);
    abort(); /* a finished fiber is never resumed */
}

static void fiber_destroy(Fiber *fiber) {
    stack_release(fiber->stack);
    free(fiber->name);
    free(fiber);
    state.n_fibers--;
}

static void make_runnable(Fiber *fiber) {
    if (fiber->runnable)
        return;
    fiber->runnable = true;
    fiber->next_runnable = NULL;
    *state.tail = fiber;
    state.tail = &fiber->next_runnable;
    sd_event_source_set_enabled(state.run_source, SD_EVENT_ONESHOT);
}

/* Runs every fiber that was runnable when the round began; what they wake waits for the next round,
 * so that sockets and timers get their turn. */
static int run_round(sd_event_source *source, void *userdata) {
    Fiber *fiber = state.first;

    state.first = NULL;
    state.tail = &state.first;
    while (fiber) {
        Fiber *next = fiber->next_runnable;

        fiber->runnable = false;
        switch_to_fiber(fiber);
        if (fiber->finished)
            fiber_destroy(fiber);
        fiber = next;
    }
    return 0;
}

/* ---- public ---- */

int fiber_init(sd_event *event) {
    int r;

    assert(!state.event);
    state.first = NULL;
    state.tail = &state.first;
    r = sd_event_add_defer(event, &state.run_source, run_round, NULL);
    if (r < 0)
        return r;
    sd_event_source_set_enabled(state.run_source, SD_EVENT_OFF);
    state.event = sd_event_ref(event);
    return 0;
}

void fiber_shutdown(void) {
    assert(state.n_fibers == 0);
    while (state.pool) {
        Stack *stack = state.pool;

        state.pool = stack->next;
        stack_destroy(stack);
    }
    state.n_pooled = 0;
    state.run_source = sd_event_source_disable_unref(state.run_source);
    state.event = sd_event_unref(state.event);
}

sd_event *fiber_event(void) {
    return state.event;
}

int fiber_start(const char *name, FiberFunc func, void *userdata) {
    Fiber *fiber = calloc(1, sizeof(Fiber));

    assert(state.event);
    if (!fiber)
        return -ENOMEM;
    fiber->name = strdup(name);
    fiber->stack = stack_new();
    if (!fiber->name || !fiber->stack) {
        if (fiber->stack)
            stack_release(fiber->stack);
        free(fiber->name);
        free(fiber);
        return -ENOMEM;
    }
    fiber->func = func;
    fiber->userdata = userdata;
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack->base + GUARD_SIZE;
    fiber->context.uc_stack.ss_size = FIBER_STACK_SIZE;
    fiber->context.uc_link = NULL;
    makecontext(&fiber->context, fiber_main, 0);
    state.n_fibers++;
    make_runnable(fiber);
    return 0;
}

Fiber *fiber_self(void) {
    return state.current;
}

unsigned fiber_count(void) {
    return state.n_fibers;
}

/* ---- conditions ---- */

static void cond_remove(FiberWait *wait) {
    FiberWait **at = &wait->cond->first;

    while (*at && *at != wait)
        at = &(*at)->next;
    if (*at)
        *at = wait->next;
}

static void wake(FiberWait *wait) {
    cond_remove(wait);
    wait->woken = true;
    make_runnable(wait->fiber);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata) {
    FiberWait *wait = userdata;

    if (!wait->woken) {
        wait->timed_out = true;
        wake(wait);
    }
    return 0;
}

int fiber_cond_wait(FiberCond *cond, uint64_t deadline) {
    FiberWait wait = {.fiber = state.current, .cond = cond};
    sd_event_source *timer = NULL;
    FiberWait **tail = &cond->first;

    assert(state.current);
    if (deadline != USEC_FOREVER) {
        int r = sd_event_add_time(state.event, &timer, CLOCK_MONOTONIC, deadline, 1000, on_deadline,
                                  &wait);

        if (r < 0)
            return r;
    }
    while (*tail)
        tail = &(*tail)->next;
    *tail = &wait;
    while (!wait.woken)
        switch_to_loop(wait.fiber);
    sd_event_source_disable_unref(timer);
    return wait.timed_out ? -ETIMEDOUT : 0;
}

void fiber_cond_signal(FiberCond *cond) {
    if (cond->first)
        wake(cond->first);
}

void fiber_cond_broadcast(FiberCond *cond) {
    while (cond->first)
        wake(cond->first);
}

void fiber_cond_done(FiberCond *cond) {
    assert(!cond->first);
}

int fiber_sleep(uint64_t usec) {
    FiberCond nobody = {0};

    fiber_cond_wait(&nobody, deadline_in(usec));
    return 0;
}

void fiber_yield(void) {
    Fiber *self = state.current;

    assert(self);
    make_runnable(self);
    switch_to_loop(self);
}

static int on_fd(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    fiber_cond_broadcast(userdata);
    return 0;
}

int fiber_wait_fd(int fd, uint32_t events, uint64_t deadline) {
    FiberCond ready = {0};
    sd_event_source *source = NULL;
    int r;

    r = sd_event_add_io(state.event, &source, fd, events, on_fd, &ready);
    if (r < 0)
        return r;
    sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    r = fiber_cond_wait(&ready, deadline);
    sd_event_source_disable_unref(source);
    return r;
}
