/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks numad. */
#include "host/numad.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

#include "util/fiber.h"
#include "util/file.h"
#include "util/worker.h"

#define NUMAD_USEC (30 * USEC_PER_SEC)
#define ADVICE_MAX 4096

extern char **environ;

typedef struct Advice {
    char size[64]; /* "4:1024" */
    char text[ADVICE_MAX];
    Error *error;
} Advice;

static int spawn(const char *size, int out, pid_t *ret) {
    char *const argv[] = {(char *)"numad", (char *)"-w", (char *)size, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int r;

    sigemptyset(&none); /* the daemon's threads block what it takes from a signalfd */
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    r = posix_spawnp(ret, argv[0], &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}

/* Until its end, its silence for too long, or too much of it. */
static int read_all(int fd, char *text, uint64_t deadline) {
    size_t used = 0;

    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        uint64_t now = now_usec();
        ssize_t n;

        if (now >= deadline || poll(&poll_fd, 1, (int)((deadline - now) / USEC_PER_MSEC) + 1) == 0)
            return -ETIMEDOUT;
        n = read(fd, text + used, ADVICE_MAX - 1 - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || (used += (size_t)n) == ADVICE_MAX - 1) {
            text[used] = '\0';
            return n < 0 ? -errno : 0;
        }
    }
}

static int run_numad(void *arg) {
    Advice *advice = arg;
    int pipe_fds[2], status = 0, r;
    pid_t pid = 0;

    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return error_system(&advice->error, FROM_QEMU, errno, "cannot ask numad");
    r = spawn(advice->size, pipe_fds[1], &pid);
    close(pipe_fds[1]);
    if (r >= 0) {
        r = read_all(pipe_fds[0], advice->text, deadline_in(NUMAD_USEC));
        if (r < 0)
            kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    }
    close(pipe_fds[0]);
    if (r == -ENOENT)
        return error_report(
            &advice->error, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
            "placement='auto' needs numad, which is not installed; install it, or name CPUs with "
            "placement='static'");
    if (r < 0)
        return error_system(&advice->error, FROM_QEMU, r, "cannot ask numad for its advice");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        return error_report(&advice->error, FROM_QEMU, ERROR_OPERATION_FAILED, "numad -w %s failed",
                            advice->size);
    return 0;
}

int numad_advise(unsigned vcpus, uint64_t memory_mib, Bitmap **ret, Error **reterr) {
    CLEANUP_BITMAP Bitmap *nodes = NULL;
    Advice advice = {0};
    int r;

    snprintf(advice.size, sizeof(advice.size), "%u:%llu", vcpus, (unsigned long long)memory_mib);
    r = worker_run(run_numad, &advice);
    if (r < 0)
        return error_propagate(reterr, advice.error);
    if (bitmap_parse(advice.text, BITMAP_MAX_BITS, &nodes) < 0 || bitmap_is_empty(nodes))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "numad -w %s said '%.80s', which is no list of nodes", advice.size,
                            advice.text);
    *ret = TAKE_PTR(nodes);
    return 0;
}

int numad_cpus_of(const Bitmap *nodes, Bitmap **ret, Error **reterr) {
    CLEANUP_BITMAP Bitmap *all = bitmap_new();

    if (!all)
        return error_no_memory(reterr);
    for (int node = bitmap_next(nodes, 0); node >= 0;
         node = bitmap_next(nodes, (unsigned)node + 1)) {
        CLEANUP_FREE char *path = strf("/sys/devices/system/node/node%d/cpulist", node),
                          *text = NULL;
        CLEANUP_BITMAP Bitmap *cpus = NULL;

        if (!path)
            return error_no_memory(reterr);
        if (file_read(path, 65536, &text, NULL) < 0 ||
            bitmap_parse(text, BITMAP_MAX_BITS, &cpus) < 0)
            continue; /* a node that is none has no CPUs */
        if (bitmap_union(all, cpus) < 0)
            return error_no_memory(reterr);
    }
    if (bitmap_is_empty(all)) {
        CLEANUP_FREE char *text = bitmap_format(nodes);

        return error_report(reterr, FROM_QEMU, ERROR_CONFIG_UNSUPPORTED,
                            "the host's nodes '%s' have no CPUs", text ? text : "?");
    }
    *ret = TAKE_PTR(all);
    return 0;
}
