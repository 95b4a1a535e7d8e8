/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting, watching and ending a QEMU process. */
#include "qemu/process.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "util/file.h"
#include "util/proc.h"
#include "util/worker.h"

#define FD_TABLE_SIZE 4096          /* descriptors; 8 bytes each */
#define COMMAND_LINE_MAX (4u << 20) /* bytes, with the environment: execve(2) */
#define MONITOR_VARIABLE                                                                           \
    "VIREO_MONITOR=" /* by it a later vireod knows a QEMU that has no status file */
#define KILL_WAIT_USEC (30 * USEC_PER_SEC)

int qemu_process_identify(pid_t pid, QemuPid *ret) {
    ProcStat stat;
    int r = proc_stat(pid, 0, &stat);

    if (r < 0)
        return r;
    *ret = (QemuPid){.pid = pid, .start_time = stat.start};
    return 0;
}

bool qemu_process_alive(const QemuPid *pid) {
    ProcStat stat;

    return pid->pid > 0 && proc_stat(pid->pid, 0, &stat) == 0 && stat.start == pid->start_time &&
           !proc_stat_has_ended(&stat);
}

/* Whether one of the strings in the file begins with `prefix`. */
static bool has_string(pid_t pid, const char *file, const char *prefix) {
    CLEANUP_FREE char *path = strf("/proc/%d/%s", (int)pid, file), *text = NULL;
    size_t len = 0;

    if (!path || file_read(path, COMMAND_LINE_MAX, &text, &len) < 0)
        return false;
    for (const char *at = text; at < text + len; at += strlen(at) + 1)
        if (strncmp(at, prefix, strlen(prefix)) == 0)
            return true;
    return false;
}

bool qemu_process_has_monitor_in(pid_t pid, const char *directory) {
    CLEANUP_FREE char *prefix = strf(MONITOR_VARIABLE "%s/", directory);

    /* The environment alone may have been inherited, from a QEMU's wrapper for one. */
    return prefix && has_string(pid, "cmdline", QEMU_MONITOR_CHARDEV) &&
           has_string(pid, "environ", prefix);
}

static char *read_exe(const char *pid) {
    CLEANUP_FREE char *path = strf("/proc/%s/exe", pid), *target = calloc(1, PATH_MAX);

    return path && target && readlink(path, target, PATH_MAX - 1) > 0 ? TAKE_PTR(target) : NULL;
}

bool qemu_process_is_unborn(pid_t pid) {
    CLEANUP_FREE char *number = strf("%d", (int)pid);
    CLEANUP_FREE char *line_path = strf("/proc/%d/cmdline", (int)pid), *line = NULL,
                      *own_line = NULL;
    CLEANUP_FREE char *exe = number ? read_exe(number) : NULL,
                      *own_exe = exe ? read_exe("self") : NULL;
    size_t len = 0, own_len = 0;
    ProcStat stat;

    if (pid == getpid() || !own_exe || !exe || !streq(exe, own_exe) || !line_path)
        return false;
    if (proc_stat(pid, 0, &stat) < 0 || stat.parent == getpid())
        return false;
    return file_read(line_path, COMMAND_LINE_MAX, &line, &len) >= 0 &&
           file_read("/proc/self/cmdline", COMMAND_LINE_MAX, &own_line, &own_len) >= 0 &&
           len == own_len && memcmp(line, own_line, len) == 0;
}

typedef struct Spawn {
    char *const *argv;
    char **environment; /* a copy of our own and one more; the strings are borrowed */
    int log_fd, monitor_fd;
    pid_t pid;
} Spawn;

static char **make_environment(char *variable) {
    size_t n = 0, used = 0;
    char **copy;

    while (environ[n])
        n++;
    copy = calloc(n + 2, sizeof(char *));
    if (!copy)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ[i], MONITOR_VARIABLE, strlen(MONITOR_VARIABLE)) != 0)
            copy[used++] = environ[i];
    copy[used] = variable;
    return copy;
}

/* A process with threads that outgrows its table of file descriptors waits for an RCU grace period
 * each time (expand_fdtable in the kernel's fs/file.c), and every KVM vCPU is a descriptor: 1 -> 60
 * vCPUs took a fifth longer. Grown here, while the child has one thread, it stays so through the
 * exec. */
static void grow_fd_table(int fd) {
    struct rlimit limit;
    int last;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    last = (int)MIN_OF(limit.rlim_cur, (rlim_t)FD_TABLE_SIZE) - 1;
    if (last > QEMU_MONITOR_FD + 1 && dup2(fd, last) >= 0)
        close(last);
}

/* In the child: only async-signal-safe calls. */
static void child(const Spawn *spawn, int report) {
    sigset_t none;
    int null, monitor, high, error;

    setsid();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int sig = 1; sig < 32; sig++)
        signal(sig, SIG_DFL);
    /* Out of the way of what follows. */
    high = fcntl(report, F_DUPFD_CLOEXEC, QEMU_MONITOR_FD + 2);
    report = high >= 0 ? high : report;
    monitor = high >= 0 ? fcntl(spawn->monitor_fd, F_DUPFD_CLOEXEC, QEMU_MONITOR_FD + 2) : -1;
    null = monitor >= 0 ? open("/dev/null", O_RDONLY) : -1;
    if (null >= 0 && dup2(null, 0) >= 0 && dup2(spawn->log_fd, 1) >= 0 &&
        dup2(spawn->log_fd, 2) >= 0 && dup2(monitor, QEMU_MONITOR_FD) >= 0 &&
        dup3(report, QEMU_MONITOR_FD + 1, O_CLOEXEC) >= 0) {
        report = QEMU_MONITOR_FD + 1;
        syscall(SYS_close_range, QEMU_MONITOR_FD + 2u, ~0u, 0u);
        grow_fd_table(0);
        execve(spawn->argv[0], spawn->argv, spawn->environment);
    }
    error = errno;
    if (write(report, &error, sizeof(error)) < 0)
        _exit(126);
    _exit(127);
}

