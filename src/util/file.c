/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading with a limit, atomic writing. */
#include "util/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "util/worker.h"

#define TEMPORARY ".tmp-" /* and six letters or digits of mkostemp */
#define RANDOM 6
#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define SWEEP_DEPTH 4 /* directories below one another */

char *strf(const char *format, ...) {
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    return text;
}

void file_forget(const char *format, ...) {
    char path[PATH_MAX];
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(path, sizeof(path), format, args);
    va_end(args);
    if (n > 0 && n < (int)sizeof(path))
        unlink(path);
}

char *path_join(const char *dir, const char *name) {
    return strf("%s/%s", dir, name);
}

int file_read_fd(int fd, size_t limit, char **ret, size_t *ret_len) {
    CLEANUP_FREE char *buffer = NULL;
    size_t used = 0, size = 4096;

    for (;;) {
        char *bigger = realloc(buffer, size + 1);
        ssize_t n;

        if (!bigger)
            return -ENOMEM;
        buffer = bigger;
        n = read(fd, buffer + used, size - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        used += n;
        if (used > limit)
            return -EFBIG;
        if (used == size)
            size *= 2;
    }
    buffer[used] = '\0';
    if (ret_len)
        *ret_len = used;
    *ret = TAKE_PTR(buffer);
    return 0;
}

int file_read(const char *path, size_t limit, char **ret, size_t *ret_len) {
    /* A pipe that nobody writes has nothing, and is not waited for. */
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

    return fd < 0 ? -errno : file_read_fd(fd, limit, ret, ret_len);
}

ssize_t file_read_once(const char *path, char *buffer, size_t size) {
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t n;

    assert(size > 0);
    if (fd < 0)
        return -errno;
    do
        n = read(fd, buffer, size - 1);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    buffer[n] = '\0';
    return n;
}

static int write_all(int fd, const char *data, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        len -= n;
    }
    return 0;
}

static int sync_parent(const char *path) {
    CLEANUP_FREE char *dir = strdup(path);
    CLEANUP_CLOSE int fd = -1;
    char *slash;

    if (!dir)
        return -ENOMEM;
    slash = strrchr(dir, '/');
    if (slash)
        *(slash == dir ? slash + 1 : slash) = '\0';
    fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int file_write_atomic(const char *path, const char *data, size_t len, mode_t mode) {
    CLEANUP_FREE char *temporary = strf("%s" TEMPORARY "XXXXXX", path);
    CLEANUP_CLOSE int fd = -1;
    int r;

    if (!temporary)
        return -ENOMEM;
    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    r = write_all(fd, data, len);
    if (r >= 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
        r = -errno;
    if (r >= 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r < 0) {
        unlink(temporary);
        return r;
    }
    return sync_parent(path);
}

typedef struct WriteJob {
    const char *path, *data;
    size_t len, size; /* the latter of the file, to append */
    mode_t mode;
} WriteJob;

static int run_write(void *arg) {
    const WriteJob *job = arg;

    return file_write_atomic(job->path, job->data, job->len, job->mode);
}

int file_write_atomic_worker(const char *path, const char *data, size_t len, mode_t mode) {
    WriteJob job = {.path = path, .data = data, .len = len, .mode = mode};

    return worker_run(run_write, &job);
}

static int run_try(void *arg) {
    const WriteJob *job = arg;
    CLEANUP_FREE char *temporary = strf("%s" TEMPORARY "XXXXXX", job->path);
    CLEANUP_CLOSE int fd = temporary ? mkostemp(temporary, O_CLOEXEC) : -1;
    int r;

    if (!temporary)
        return -ENOMEM;
    if (fd < 0)
        return -errno;
    r = write_all(fd, job->data, job->len);
    unlink(temporary);
    return r;
}

int file_try_write_worker(const char *path, const char *data, size_t len) {
    WriteJob job = {.path = path, .data = data, .len = len};

    return worker_run(run_try, &job);
}

/* ---- what a killed daemon left ---- */

static bool is_temporary(const char *name) {
    const size_t n = strlen(name), tail = strlen(TEMPORARY) + RANDOM;

    return n > tail && strncmp(name + n - tail, TEMPORARY, strlen(TEMPORARY)) == 0 &&
           strspn(name + n - RANDOM, LETTERS_AND_DIGITS) == RANDOM;
}

static int sweep(int at, const char *path, unsigned depth);

static void sweep_entry(int directory, const char *name, unsigned depth) {
    struct stat info;

    if (streq(name, ".") || streq(name, "..") ||
        fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
        return;
    if (S_ISDIR(info.st_mode) && depth > 0)
        sweep(directory, name, depth - 1);
    else if (S_ISREG(info.st_mode) && is_temporary(name) && info.st_nlink == 1 &&
             info.st_uid == geteuid())
        unlinkat(directory, name, 0);
}

static int sweep(int at, const char *path, unsigned depth) {
    const int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    int r = entries ? 0 : -errno;
    struct dirent *entry;

    if (!entries && fd >= 0)
        close(fd);
    while (entries && (errno = 0, entry = readdir(entries)))
        sweep_entry(fd, entry->d_name, depth);
    if (entries) {
        r = -errno;
        closedir(entries);
    }
    return r;
}

int file_sweep_temporaries(const char *directory) {
    const int r = sweep(AT_FDCWD, directory, SWEEP_DEPTH);

    return r == -ENOENT ? 0 : r;
}

/* ---- append ---- */

static int append(const char *path, size_t size, const char *data, size_t len) {
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat info;
    int r;

    if (fd < 0)
        return errno == ENOENT || errno == ELOOP || errno == ENXIO ? -ESTALE : -errno;
    if (fstat(fd, &info) < 0)
        return -errno;
    if (!S_ISREG(info.st_mode) || info.st_size != (off_t)size)
        return -ESTALE;
    r = write_all(fd, data, len);
    if (r >= 0 && fdatasync(fd) < 0)
        r = -errno;
    if (r < 0 && ftruncate(fd, (off_t)size) < 0)
        return r; /* its size says so the next time */
    return r;
}

static int run_append(void *arg) {
    const WriteJob *job = arg;

    return append(job->path, job->size, job->data, job->len);
}

int file_append_worker(const char *path, size_t size, const char *data, size_t len) {
    WriteJob job = {.path = path, .data = data, .len = len, .size = size};

    return worker_run(run_append, &job);
}

int dir_make(const char *path, mode_t mode) {
    CLEANUP_FREE char *part = strdup(path);
    struct stat info;

    if (!part)
        return -ENOMEM;
    for (char *at = part + 1;; at++) {
        char saved = *at;

        if (saved != '/' && saved != '\0')
            continue;
        *at = '\0';
        if (mkdir(part, mode) < 0 && errno != EEXIST)
            return -errno;
        *at = saved;
        if (saved == '\0')
            break;
    }
    if (stat(path, &info) < 0)
        return -errno;
    return S_ISDIR(info.st_mode) ? 0 : -ENOTDIR;
}
