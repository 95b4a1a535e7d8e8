/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A host that takes its time, for a program that is started with this in LD_PRELOAD:
 *
 *     SLOW_AUDIT_MS=N   each audit record, of an audit that is there and on
 *     SLOW_STATUS_MS=N  each fsync of a domain's status file */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
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

int fsync(int fd) {
    char link[64], path[PATH_MAX] = "";

    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (readlink(link, path, sizeof(path) - 1) > 0 && strstr(path, "/run/domains/"))
        take_time("SLOW_STATUS_MS");
    return (int)syscall(SYS_fsync, fd);
}
