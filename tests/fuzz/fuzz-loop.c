/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The event loop under the fuzz targets that speak over sockets. */
#include "fuzz.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>

#include "util/fiber.h"
#include "util/log.h"

#define HANG_USEC (5 * USEC_PER_SEC)

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
    uint64_t deadline = deadline_in(HANG_USEC);

    fuzz_loop_idle();
    while (!done(userdata)) {
        if (now_usec() > deadline) {
            fprintf(stderr, "fuzz: %s: still not done after %llu s, %u fibers\n", what,
                    (unsigned long long)(HANG_USEC / USEC_PER_SEC), fiber_count());
            abort();
        }
        sd_event_run(fiber_event(), 10 * USEC_PER_MSEC);
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
