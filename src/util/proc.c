/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /proc/PID/stat and /proc/PID/task/TID/stat; and looks at what only its owner may see. */
#include "util/proc.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "util/file.h"

#define STAT_MAX 2048u /* bytes; the name has 64, and 50 numbers follow */
#define PATH_SIZE 64u

/* The places of fields of the file, counted from 1 as proc(5) does. */
enum { PARENT = 4, USER = 14, SYSTEM = 15, START = 22, PROCESSOR = 39 };

/* The numbers of the fields from PARENT on, in `ret` by their places; false: there are too few. */
static bool read_fields(const char *at, uint64_t ret[PROCESSOR + 1]) {
    for (int field = PARENT; field <= PROCESSOR; field++) {
        char *end;

        ret[field] = strtoull(at, &end, 10);
        if (end == at)
            return false;
        at = end;
    }
    return true;
}

static int parse(const char *text, ProcStat *ret) {
    /* The name in brackets may hold anything, brackets too. */
    const char *rest = strrchr(text, ')');
    const uint64_t tick_ns = UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK);
    uint64_t fields[PROCESSOR + 1];

    if (!rest || rest[1] != ' ' || rest[2] == '\0' || !read_fields(rest + 3, fields))
        return -EBADMSG;
    *ret = (ProcStat){.state = rest[2],
                      .parent = (pid_t)fields[PARENT],
                      .utime_ns = fields[USER] * tick_ns,
                      .stime_ns = fields[SYSTEM] * tick_ns,
                      .start = fields[START],
                      .cpu = (int)fields[PROCESSOR]};
    return 0;
}

/* A file of the process, or of its thread unless that is 0. A thread that ended is -ESRCH. */
static int read_file(pid_t pid, pid_t tid, const char *name, char *buffer, size_t size) {
    char path[PATH_SIZE];
    ssize_t n;

    if (tid)
        snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)pid, (int)tid, name);
    else
        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    n = file_read_once(path, buffer, size);
    if (n < 0)
        return n == -ENOENT ? -ESRCH : (int)n;
    return 0;
}

int proc_stat(pid_t pid, pid_t tid, ProcStat *ret) {
    char text[STAT_MAX];
    int r = read_file(pid, tid, "stat", text, sizeof(text));

    return r < 0 ? r : parse(text, ret);
}

/* scheduler/sched-stats.rst: time on a CPU and time in the run queue, ns, and how often it ran. */
int proc_sched_time(pid_t pid, pid_t tid, uint64_t *ret_run_ns, uint64_t *ret_delay_ns) {
    char text[STAT_MAX], *end, *last;
    int r = read_file(pid, tid, "schedstat", text, sizeof(text));

    if (r < 0)
        return r;
    *ret_run_ns = strtoull(text, &end, 10);
    *ret_delay_ns = strtoull(end, &last, 10);
    return end == text || last == end ? -EBADMSG : 0;
}

int proc_cpu_time(pid_t pid, uint64_t *ret_ns) {
    struct timespec time;
    clockid_t clock;
    int r = clock_getcpuclockid(pid, &clock);

    if (r != 0)
        return -r;
    if (clock_gettime(clock, &time) < 0)
        return errno == EINVAL ? -ESRCH : -errno;
    *ret_ns = (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
    return 0;
}

bool proc_stat_has_ended(const ProcStat *stat) {
    return stat->state == 'Z' || stat->state == 'X';
}

static void look_as(uid_t uid, gid_t gid) {
    syscall(SYS_setfsgid, gid);
    syscall(SYS_setfsuid, uid);
}

int proc_look_as_owner(const char *pid) {
    CLEANUP_FREE char *path = strf("/proc/%s/fd", pid);
    struct stat info;

    if (!path)
        return -ENOMEM;
    if (stat(path, &info) < 0)
        return -errno;
    look_as(info.st_uid, info.st_gid);
    return 0;
}

void proc_look_as_self(void) {
    look_as(geteuid(), getegid());
}
