/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Spawned on a worker, since exec waits for the disk; read and waited for on the loop. */
#include "util/child.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/fiber.h"
#include "util/file.h"
#include "util/worker.h"

/* What is read of one pipe. */
typedef struct Text {
    int fd; /* -1: it has ended */
    char *data;
    size_t used, size;
} Text;

typedef struct Spawn {
    const char *const *argv;
    int out, err;
    pid_t pid;
} Spawn;

void child_result_done(ChildResult *result) {
    free(result->out);
    free(result->err);
    *result = (ChildResult){0};
}

static int run_spawn(void *arg) {
    const char *search = getenv("PATH");
    CLEANUP_FREE char *path = strf("PATH=%s", search ? search : "/usr/sbin:/usr/bin:/sbin:/bin");
    char *const environment[] = {path, (char *)"HOME=/", (char *)"LC_ALL=C", NULL};
    Spawn *spawn = arg;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int r;

    if (!path)
        return -ENOMEM;
    sigemptyset(&none); /* the daemon's threads block what it takes from a signalfd */
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, spawn->out, 1);
    posix_spawn_file_actions_adddup2(&actions, spawn->err, 2);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawn_file_actions_addchdir_np(&actions, "/");
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    r = posix_spawnp(&spawn->pid, spawn->argv[0], &actions, &attributes, (char *const *)spawn->argv,
                     environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}

static int run_wait(void *arg) {
    siginfo_t *info = arg;
    pid_t pid = info->si_pid;

    while (waitid(P_PID, (id_t)pid, info, WEXITED) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/* Takes what is there. 0, or -errno when it cannot be kept. */
static int text_read(Text *text) {
    ssize_t n;

    if (text->used + 1 >= text->size) {
        size_t size = MIN_OF(MAX_OF(text->size * 2, (size_t)4096), CHILD_OUTPUT_MAX + 1);
        char *bigger = size > text->size ? realloc(text->data, size) : NULL;

        if (!bigger)
            return size > text->size ? -ENOMEM : -EFBIG;
        text->data = bigger;
        text->size = size;
    }
    n = read(text->fd, text->data + text->used, text->size - text->used - 1);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : -errno;
    if (n == 0)
        close(TAKE_FD(text->fd));
    text->used += (size_t)n;
    text->data[text->used] = '\0';
    return 0;
}

/* Until both pipes have ended. One after the other is enough of a wait: an epoll set holds both. */
static int read_texts(Text texts[2], uint64_t deadline) {
    CLEANUP_CLOSE int set = epoll_create1(EPOLL_CLOEXEC);

    if (set < 0)
        return -errno;
    for (int i = 0; i < 2; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = i};

        if (epoll_ctl(set, EPOLL_CTL_ADD, texts[i].fd, &event) < 0)
            return -errno;
    }
    while (texts[0].fd >= 0 || texts[1].fd >= 0) {
        struct epoll_event events[2];
        int n, r = fiber_wait_fd(set, EPOLLIN, deadline);

        if (r < 0)
            return r;
        n = epoll_wait(set, events, 2, 0);
        for (int i = 0; i < n; i++) {
            r = text_read(&texts[events[i].data.fd]);
            if (r < 0)
                return r;
        }
    }
    return 0;
}

/* Its end: by itself until the deadline, then by force. */
static int wait_end(pid_t pid, uint64_t deadline, int so_far, int *ret_status) {
    CLEANUP_CLOSE int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    siginfo_t info = {.si_pid = pid};
    int r = so_far;

    if (r >= 0 && pidfd >= 0)
        r = fiber_wait_fd(pidfd, EPOLLIN, deadline);
    if (r < 0)
        kill(pid, SIGKILL);
    if (worker_run(run_wait, &info) < 0)
        return r < 0 ? r : -ECHILD;
    *ret_status = info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0) : info.si_status;
    return r;
}

int child_run(const char *const *argv, uint64_t deadline, ChildResult *ret) {
    Text texts[2] = {{.fd = -1}, {.fd = -1}};
    int out[2], err[2] = {-1, -1}, r = 0;
    Spawn spawn = {.argv = argv};

    assert(argv && argv[0] && ret);
    *ret = (ChildResult){0};
    if (pipe2(out, O_CLOEXEC) < 0)
        return -errno;
    if (pipe2(err, O_CLOEXEC) < 0)
        r = -errno;
    spawn.out = out[1];
    spawn.err = err[1];
    texts[0].fd = out[0];
    texts[1].fd = err[0];
    if (r >= 0)
        r = worker_run(run_spawn, &spawn);
    close(out[1]);
    if (err[1] >= 0)
        close(err[1]);
    if (r >= 0) {
        r = read_texts(texts, deadline);
        r = wait_end(spawn.pid, deadline, r, &ret->status);
    }
    for (int i = 0; i < 2; i++) {
        if (texts[i].fd >= 0)
            close(texts[i].fd);
        if (r < 0)
            free(texts[i].data);
    }
    if (r < 0)
        return r;
    ret->out = texts[0].data;
    ret->err = texts[1].data;
    return 0;
}

/* The last line that says something, without its end. */
static const char *last_line(char *text) {
    size_t len = text ? strlen(text) : 0;
    char *at;

    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        text[--len] = '\0';
    at = text ? strrchr(text, '\n') : NULL;
    return at ? at + 1 : text ? text : "";
}

int child_run_checked(const char *const *argv, uint64_t deadline, const char *package,
                      const char *what, char **ret_out, Error **reterr) {
    CLEANUP_CHILD_RESULT ChildResult result = {0};
    int r = child_run(argv, deadline, &result);

    if (r == -ENOENT)
        return error_report(reterr, FROM_NONE, ERROR_CONFIG_UNSUPPORTED,
                            "%s: there is no program %s; install %s", what, argv[0], package);
    if (r == -ETIMEDOUT)
        return error_report(reterr, FROM_NONE, ERROR_OPERATION_TIMEOUT,
                            "%s: %s took too long and was ended", what, argv[0]);
    if (r < 0)
        return error_system(reterr, FROM_NONE, r, "%s: cannot run %s", what, argv[0]);
    if (!WIFEXITED(result.status) || WEXITSTATUS(result.status) != 0)
        return error_report(reterr, FROM_NONE, ERROR_OPERATION_FAILED, "%s: %s", what,
                            result.err && *result.err ? last_line(result.err) : argv[0]);
    if (ret_out)
        *ret_out = TAKE_PTR(result.out);
    return 0;
}
