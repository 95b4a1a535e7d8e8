/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fibers on one sd_event loop.
 *
 * A runnable fiber waits in a queue that a defer source drains; stacks are switched on the loop's
 * own stack only, so nobody's stack is ever switched away underneath. ucontext enters a stack once;
 * after that _setjmp and _longjmp switch, which leave the signal mask alone: no system call. A
 * stack is mmap'ed with a guard page below, serves one fiber after the other, and waits for the
 * next in a small pool. ASan, TSan and valgrind are told about every switch and stack. */
#undef _FORTIFY_SOURCE /* whose longjmp refuses to leave for another stack */
#include "util/fiber.h"

#include <setjmp.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define FIBER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#elif __has_feature(thread_sanitizer)
#define FIBER_TSAN 1
#endif
#endif
#ifdef FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define FIBER_STACK_SIZE (4096u * 1024u) /* instrumented frames are several times larger */
#else
#define FIBER_STACK_SIZE (512u * 1024u)
#endif

/* ThreadSanitizer keeps a shadow stack and the jmp_bufs of each thread, here of each stack. */
#ifdef FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#define SHADOW_NEW() __tsan_create_fiber(0)
#define SHADOW_FREE(shadow) __tsan_destroy_fiber(shadow)
#define SHADOW_CURRENT() __tsan_get_current_fiber()
#define SHADOW_SWITCH(shadow) __tsan_switch_to_fiber(shadow, 0)
#else
#define SHADOW_NEW() NULL
#define SHADOW_FREE(shadow) ((void)(shadow))
#define SHADOW_CURRENT() NULL
#define SHADOW_SWITCH(shadow) ((void)(shadow))
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
#define ROUND_USEC 200u /* of fibers, before sockets and timers get their turn */
#define TURNS 16u       /* of sockets and timers, before fibers get theirs */

typedef struct Stack {
    struct Stack *next;
    char *base; /* of the mapping; the guard page is the lowest */
    bool entered;
    jmp_buf context; /* where it was left, once it was entered */
    void *asan_fake_stack, *tsan_shadow;
    unsigned valgrind_id;
} Stack;

struct Fiber {
    Stack *stack;
    char *name; /* for whoever looks with a debugger */
    FiberFunc func;
    void *userdata;
    Fiber *next_runnable;
    bool runnable, finished;
};

/* One waiter; lives on the waiting fiber's stack. */
typedef struct FiberWait {
    struct FiberWait *next, *previous;
    Fiber *fiber;
    FiberCond *cond;
    bool woken, timed_out;
} FiberWait;

static struct {
    sd_event *event;
    sd_event_source *run_source;
    Fiber *current;
    Fiber *first, **tail; /* runnable */
    jmp_buf loop_context;
    unsigned n_turns; /* since fibers had theirs */
    unsigned n_fibers, n_pooled;
    Stack *pool;
    void *asan_fake_stack, *tsan_loop_shadow;
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
    stack->tsan_shadow = SHADOW_NEW();
    stack->valgrind_id = STACK_REGISTER(stack->base + GUARD_SIZE,
                                        stack->base + GUARD_SIZE + FIBER_STACK_SIZE);
    return stack;
}

