/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting, watching and ending a QEMU process. */
#include "qemu/process.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "qemu/argv.h"
#include "util/file.h"
#include "util/proc.h"
#include "util/worker.h"

#define FD_TABLE_SIZE 4096 /* descriptors; 8 bytes each */
#define END_POLL_USEC (10 * USEC_PER_MSEC)
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

bool qemu_process_wait_end(const QemuPid *borrowed, uint64_t deadline) {
    const QemuPid pid = *borrowed;

    while (qemu_process_alive(&pid) && now_usec() < deadline)
        fiber_sleep(END_POLL_USEC);
    return !qemu_process_alive(&pid);
}

/* The child's end of what it shares with the daemon. */
typedef struct Child {
    const QemuSpawn *spawn;
    char *const *environment;
    int log_fd;
    int *fds; /* copies of the caller's above all numbers that the child puts something at */
    pid_t daemon;
} Child;

/* What a fork leaves the daemon with. */
typedef struct Birth {
    Child child;
    pid_t pid;
    int report;           /* reads a Report, or the end of one that was run */
    int gate;             /* closed: the child ends; a byte: it goes on */
    QemuConfineStep step; /* of the report */
} Birth;

/* Text of ours that a program finds in its environment. */
static char *take_variable(const char *name, const char *fallback) {
    const char *value = getenv(name);

    return strf("%s=%s", name, value && *value ? value : fallback);
}

static void environment_free(char **environment) {
    for (char **at = environment; *at; at++)
        free(*at);
    free(environment);
}
DEFINE_CLEANUP(char **, environment_free)

/* NULL: out of memory. */
static char **make_environment(const QemuSpawn *spawn) {
    CLEANUP(environment_freep) char **environment = NULL;
    size_t n = 0, more = 0;

    while (spawn->environment && spawn->environment[more])
        more++;
    environment = calloc(more + 5, sizeof(char *));
    if (!environment)
        return NULL;
    if (!(environment[n] = take_variable("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")) || !++n ||
        !(environment[n] = take_variable("HOME", "/")) || !++n ||
        !(environment[n] = strdup("LC_ALL=C")) || !++n ||
        !(environment[n] = strf("VIREO_MONITOR=%s", spawn->monitor_path)) || !++n)
        return NULL;
    for (size_t i = 0; i < more; i++)
        if (!(environment[n++] = strdup(spawn->environment[i])))
            return NULL;
    return TAKE_PTR(environment);
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
    if (last > QEMU_FIRST_FD + (int)QEMU_FDS_MAX && dup2(fd, last) >= 0)
        close(last);
}

/* The same descriptor with a number of at least `least`; -1. */
static int move_up(int fd, int least) {
    return fcntl(fd, F_DUPFD_CLOEXEC, least);
}

/* Puts the descriptors where they belong and closes all others; the report and the gate follow the
 * monitor's. */
static bool arrange_fds(const Child *child, int *report, int *gate) {
    const int n = (int)child->spawn->n_fds;
    const int spare = QEMU_FIRST_FD + n; /* out of the way of what is put below */
    int monitor, null;

    *report = move_up(*report, spare);
    *gate = move_up(*gate, spare);
    monitor = move_up(child->spawn->monitor_fd, spare);
    null = open("/dev/null", O_RDONLY);
    if (*report < 0 || *gate < 0 || monitor < 0 || null < 0 || dup2(null, 0) < 0 ||
        dup2(child->log_fd, 1) < 0 || dup2(child->log_fd, 2) < 0 ||
        dup2(monitor, QEMU_MONITOR_FD) < 0 || dup3(*report, QEMU_MONITOR_FD + 1, O_CLOEXEC) < 0 ||
        dup3(*gate, QEMU_MONITOR_FD + 2, O_CLOEXEC) < 0)
        return false;
    *report = QEMU_MONITOR_FD + 1;
    *gate = QEMU_MONITOR_FD + 2;
    for (int i = 0; i < n; i++)
        if (dup2(child->fds[i], QEMU_FIRST_FD + i) < 0)
            return false;
    syscall(SYS_close_range, (unsigned)spare, ~0u, 0u);
    return true;
}

/* Waits for the daemon's word; the daemon's end is the word to end. */
static void pass_gate(int gate) {
    ssize_t n;
    char byte;

    do
        n = read(gate, &byte, 1);
    while (n < 0 && errno == EINTR);
    if (n != 1)
        _exit(126);
}

/* What the child says when it cannot become QEMU. */
typedef struct Report {
    int error;            /* errno; 0: none */
    QemuConfineStep step; /* CONFINE_STEP_MAX_: it could not be run */
} Report;

