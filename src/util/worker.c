/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A few threads for what may block; results come back to the loop through one eventfd. */
#include "util/worker.h"

#include <pthread.h>
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

static struct {
    pthread_t threads[WORKERS_MAX];
    unsigned n_threads, n_busy, n_waiting;
    pthread_mutex_t lock;
    pthread_cond_t more;
    Work *todo, **todo_tail, *finished, **finished_tail;
    bool stopping;
    bool spread; /* one errand is with several threads */
    int event_fd;
    sd_event_source *source;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER, .event_fd = -1};

/* Lock held. */
static void append(Work ***tail, Work *work) {
    work->next = NULL;
    **tail = work;
    *tail = &work->next;
}

/* Lock held; it is not while the loop is told, which it need not be of a second one. */
static void finish(Work *work) {
    const bool tell = !pool.finished;
    const uint64_t one = 1;

    append(&pool.finished_tail, work);
    pthread_mutex_unlock(&pool.lock);
    while (tell && write(pool.event_fd, &one, sizeof(one)) < 0)
        if (errno != EINTR) /* EAGAIN: the counter is full, the loop has been told already */
            break;
    pthread_mutex_lock(&pool.lock);
}

static void *thread_main(void *arg) {
    pthread_mutex_lock(&pool.lock);
    for (;;) {
        Work *work = pool.todo;

        if (!work && pool.stopping)
            break;
        if (!work) {
            pthread_cond_wait(&pool.more, &pool.lock);
            continue;
        }
        pool.todo = work->next;
        if (!pool.todo)
            pool.todo_tail = &pool.todo;
        pool.n_waiting--;
        pool.n_busy++;
        pthread_mutex_unlock(&pool.lock);
        work->result = work->func(work->arg);
        pthread_mutex_lock(&pool.lock);
        pool.n_busy--;
        finish(work);
    }
    pthread_mutex_unlock(&pool.lock);
    return NULL;
}

static int on_finished(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    uint64_t count;
    Work *work;

    /* Whatever comes of it: an error returned would turn this off for good. A counter that is still
     * there is another turn. */
    (void)!read(fd, &count, sizeof(count));
    pthread_mutex_lock(&pool.lock);
    work = pool.finished;
    pool.finished = NULL;
    pool.finished_tail = &pool.finished;
    pthread_mutex_unlock(&pool.lock);
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
    pool.todo = pool.finished = NULL;
    pool.todo_tail = &pool.todo;
    pool.finished_tail = &pool.finished;
    pool.stopping = false;
    pool.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pool.event_fd < 0)
        return -errno;
    r = sd_event_add_io(fiber_event(), &pool.source, pool.event_fd, EPOLLIN, on_finished, NULL);
    if (r < 0)
        return r;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (pool.n_threads < n_threads &&
           pthread_create(&pool.threads[pool.n_threads], NULL, thread_main, NULL) == 0)
        pool.n_threads++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return pool.n_threads > 0 ? 0 : -EAGAIN;
}

void worker_shutdown(void) {
    pthread_mutex_lock(&pool.lock);
    pool.stopping = true;
    pthread_cond_broadcast(&pool.more);
    pthread_mutex_unlock(&pool.lock);
    while (pool.n_threads > 0)
        pthread_join(pool.threads[--pool.n_threads], NULL);
    pool.source = sd_event_source_disable_unref(pool.source);
    if (pool.event_fd >= 0)
        close(TAKE_FD(pool.event_fd));
}

WorkerCounts worker_counts(void) {
    WorkerCounts counts;

    pthread_mutex_lock(&pool.lock);
    counts = (WorkerCounts){.n_threads = pool.n_threads,
                            .n_free = pool.n_threads - pool.n_busy,
                            .n_waiting = pool.n_waiting};
    pthread_mutex_unlock(&pool.lock);
    return counts;
}

static bool can_wait(void) {
    return fiber_self() && pool.n_threads > 0;
}

static void queue(Work *work) {
    pthread_mutex_lock(&pool.lock);
    append(&pool.todo_tail, work);
    pool.n_waiting++;
    pthread_cond_signal(&pool.more);
    pthread_mutex_unlock(&pool.lock);
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