static void stack_destroy(Stack *stack) {
    STACK_DEREGISTER(stack->valgrind_id);
    SHADOW_FREE(stack->tsan_shadow);
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

/* Leaves the fiber's stack for the loop's; returns when the stack has the turn again. */
static void switch_to_loop(Stack *stack, bool finished) {
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(finished ? NULL : &stack->asan_fake_stack,
                                   state.asan_loop_bottom, state.asan_loop_size);
#endif
    if (_setjmp(stack->context) == 0) {
        SHADOW_SWITCH(state.tsan_loop_shadow);
        _longjmp(state.loop_context, 1);
    }
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(finished ? NULL : stack->asan_fake_stack,
                                    &state.asan_loop_bottom, &state.asan_loop_size);
#endif
}

/* A stack's whole life: one fiber after the other. */
static void serve(void) {
    Stack *stack = state.current->stack;

#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(NULL, &state.asan_loop_bottom, &state.asan_loop_size);
#endif
    for (;;) {
        Fiber *fiber = state.current;

        fiber->func(fiber->userdata);
        fiber->finished = true;
        switch_to_loop(stack, true);
    }
}

/* Never returns. What it has is not on the loop's stack: AddressSanitizer would take the frame it
 * leaves there for one that is still in use. */
static void enter(Stack *stack) {
    static ucontext_t context;

    stack->entered = true;
    getcontext(&context);
    context.uc_stack.ss_sp = stack->base + GUARD_SIZE;
    context.uc_stack.ss_size = FIBER_STACK_SIZE;
    context.uc_link = NULL;
    makecontext(&context, serve, 0);
    setcontext(&context);
}

static void switch_to_fiber(Fiber *fiber) {
    assert(!state.current);
    state.current = fiber;
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(&state.asan_fake_stack, fiber->stack->base + GUARD_SIZE,
                                   FIBER_STACK_SIZE);
#endif
    state.tsan_loop_shadow = SHADOW_CURRENT();
    if (_setjmp(state.loop_context) == 0) {
        SHADOW_SWITCH(state.current->stack->tsan_shadow);
        if (state.current->stack->entered)
            _longjmp(state.current->stack->context, 1);
        enter(state.current->stack);
    }
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(state.asan_fake_stack, NULL, NULL);
#endif
    state.current = NULL;
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

/* A defer source is always the oldest of its priority, so that of the fibers is behind the others',
 * until it has waited for so many of them. */
static int before_turn(sd_event_source *source, void *userdata) {
    if (++state.n_turns == TURNS)
        sd_event_source_set_priority(source, SD_EVENT_PRIORITY_NORMAL - 1);
    return 0;
}

static void run(Fiber *fiber) {
    switch_to_fiber(fiber);
    if (fiber->finished)
        fiber_destroy(fiber);
}

/* Runs fibers that were runnable when the round began, for a while; the others, and what these
 * wake, wait for the next round, so that sockets and timers get their turn. */
static int run_round(sd_event_source *source, void *userdata) {
    const uint64_t end = now_usec() + ROUND_USEC;
    Fiber *const last = state.first ? CONTAINER_OF(state.tail, Fiber, next_runnable) : NULL;
    Fiber *fiber;

    state.n_turns = 0;
    sd_event_source_set_priority(source, SD_EVENT_PRIORITY_NORMAL + 1);
    do {
        fiber = state.first;
        if (!fiber)
            break;
        state.first = fiber->next_runnable;
        if (!state.first)
            state.tail = &state.first;
        fiber->runnable = false;
        run(fiber);
    } while (fiber != last && now_usec() < end);
    if (state.first)
        sd_event_source_set_enabled(state.run_source, SD_EVENT_ONESHOT);
    return 0;
}

/* ---- public ---- */

int fiber_init(sd_event *event) {
    int r;

    assert(!state.event);
    state.first = NULL;
    state.tail = &state.first;
    r = sd_event_add_defer(event, &state.run_source, run_round, NULL);
    if (r >= 0)
        r = sd_event_source_set_prepare(state.run_source, before_turn);
    if (r >= 0)
        r = sd_event_source_set_priority(state.run_source, SD_EVENT_PRIORITY_NORMAL + 1);
    if (r >= 0)
        r = sd_event_source_set_enabled(state.run_source, SD_EVENT_OFF);
    if (r < 0) {
        state.run_source = sd_event_source_disable_unref(state.run_source);
        return r;
    }
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

int fiber_new(const char *name, FiberFunc func, void *userdata, Fiber **ret) {
    Fiber *fiber = calloc(1, sizeof(Fiber));

    assert(state.event);
    if (!fiber)
        return -ENOMEM;
    *fiber = (Fiber){.name = strdup(name), .func = func, .userdata = userdata};
    fiber->stack = fiber->name ? stack_new() : NULL;
    if (!fiber->stack) {
        free(fiber->name);
        free(fiber);
        return -ENOMEM;
    }
    state.n_fibers++;
    *ret = fiber;
    return 0;
}

int fiber_start(const char *name, FiberFunc func, void *userdata) {
    Fiber *fiber = NULL;
    int r = fiber_new(name, func, userdata, &fiber);

    if (r >= 0)
        make_runnable(fiber);
    return r;
}

void fiber_run_now(Fiber *fiber) {
    if (state.current)
        make_runnable(fiber);
    else
        run(fiber);
}

Fiber *fiber_self(void) {
    return state.current;
}

unsigned fiber_count(void) {
    return state.n_fibers;
}

/* ---- conditions ---- */

/* Thousands may wait on one: it costs the same for each. */
static void cond_add(FiberCond *cond, FiberWait *wait) {
    wait->previous = cond->last;
    *(cond->last ? &cond->last->next : &cond->first) = wait;
    cond->last = wait;
}

static void cond_remove(FiberWait *wait) {
    FiberCond *cond = wait->cond;

    *(wait->previous ? &wait->previous->next : &cond->first) = wait->next;
    *(wait->next ? &wait->next->previous : &cond->last) = wait->previous;
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

    assert(state.current);
    if (deadline != USEC_FOREVER) {
        int r = sd_event_add_time(state.event, &timer, CLOCK_MONOTONIC, deadline, 1000, on_deadline,
                                  &wait);

        if (r < 0)
            return r;
    }
    cond_add(cond, &wait);
    while (!wait.woken)
        switch_to_loop(wait.fiber->stack, false);
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
    switch_to_loop(self->stack, false);
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