/* A probe ends with the daemon. A change of its user makes the kernel forget that. */
static void end_with_daemon(const Child *child) {
    if (!child->spawn->is_probe)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != child->daemon)
        _exit(126);
}

/* In the child: only async-signal-safe calls. */
static void run_child(const Child *child, int report_fd, int gate) {
    Report report = {.step = CONFINE_STEP_MAX_};
    sigset_t none;

    end_with_daemon(child);
    setsid();
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int sig = 1; sig < 32; sig++)
        signal(sig, SIG_DFL);
    if (chdir("/") == 0 && arrange_fds(child, &report_fd, &gate)) {
        grow_fd_table(0);
        pass_gate(gate);
        if (child->spawn->confine)
            report.error = -qemu_confine_self(child->spawn->confine, &report.step);
        if (!report.error) {
            report.step = CONFINE_STEP_MAX_;
            end_with_daemon(child);
            execve(child->spawn->argv[0], child->spawn->argv, child->environment);
        }
    }
    if (!report.error)
        report.error = errno;
    if (write(report_fd, &report, sizeof(report)) < 0)
        _exit(126);
    _exit(127);
}

static int run_fork(void *arg) {
    Birth *birth = arg;
    int report[2], gate[2], r;

    if (pipe2(report, O_CLOEXEC) < 0)
        return -errno;
    if (pipe2(gate, O_CLOEXEC) < 0) {
        r = -errno;
        close(report[0]);
        close(report[1]);
        return r;
    }
    birth->report = report[0];
    birth->gate = gate[1];
    birth->child.daemon = getpid();
    birth->pid = fork();
    if (birth->pid == 0)
        run_child(&birth->child, report[1], gate[0]);
    r = birth->pid < 0 ? -errno : 0;
    close(report[1]);
    close(gate[0]);
    return r;
}

/* Opens the gate and reads what becomes of the exec. */
static int run_open_gate(void *arg) {
    Birth *birth = arg;
    Report report = {.step = CONFINE_STEP_MAX_};
    const char byte = 1;
    int error = 0;
    ssize_t n;

    do
        n = write(birth->gate, &byte, 1);
    while (n < 0 && errno == EINTR);
    if (n < 0) { /* it has ended: the report says why, or nothing does; or it ends now */
        error = errno;
        close(TAKE_FD(birth->gate));
    }
    do
        n = read(birth->report, &report, sizeof(report));
    while (n < 0 && errno == EINTR);
    birth->step = report.step;
    if (n == 0 && error == 0)
        return 0;
    if (n == sizeof(report))
        error = report.error;
    return error ? -error : -EIO;
}

/* The child is not to run, nor the emulator that nothing is known of. */
static int run_close_gate(void *arg) {
    Birth *birth = arg;

    if (birth->gate >= 0)
        close(TAKE_FD(birth->gate));
    if (waitpid(birth->pid, NULL, WNOHANG) != 0) /* it has ended; its pid may be another's */
        return 0;
    kill(birth->pid, SIGKILL);
    waitpid(birth->pid, NULL, 0);
    return 0;
}

/* The caller's descriptors may have the very numbers that the child wants to put them at. */
static int copy_fds(const QemuSpawn *spawn, int **ret) {
    int *fds = calloc(spawn->n_fds + 1, sizeof(int)), r;

    assert(spawn->n_fds <= QEMU_FDS_MAX);
    if (!fds)
        return -ENOMEM;
    for (unsigned i = 0; i < spawn->n_fds; i++) {
        fds[i] = move_up(spawn->fds[i], QEMU_FIRST_FD + (int)spawn->n_fds);
        if (fds[i] >= 0)
            continue;
        r = -errno;
        while (i-- > 0)
            close(fds[i]);
        free(fds);
        return r;
    }
    *ret = fds;
    return 0;
}

static void birth_done(Birth *birth) {
    for (unsigned i = 0; birth->child.fds && i < birth->child.spawn->n_fds; i++)
        close(birth->child.fds[i]);
    free(birth->child.fds);
    if (birth->report >= 0)
        close(birth->report);
    if (birth->gate >= 0)
        close(birth->gate);
}

static void log_argv(int fd, char *const *argv) {
    CLEANUP_FREE char *text = qemu_argv_format(argv);

    if (text)
        dprintf(fd, "%s\n", text);
}