static int run_spawn(void *arg) {
    Spawn *spawn = arg;
    int report[2], error = 0;
    ssize_t n;

    if (pipe2(report, O_CLOEXEC) < 0)
        return -errno;
    spawn->pid = fork();
    if (spawn->pid == 0)
        child(spawn, report[1]);
    close(report[1]);
    if (spawn->pid < 0) {
        error = errno;
        close(report[0]);
        return -error;
    }
    do
        n = read(report[0], &error, sizeof(error));
    while (n < 0 && errno == EINTR);
    close(report[0]);
    if (n == sizeof(error)) {
        waitpid(spawn->pid, NULL, 0);
        return -error;
    }
    return 0;
}

static void log_argv(int fd, char *const *argv) {
    for (size_t i = 0; argv[i]; i++)
        dprintf(fd, "%s%s", i ? " " : "", argv[i]);
    dprintf(fd, "\n");
}

int qemu_process_spawn(char *const *argv, const char *log_path, int monitor_fd,
                       const char *monitor_path, QemuPid *ret, Error **reterr) {
    CLEANUP_CLOSE int fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    CLEANUP_FREE char *variable = strf(MONITOR_VARIABLE "%s", monitor_path);
    CLEANUP_FREE char **environment = variable ? make_environment(variable) : NULL;
    Spawn spawn = {
        .argv = argv, .environment = environment, .log_fd = fd, .monitor_fd = monitor_fd};
    int r;

    if (fd < 0)
        return error_system(reterr, FROM_QEMU, errno, "cannot open the log '%s'", log_path);
    if (!environment)
        return error_no_memory(reterr);
    log_argv(fd, argv);
    r = worker_run(run_spawn, &spawn);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot run the emulator '%s'", argv[0]);
    r = qemu_process_identify(spawn.pid, ret);
    if (r < 0)
        *ret = (QemuPid){.pid = spawn.pid};
    return 0;
}

static int open_pidfd(const QemuPid *pid) {
    int fd = pidfd_open(pid->pid, 0);
    QemuPid now;

    if (fd < 0)
        return -errno;
    if (qemu_process_identify(pid->pid, &now) < 0 || now.start_time != pid->start_time) {
        close(fd);
        return -ESRCH;
    }
    return fd;
}

/* Our child or not: reap it if it is. */
static void reap(pid_t pid) {
    waitpid(pid, NULL, WNOHANG);
}

int qemu_process_kill(const QemuPid *pid, uint64_t grace_usec) {
    CLEANUP_CLOSE int fd = -1;
    int r = -ETIMEDOUT;

    if (pid->pid <= 0)
        return 0;
    fd = open_pidfd(pid);
    if (fd < 0) {
        reap(pid->pid);
        return 0;
    }
    if (grace_usec) {
        pidfd_send_signal(fd, SIGTERM, NULL, 0);
        r = fiber_wait_fd(fd, EPOLLIN, deadline_in(grace_usec));
    }
    if (r < 0) {
        pidfd_send_signal(fd, SIGKILL, NULL, 0);
        r = fiber_wait_fd(fd, EPOLLIN, deadline_in(KILL_WAIT_USEC));
    }
    reap(pid->pid);
    return r;
}

typedef struct Watch {
    void (*func)(void *userdata);
    void *userdata;
    pid_t pid;
} Watch;

static int on_exit_fd(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    Watch *watch = userdata;

    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    reap(watch->pid);
    watch->func(watch->userdata);
    return 0;
}

int qemu_process_watch(const QemuPid *pid, void (*func)(void *userdata), void *userdata,
                       sd_event_source **ret) {
    Watch *watch = malloc(sizeof(Watch));
    int fd = open_pidfd(pid), r;

    if (!watch || fd < 0) {
        free(watch);
        return fd < 0 ? fd : -ENOMEM;
    }
    *watch = (Watch){func, userdata, pid->pid};
    r = sd_event_add_io(fiber_event(), ret, fd, EPOLLIN, on_exit_fd, watch);
    if (r < 0) {
        close(fd);
        free(watch);
        return r;
    }
    sd_event_source_set_io_fd_own(*ret, true);
    sd_event_source_set_destroy_callback(*ret, free);
    return 0;
}

char *qemu_log_tail(const char *log_path, off_t offset, size_t max_bytes) {
    CLEANUP_CLOSE int fd = open(log_path, O_RDONLY | O_CLOEXEC);
    CLEANUP_FREE char *text = malloc(max_bytes + 1);
    struct stat info;
    char *line;
    ssize_t n;

    if (fd < 0 || !text || fstat(fd, &info) < 0)
        return NULL;
    if (info.st_size > offset + (off_t)max_bytes)
        offset = info.st_size - (off_t)max_bytes;
    n = pread(fd, text, max_bytes, offset);
    if (n <= 0)
        return NULL;
    text[n] = '\0';
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
        text[--n] = '\0';
    /* the first line is our own argv */
    line = text[0] == '/' ? strchr(text, '\n') : NULL;
    return strdup(line ? line + 1 : text[0] == '/' ? "" : text);
}
