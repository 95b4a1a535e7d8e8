/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files: read with a limit, write so that a crash leaves the old text or the new, never half. */
#pragma once

#include <sys/types.h>

#include "util/macro.h"

/* Reads a whole file of at most `limit` bytes; the result is NUL-terminated, *ret_len (may be NULL)
 * excludes the NUL. -EFBIG beyond the limit, else -errno. Works for /proc and cgroup files. */
int file_read(const char *path, size_t limit, char **ret, size_t *ret_len);
/* The same of an open one, from where it is; the descriptor stays the caller's. */
int file_read_fd(int fd, size_t limit, char **ret, size_t *ret_len);
/* What one read gives, NUL-terminated: at most size - 1 bytes. For files of /proc, which give all
 * at once. Takes no memory. Returns the length, or -errno. */
ssize_t file_read_once(const char *path, char *buffer, size_t size);

/* Writes to path.tmp-XXXXXX in the same directory, fsyncs, renames over path, fsyncs the directory.
 * Blocks the kernel: on a fiber, call it through file_write_atomic_worker. -errno. */
int file_write_atomic(const char *path, const char *data, size_t len, mode_t mode);

/* Removes what a daemon that was killed left of that: regular files of our own user with the name
 * of such a file, in that directory and those below it. A link is not followed, and a file of two
 * names stays. A directory that is not there has none. Blocks. -errno of the directory itself. */
int file_sweep_temporaries(const char *directory);

/* file_write_atomic on the worker pool; the fiber waits. */
int file_write_atomic_worker(const char *path, const char *data, size_t len, mode_t mode);
/* Whether that could be written: does it but for the fsyncs, beside `path`, and removes it. -errno.
 * On the worker pool; the fiber waits. */
int file_try_write_worker(const char *path, const char *data, size_t len);

/* Appends to a file of `size` bytes and fdatasyncs; after an error it has `size` bytes as before,
 * as far as that can be. -ESTALE, and nothing done: it is not a regular file of that size. On the
 * worker pool. */
int file_append_worker(const char *path, size_t size, const char *data, size_t len);

/* mkdir -p. */
int dir_make(const char *path, mode_t mode);

/* "a/b" from parts; NULL when out of memory. */
char *path_join(const char *dir, const char *name);

/* asprintf that returns NULL on failure. */
char *strf(const char *format, ...) PRINTF_LIKE(1, 2);
/* Removes the file of this name, where there is one, without taking memory. A name of PATH_MAX
 * bytes or more is no file's. */
void file_forget(const char *format, ...) PRINTF_LIKE(1, 2);
