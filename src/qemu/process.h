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

/* Forks (on the worker pool), setsid, stdin /dev/null, stdout and stderr appended to log_path, fds
 * above 2 closed, signals reset, exec. A failing exec is reported here with its reason. Prints the
 * argv into the log first. */
int qemu_process_spawn(char *const *argv, const char *log_path, QemuPid *ret, Error **reterr);
/* Reads start_time; -ESRCH when there is no such process. */
int qemu_process_identify(pid_t pid, QemuPid *ret);
bool qemu_process_alive(const QemuPid *pid);
/* Whether one of the process's arguments begins with `prefix`. */
bool qemu_process_has_argument(pid_t pid, const char *prefix);
/* Whether it is what a vireod that was killed had forked, to become a QEMU: this program with this command line, and
 * neither this process nor its child. */
bool qemu_process_is_unborn(pid_t pid);
/* SIGTERM, after grace_usec SIGKILL, waits for the end, reaps; on a fiber. 0 also if already gone. */
int qemu_process_kill(const QemuPid *pid, uint64_t grace_usec);
/* Calls func once from the loop when the process ends. The source is the caller's to unref. */
int qemu_process_watch(const QemuPid *pid, void (*func)(void *userdata), void *userdata,
                       sd_event_source **ret);
/* The last lines (up to max_bytes) QEMU wrote to its log after offset; trimmed. Caller frees. */
char *qemu_log_tail(const char *log_path, off_t offset, size_t max_bytes);
