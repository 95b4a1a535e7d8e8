/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A few threads for what may block; results come back to the loop through one eventfd. The loop
 * takes no lock that a thread of the pool takes: the kernel may let such a thread stand for
 * milliseconds while it holds one, and every client with it (glibc's condition variables wait for
 * their sleepers, too). What is handed over in both directions is a stack that is emptied at once.
 */
#include "util/worker.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "util/fiber.h"

#define WORKERS_MAX 16u

typedef struct Work {
    struct Work *next;
    WorkerFunc func;
    void *arg;
    int result;
    bool done;
    FiberCond cond;
} Work;

typedef _Atomic(Work *) WorkStack;

static struct {
    pthread_t threads[WORKERS_MAX];
    unsigned n_threads;
    WorkStack asked;      /* by the loop, the newest first */
    WorkStack finished;   /* by the threads, the newest first */
    pthread_mutex_t lock; /* of next; the threads' alone */
    Work *next;           /* taken from `asked`, the oldest first */
    sem_t n_asked;        /* what a thread may take, and one for each thread that shall end */
    atomic_uint n_busy, n_waiting;
    bool spread; /* one errand is with several threads */
    int event_fd;
    sd_event_source *source;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .event_fd = -1};

/* Returns whether the stack was empty. Behind it the work belongs to who takes it. */
static bool push(WorkStack *stack, Work *work) {
    Work *older = atomic_load_explicit(stack, memory_order_relaxed);

    do
        work->next = older;
    while (!atomic_compare_exchange_weak_explicit(stack, &older, work, memory_order_release,
                                                  memory_order_relaxed));
    return !older;
}

/* All of it, the oldest first. */
static Work *take_all(WorkStack *stack) {
    Work *work = atomic_exchange_explicit(stack, NULL, memory_order_acquire), *turned = NULL;

    while (work) {
        Work *older = work->next;

        work->next = turned;
        turned = work;
        work = older;
    }
    return turned;
}

/* NULL when the pool ends: each piece of work has been counted before. */
static Work *take_next(void) {
    Work *work;

    while (sem_wait(&pool.n_asked) < 0)
        ;
    pthread_mutex_lock(&pool.lock);
    if (!pool.next)
        pool.next = take_all(&pool.asked);
    work = pool.next;
    if (work)
        pool.next = work->next;
    pthread_mutex_unlock(&pool.lock);
    return work;
}

static void finish(Work *work) {
    const uint64_t one = 1;

    if (!push(&pool.finished, work))
        return; /* the loop has been told of another and did not come yet */
    while (write(pool.event_fd, &one, sizeof(one)) < 0)
        if (errno != EINTR) /* EAGAIN: the counter is full, the loop has been told already */
            break;
}

static void *thread_main(void *arg) {
    for (Work *work; (work = take_next());) {
        atomic_fetch_add(&pool.n_busy, 1);
        atomic_fetch_sub(&pool.n_waiting, 1);
        work->result = work->func(work->arg);
        atomic_fetch_sub(&pool.n_busy, 1);
        finish(work);
    }
    return NULL;
}

static int on_finished(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    uint64_t count;
    Work *work;

    /* Whatever comes of it: an error returned would turn this off for good. A counter that is still
     * there is another turn. */
    (void)!read(fd, &count, sizeof(count));
    work = take_all(&pool.finished);
    while (work) {
        Work *next = work->next;

        work->done = true;
        fiber_cond_broadcast(&work->cond);
        work = next;
    }
    return 0;
}

int worker_init(unsigned n_threads) {
    sigset_t all, old;
    int r;

    assert(n_threads >= 1 && n_threads <= WORKERS_MAX && pool.n_threads == 0);
    pool.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pool.event_fd < 0)
        return -errno;
    r = sd_event_add_io(fiber_event(), &pool.source, pool.event_fd, EPOLLIN, on_finished, NULL);
    if (r < 0)
        return r;
    if (sem_init(&pool.n_asked, 0, 0) < 0)
        return -errno;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (pool.n_threads < n_threads &&
           pthread_create(&pool.threads[pool.n_threads], NULL, thread_main, NULL) == 0)
        pool.n_threads++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return pool.n_threads > 0 ? 0 : -EAGAIN;
}

void worker_shutdown(void) {
    for (unsigned i = 0; i < pool.n_threads; i++)
        sem_post(&pool.n_asked);
    while (pool.n_threads > 0)
        pthread_join(pool.threads[--pool.n_threads], NULL);
    sem_destroy(&pool.n_asked);
    take_all(&pool.finished); /* nobody waits for it any more */
    pool.source = sd_event_source_disable_unref(pool.source);
    if (pool.event_fd >= 0)
        close(TAKE_FD(pool.event_fd));
}

WorkerCounts worker_counts(void) {
    const unsigned n_busy = atomic_load(&pool.n_busy);

    return (WorkerCounts){.n_threads = pool.n_threads,
                          .n_free = pool.n_threads - MIN_OF(n_busy, pool.n_threads),
                          .n_waiting = atomic_load(&pool.n_waiting)};
}

static bool can_wait(void) {
    return fiber_self() && pool.n_threads > 0;
}

static void queue(Work *work) {
    atomic_fetch_add(&pool.n_waiting, 1);
    push(&pool.asked, work);
    sem_post(&pool.n_asked);
}

static void wait_for(Work *work) {
    while (!work->done)
        fiber_cond_wait(&work->cond, USEC_FOREVER);
}

int worker_run(WorkerFunc func, void *arg) {
    Work work = {.func = func, .arg = arg};

    if (!can_wait())
        return func(arg);
    queue(&work);
    wait_for(&work);
    return work.result;
}

/* What several threads take from. */
typedef struct Each {
    WorkerFunc func;
    char *items;
    size_t size, n;
    atomic_size_t next;
} Each;

static int run_each(void *arg) {
    Each *each = arg;

    for (size_t i; (i = atomic_fetch_add(&each->next, 1)) < each->n;)
        each->func(each->items + i * each->size);
    return 0;
}

void worker_run_each(WorkerFunc func, void *items, size_t size, size_t n) {
    Each each = {.func = func, .items = items, .size = size, .n = n};
    const size_t n_works = can_wait() ? MIN_OF(n, (size_t)MAX_OF(pool.n_threads - 1, 1u)) : 0;
    Work works[WORKERS_MAX];

    if (n_works <= 1 || pool.spread) {
        for (size_t i = 0; i < n; i++) /* others come in between */
            worker_run(func, each.items + i * size);
        return;
    }
    pool.spread = true;
    for (size_t i = 0; i < n_works; i++) {
        works[i] = (Work){.func = run_each, .arg = &each};
        queue(&works[i]);
    }
    for (size_t i = 0; i < n_works; i++)
        wait_for(&works[i]);
    pool.spread = false;
}
