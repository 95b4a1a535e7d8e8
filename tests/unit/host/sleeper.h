/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For tests: a thread that sleeps until it is told to end, and a process of two such threads. */
#pragma once

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "util/macro.h"

typedef struct Sleeper {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pid_t tid;
    bool end;
} Sleeper;

static inline void *sleeper_main(void *arg) {
    Sleeper *sleeper = arg;

    pthread_mutex_lock(&sleeper->lock);
    sleeper->tid = gettid();
    pthread_cond_broadcast(&sleeper->changed);
    while (!sleeper->end)
        pthread_cond_wait(&sleeper->changed, &sleeper->lock);
    pthread_mutex_unlock(&sleeper->lock);
    return NULL;
}

static inline Sleeper *sleeper_new(void) {
    Sleeper *sleeper = calloc(1, sizeof(Sleeper));
    pthread_attr_t attr;
    int r;

    pthread_mutex_init(&sleeper->lock, NULL);
    pthread_cond_init(&sleeper->changed, NULL);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 256 * 1024);
    r = pthread_create(&sleeper->thread, &attr, sleeper_main, sleeper);
    pthread_attr_destroy(&attr);
    if (r != 0)
        abort();
    pthread_mutex_lock(&sleeper->lock);
    while (!sleeper->tid)
        pthread_cond_wait(&sleeper->changed, &sleeper->lock);
    pthread_mutex_unlock(&sleeper->lock);
    return sleeper;
}

static inline void sleeper_free(Sleeper *sleeper) {
    if (!sleeper)
        return;
    pthread_mutex_lock(&sleeper->lock);
    sleeper->end = true;
    pthread_cond_broadcast(&sleeper->changed);
    pthread_mutex_unlock(&sleeper->lock);
    pthread_join(sleeper->thread, NULL);
    pthread_cond_destroy(&sleeper->changed);
    pthread_mutex_destroy(&sleeper->lock);
    free(sleeper);
}

/* A process with one more thread; *ret_tid is that thread's id. It dies with the test. */
static inline pid_t sleeper_process(pid_t *ret_tid) {
    int pipes[2];
    pid_t pid, tid = 0;

    if (pipe(pipes) < 0 || (pid = fork()) < 0)
        abort();
    if (pid == 0) {
        Sleeper *sleeper;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        sleeper = sleeper_new();
        if (write(pipes[1], &sleeper->tid, sizeof(pid_t)) < 0)
            _exit(1);
        for (;;)
            pause();
    }
    close(pipes[1]);
    if (read(pipes[0], &tid, sizeof(tid)) != sizeof(tid))
        abort();
    close(pipes[0]);
    *ret_tid = tid;
    return pid;
}

static inline void sleeper_process_end(pid_t pid) {
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
