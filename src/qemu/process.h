/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A QEMU process: started in its own session with its output in a log file, watched by pidfd,
 * outliving the daemon. */
#pragma once

#include <sys/types.h>

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

/* Forks (on the worker pool), setsid, stdin /dev/null, stdout and stderr appended to log_path, the
 * listening socket monitor_fd (monitor_listen) as QEMU_MONITOR_FD, the other fds closed, signals
 * reset, exec. In its environment VIREO_MONITOR is monitor_path. A failing exec is reported here
 * with its reason. Prints the argv into the log first. monitor_fd stays the caller's. */
int qemu_process_spawn(char *const *argv, const char *log_path, int monitor_fd,
                       const char *monitor_path, QemuPid *ret, Error **reterr);
/* Reads start_time; -ESRCH when there is no such process. */
int qemu_process_identify(pid_t pid, QemuPid *ret);
bool qemu_process_alive(const QemuPid *pid);
/* Whether it is a QEMU that this vireod or an earlier one started, with its monitor below
 * `directory`. */
bool qemu_process_has_monitor_in(pid_t pid, const char *directory);
/* Whether it is what a vireod that was killed had forked, to become a QEMU: this program with this
 * command line, and neither this process nor its child. */
bool qemu_process_is_unborn(pid_t pid);
/* SIGTERM, after grace_usec SIGKILL, waits for the end, reaps; on a fiber. 0 also if already gone.
 */
int qemu_process_kill(const QemuPid *pid, uint64_t grace_usec);
/* Calls func once from the loop when the process ends. The source is the caller's to unref. */
int qemu_process_watch(const QemuPid *pid, void (*func)(void *userdata), void *userdata,
                       sd_event_source **ret);
/* The last lines (up to max_bytes) QEMU wrote to its log after offset; trimmed. Caller frees. */
char *qemu_log_tail(const char *log_path, off_t offset, size_t max_bytes);
