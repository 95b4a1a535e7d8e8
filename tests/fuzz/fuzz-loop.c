/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The event loop under the fuzz targets that speak over sockets. Nobody sleeps: the monotonic clock
 * is ours, and jumps to the next timer when nothing else is left to do. */
#include "fuzz.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>

#include "util/fiber.h"
#include "util/log.h"

#define HANG_NSEC 5000000000u

/* ---- the clock ---- */

static uint64_t ahead;      /* nanoseconds that the clock has jumped */
static uint64_t next_timer; /* when the loop wants to be woken, 0: never */
static int monotonic_fd = -1;

static uint64_t nanoseconds(const struct timespec *time) {
    return (uint64_t)time->tv_sec * 1000000000u + (uint64_t)time->tv_nsec;
}

/* libc's, which needs no system call. */
static int real_clock(clockid_t clock, struct timespec *ret) {
    static int (*libc)(clockid_t clock, struct timespec * ret);

    if (!libc)
        libc = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    return libc ? libc(clock, ret) : (int)syscall(SYS_clock_gettime, clock, ret);
}

static uint64_t real_now(void) {
    struct timespec time = {0};

    real_clock(CLOCK_MONOTONIC, &time);
    return nanoseconds(&time);
}

uint64_t fuzz_cpu_usec(void) {
    struct timespec time = {0};

    real_clock(CLOCK_PROCESS_CPUTIME_ID, &time);
    return nanoseconds(&time) / 1000u;
}

/* These three replace libc's, for sd-event as well. */
int clock_gettime(clockid_t clock, struct timespec *ret) {
    uint64_t now;

    if (clock != CLOCK_MONOTONIC)
        return real_clock(clock, ret);
    now = real_now() + ahead;
    *ret = (struct timespec){(time_t)(now / 1000000000u), (long)(now % 1000000000u)};
    return 0;
}

int timerfd_create(int clock, int flags) {
    int fd = (int)syscall(SYS_timerfd_create, clock, flags);

    if (clock == CLOCK_MONOTONIC)
        monotonic_fd = fd;
    return fd;
}

/* The loop looks at its timers on each turn, woken or not. */
int timerfd_settime(int fd, int flags, const struct itimerspec *new_value, struct itimerspec *old) {
    if (fd == monotonic_fd && (flags & TFD_TIMER_ABSTIME))
        next_timer = nanoseconds(&new_value->it_value);
    return 0;
}

/* Whether there was a timer to go to. */
static bool jump(void) {
    const uint64_t now = real_now() + ahead;

    if (next_timer <= 1)
        return false;
    ahead += next_timer > now ? next_timer - now : 1000;
    return true;
}

/* ---- the loop ---- */

void fuzz_loop_init(void) {
    sd_event *event = NULL;

    signal(SIGPIPE, SIG_IGN);
    log_init(LOG_CRIT);
    if (sd_event_new(&event) < 0 || fiber_init(event) < 0)
        abort();
    sd_event_unref(event); /* the fibers hold it */
}

void fuzz_loop_idle(void) {
    while (sd_event_run(fiber_event(), 0) > 0)
        ;
}

void fuzz_loop_until(bool (*done)(void *userdata), void *userdata, const char *what) {
    const uint64_t begin = real_now();
    unsigned n_jumps = 0;

    fuzz_loop_idle();
    while (!done(userdata)) {
        if (real_now() - begin > HANG_NSEC || !jump()) {
            fprintf(stderr,
                    "fuzz: %s: not done after %llu ms and %u jumps of the clock, %u fibers\n", what,
                    (unsigned long long)((real_now() - begin) / 1000000u), n_jumps, fiber_count());
            abort();
        }
        n_jumps++;
        fuzz_loop_idle();
    }
}

void fuzz_socketpair(int fds[2]) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
        abort();
}

void fuzz_drain(int fd) {
    static uint8_t buffer[65536];

    while (recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
        ;
}

void fuzz_send(int fd, const uint8_t *data, size_t size, size_t chunk) {
    unsigned n_stalls = 0;

    while (size > 0 && n_stalls < 100) {
        ssize_t n = send(fd, data, MIN_OF(size, chunk), MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno != EAGAIN)
            return;
        if (n > 0) {
            data += n;
            size -= n;
        }
        n_stalls = n > 0 ? 0 : n_stalls + 1;
        fuzz_loop_idle();
        fuzz_drain(fd);
    }
}