/* A log is a file of its own: not somebody's link, and no device or pipe that would block. */
static int open_log(const char *path, int *ret, Error **reterr) {
    CLEANUP_CLOSE int fd = open(
        path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
    struct stat info;

    if (fd < 0)
        return error_system(reterr, FROM_QEMU, errno, "cannot open the log '%s'", path);
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode))
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                            "the log '%s' is no regular file; remove it", path);
    fcntl(fd, F_SETFL, O_APPEND);
    *ret = TAKE_FD(fd);
    return 0;
}

/* From the fork to the exec. */
static int give_birth(Birth *birth, QemuPid *ret, Error **reterr) {
    const QemuSpawn *spawn = birth->child.spawn;
    int r = worker_run(run_fork, birth);

    if (r >= 0 && qemu_process_identify(birth->pid, ret) < 0)
        *ret = (QemuPid){.pid = birth->pid};
    if (r >= 0 && spawn->gate) {
        r = spawn->gate(ret, spawn->userdata, reterr);
        if (r < 0) {
            worker_run(run_close_gate, birth);
            return r;
        }
    }
    if (r >= 0)
        r = worker_run(run_open_gate, birth);
    if (r >= 0)
        return 0;
    if (birth->pid > 0)
        worker_run(run_close_gate, birth);
    if (birth->step != CONFINE_STEP_MAX_)
        return error_system(reterr, FROM_QEMU, r, "cannot run the emulator '%s': %s",
                            spawn->argv[0], qemu_confine_step_text(birth->step));
    return error_system(reterr, FROM_QEMU, r, "cannot run the emulator '%s'", spawn->argv[0]);
}

int qemu_process_spawn(const QemuSpawn *spawn, QemuPid *ret, Error **reterr) {
    CLEANUP(environment_freep) char **environment = make_environment(spawn);
    CLEANUP_CLOSE int log_fd = -1;
    CLEANUP(birth_done) Birth birth = {.report = -1, .gate = -1, .step = CONFINE_STEP_MAX_};
    QemuPid pid = {0};
    int r;

    if (!environment)
        return error_no_memory(reterr);
    r = open_log(spawn->log_path, &log_fd, reterr);
    if (r < 0)
        return r;
    log_argv(log_fd, spawn->argv);
    birth.child = (Child){.spawn = spawn, .environment = environment, .log_fd = log_fd};
    r = copy_fds(spawn, &birth.child.fds);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot pass %u descriptors to the emulator",
                            spawn->n_fds);
    r = give_birth(&birth, &pid, reterr);
    if (r >= 0)
        *ret = pid;
    return r;
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

/* Our child or not: reap it if it is. Never any child but this one: waitpid(2) of 0 or less means
 * whole groups, whose statuses are somebody else's to ask for. */
static void reap(pid_t pid) {
    assert(pid > 0);
    waitpid(pid, NULL, WNOHANG);
}

int qemu_process_kill(const QemuPid *borrowed, uint64_t grace_usec) {
    const QemuPid own = *borrowed, *pid = &own; /* the caller's may be gone after a wait */
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

    assert(func);
    if (!watch || fd < 0) {
        free(watch);
        if (fd >= 0)
            close(fd);
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

/* Where what QEMU says begins: the first line is our own argv, and may be longer than what is
 * shown. */
static off_t behind_argv(int fd, off_t offset) {
    char text[4096];
    bool is_argv = false;

    for (off_t at = offset;; at += (off_t)sizeof(text)) {
        const ssize_t n = pread(fd, text, sizeof(text), at);
        const char *end = n > 0 ? memchr(text, '\n', (size_t)n) : NULL;

        if (at == offset)
            is_argv = n > 0 && text[0] == '/';
        if (!is_argv)
            return offset;
        if (end)
            return at + (end - text) + 1;
        if (n < (ssize_t)sizeof(text))
            return at + MAX_OF(n, 0);
    }
}

char *qemu_log_tail(const char *log_path, off_t offset, size_t max_bytes) {
    CLEANUP_CLOSE int fd = open(log_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    CLEANUP_FREE char *text = malloc(max_bytes + 1);
    const char *line = NULL;
    struct stat info;
    ssize_t n;

    if (fd < 0 || !text || fstat(fd, &info) < 0)
        return NULL;
    offset = behind_argv(fd, offset);
    n = pread(fd, text, max_bytes, MAX_OF(offset, info.st_size - (off_t)max_bytes));
    if (n < 0)
        return NULL;
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
        n--;
    text[n] = '\0';
    if (info.st_size - (off_t)max_bytes > offset) /* in the middle of a line */
        line = strchr(text, '\n');
    return strdup(line ? line + 1 : text);
}
