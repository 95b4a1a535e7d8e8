/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A host that takes its time, for a program that is started with this in LD_PRELOAD:
 *
 *     SLOW_AUDIT_MS=N   each audit record, of an audit that is there and on
 *     SLOW_STATUS_MS=N  each fsync of a domain's status file
 *     NO_HOLES_MS=N     each write to a file of a directory "pool"; no hole can be made there
 *
 * and one whose time of day jumps: by the seconds that the file CLOCK_OFFSET has. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int audit_open(void);
int audit_is_enabled(int fd);
int audit_log_user_message(int fd, int type, const char *message, const char *hostname,
                           const char *addr, const char *tty, int result);

static void take_time(const char *name) {
    const char *value = getenv(name);
    long ms = value ? atol(value) : 0;
    struct timespec left = {ms / 1000, ms % 1000 * 1000000};

    while (ms > 0 && nanosleep(&left, &left) < 0)
        ;
}

int audit_open(void) {
    return open("/dev/null", O_WRONLY | O_CLOEXEC);
}

int audit_is_enabled(int fd) {
    return 1;
}

int audit_log_user_message(int fd, int type, const char *message, const char *hostname,
                           const char *addr, const char *tty, int result) {
    take_time("SLOW_AUDIT_MS");
    return 1;
}

static int is_below(int fd, const char *directory) {
    char link[64], path[PATH_MAX] = "";

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    return readlink(link, path, sizeof(path) - 1) > 0 && strstr(path, directory) != NULL;
}

int fsync(int fd) {
    if (is_below(fd, "/run/domains/"))
        take_time("SLOW_STATUS_MS");
    return (int)syscall(SYS_fsync, fd);
}

int fallocate64(int fd, int mode, off_t at, off_t len) {
    if (getenv("NO_HOLES_MS") && is_below(fd, "/pool/")) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return (int)syscall(SYS_fallocate, fd, mode, at, len);
}

ssize_t write(int fd, const void *bytes, size_t n) {
    if (getenv("NO_HOLES_MS") && is_below(fd, "/pool/"))
        take_time("NO_HOLES_MS");
    return syscall(SYS_write, fd, bytes, n);
}

/* ---- the time of day ---- */

static time_t offset(void) {
    const char *path = getenv("CLOCK_OFFSET");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    char text[32] = "";

    if (fd >= 0) {
        (void)!read(fd, text, sizeof(text) - 1);
        close(fd);
    }
    return (time_t)atoll(text);
}

int clock_gettime(clockid_t clock, struct timespec *ret) {
    int r = (int)syscall(SYS_clock_gettime, clock, ret);

    if (r == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        ret->tv_sec += offset();
    return r;
}

time_t time(time_t *ret) {
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone) {
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    *ret = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}
