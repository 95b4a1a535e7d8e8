/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A QEMU process: started in its own session with its output in a log file, watched by pidfd,
 * outliving the daemon. */
#pragma once

#include <sys/types.h>

#include "qemu/confine.h"
#include "util/error.h"
#include "util/fiber.h"

/* Identity that survives pid reuse. */
typedef struct QemuPid {
    pid_t pid;
    uint64_t start_time; /* field 22 of /proc/PID/stat */
} QemuPid;

/* The descriptor by which a QEMU finds its monitor's listening socket, and its -chardev. */
#define QEMU_MONITOR_FD 3
#define QEMU_MONITOR_CHARDEV "socket,id=charmonitor,fd=3,server=on,wait=off"

/* The first descriptor of what the daemon has opened for devices: taps, vhost. */
#define QEMU_FIRST_FD 6
#define QEMU_FDS_MAX 1024u

/* How a QEMU is started. */
typedef struct QemuSpawn {
    char *const *argv;
    const char *log_path;     /* a regular file, made when it is missing; links are not followed */
    int monitor_fd;           /* the listening socket (monitor_listen); stays the caller's */
    const int *fds;           /* what else it gets, as QEMU_FIRST_FD and so on; the caller's, too */
    unsigned n_fds;           /* at most QEMU_FDS_MAX */
    char *const *environment; /* "NAME=VALUE" that it gets besides, NULL-terminated; or NULL */
    const char *monitor_path;
    bool is_probe;              /* it is killed when the daemon ends, however that happens */
    const QemuConfine *confine; /* what it is kept to from its exec on; NULL: nothing */
    /* Called while the child waits before its exec, on the caller's fiber: with its identity, which
     * the exec does not change. Negative: it ends without having run anything. May be NULL. */
    int (*gate)(const QemuPid *pid, void *userdata, Error **reterr);
    void *userdata;
} QemuSpawn;

/* Forks (on the worker pool), setsid, working directory /, stdin /dev/null, stdout and stderr
 * appended to the log, monitor_fd as QEMU_MONITOR_FD, fds from QEMU_FIRST_FD on, the others closed,
 * signals reset, a short environment (PATH, HOME and LC_ALL, VIREO_MONITOR with the monitor's path,
 * for people, and what the caller adds), the gate, confined, exec. A daemon that dies meanwhile
 * ends the child at the gate. A failing exec is reported here with its reason. Prints the argv into
 * the log first. On a fiber. */
int qemu_process_spawn(const QemuSpawn *spawn, QemuPid *ret, Error **reterr);
/* Reads start_time; -ESRCH when there is no such process. */
int qemu_process_identify(pid_t pid, QemuPid *ret);
bool qemu_process_alive(const QemuPid *pid);
/* SIGTERM, after grace_usec SIGKILL, waits for the end, reaps; on a fiber. 0 also if already gone.
 */
int qemu_process_kill(const QemuPid *pid, uint64_t grace_usec);
/* Waits for its end, and how it came out: whether it has ended by the deadline. On a fiber. */
bool qemu_process_wait_end(const QemuPid *pid, uint64_t deadline);
/* Calls func once from the loop when the process ends. The source is the caller's to unref. */
int qemu_process_watch(const QemuPid *pid, void (*func)(void *userdata), void *userdata,
                       sd_event_source **ret);
/* The last lines (up to max_bytes) QEMU wrote to its log after offset; trimmed. Caller frees. */
char *qemu_log_tail(const char *log_path, off_t offset, size_t max_bytes);
