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

#define STAT_MAX 8192u /* bytes */

static int parse(const char *text, ProcStat *ret) {
    /* The name in brackets may hold anything, brackets too. */
    const char *rest = strrchr(text, ')');
    unsigned long long user, system, start;
    uint64_t tick_ns = UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK);
    int parent, cpu;
    char state;

    /* Fields 3 (state), 4 (parent), 14, 15 (utime, stime), 22 (start time), 39 (processor). */
    if (!rest ||
        sscanf(rest + 1,
               " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %*d %*d %llu "
               "%*u %*d %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*u %*d %d",
               &state, &parent, &user, &system, &start, &cpu) != 6)
        return -EBADMSG;
    *ret = (ProcStat){.state = state,
                      .parent = parent,
                      .utime_ns = user * tick_ns,
                      .stime_ns = system * tick_ns,
                      .start = start,
                      .cpu = cpu};
    return 0;
}

int proc_stat(pid_t pid, pid_t tid, ProcStat *ret) {
    CLEANUP_FREE char *path = tid ? strf("/proc/%d/task/%d/stat", (int)pid, (int)tid)
                                  : strf("/proc/%d/stat", (int)pid);
    CLEANUP_FREE char *text = NULL;
    int r;

    if (!path)
        return -ENOMEM;
    r = file_read(path, STAT_MAX, &text, NULL);
    if (r < 0)
        return r == -ENOENT ? -ESRCH : r;
    return parse(text, ret);
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
