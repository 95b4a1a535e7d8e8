/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream.h"

#include <fcntl.h>

#define CHUNK ((size_t)256 * 1024)

int stream_write(int fd, const void *bytes, size_t n) {
    const char *at = bytes;

    while (n > 0) {
        const ssize_t written = write(fd, at, n);

        if (written < 0 && errno != EINTR)
            return -errno;
        at += MAX_OF(written, (ssize_t)0);
        n -= (size_t)MAX_OF(written, (ssize_t)0);
    }
    return 0;
}

static int receive_all(RpcClientStream *stream, int fd, Error **reterr) {
    for (;;) {
        CLEANUP_FREE uint8_t *bytes = NULL;
        size_t n = 0;
        int r = rpc_client_stream_receive(stream, -1, &bytes, &n, reterr);

        if (r == -EINTR)
            continue;
        if (r < 0)
            return r;
        if (!bytes)
            return 0;
        r = stream_write(fd, bytes, n);
        if (r < 0)
            return error_system(reterr, FROM_NONE, r, "cannot write the file");
    }
}

static int end(RpcClientStream *stream, int r, Error **reterr) {
    if (r >= 0)
        return rpc_client_stream_finish(stream, reterr);
    rpc_client_stream_abort(stream);
    return r;
}

int stream_to_path(RpcClientStream *stream, const char *path, Error **reterr) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666), r;
    const bool made = fd >= 0;

    if (fd < 0 && errno == EEXIST)
        fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (fd < 0)
        return end(stream, error_system(reterr, FROM_NONE, errno, "cannot create file %s", path),
                   reterr);
    r = end(stream, receive_all(stream, fd, reterr), reterr);
    if (close(fd) < 0 && r >= 0) /* where a disk that is full is told of, over NFS */
        r = error_system(reterr, FROM_NONE, errno, "cannot write file %s", path);
    if (r < 0 && made)
        unlink(path);
    return r;
}

/* A server that takes no more says so at once. */
static int look_for_error(RpcClientStream *stream, Error **reterr) {
    CLEANUP_FREE uint8_t *bytes = NULL;
    size_t n;
    int r = rpc_client_stream_receive(stream, 0, &bytes, &n, reterr);

    return r == -EINTR ? 0 : r;
}

static int send_all(RpcClientStream *stream, int fd, uint64_t length, Error **reterr) {
    const bool limited = length > 0;
    CLEANUP_FREE char *chunk = malloc(CHUNK);

    if (!chunk)
        return error_no_memory(reterr);
    while (!limited || length > 0) {
        const size_t wanted = limited ? (size_t)MIN_OF(length, (uint64_t)CHUNK) : CHUNK;
        const ssize_t n = read(fd, chunk, wanted);
        int r;

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_system(reterr, FROM_NONE, errno, "cannot read the file");
        if (n == 0)
            return 0;
        r = rpc_client_stream_send(stream, chunk, (size_t)n, reterr);
        if (r >= 0)
            r = look_for_error(stream, reterr);
        if (r < 0)
            return r;
        length -= limited ? (uint64_t)n : 0;
    }
    return 0;
}

int stream_from_file(RpcClientStream *stream, int fd, uint64_t length, Error **reterr) {
    return end(stream, send_all(stream, fd, length, reterr), reterr);
}
