/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stream.h"

#include <fcntl.h>
#include <unistd.h>

#include "util/file-holes.h"

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

/* It is there when the file is written behind it, or has its length. */
static int write_hole(int fd, size_t n) {
    const off_t end = lseek(fd, (off_t)n, SEEK_CUR);

    return end < 0 || ftruncate(fd, end) < 0 ? -errno : 0;
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
        if (!bytes && n == 0)
            return 0;
        r = bytes ? stream_write(fd, bytes, n) : write_hole(fd, n);
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

/* Sends the next piece, or hole; its length, 0 at the end. */
static int64_t send_piece(RpcClientStream *stream, int fd, char *chunk, uint64_t left, bool sparse,
                          Error **reterr) {
    size_t wanted = (size_t)MIN_OF(left, (uint64_t)CHUNK);
    uint64_t hole = 0;
    ssize_t n;
    int r;

    if (sparse && file_pass_hole(fd, &hole, &wanted) >= 0 && hole) {
        hole = MIN_OF(hole, left);
        r = rpc_client_stream_send_hole(stream, hole, reterr);
        return r < 0 ? r : (int64_t)hole;
    }
    do
        n = read(fd, chunk, wanted);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return error_system(reterr, FROM_NONE, errno, "cannot read the file");
    r = n > 0 ? rpc_client_stream_send(stream, chunk, (size_t)n, reterr) : 0;
    return r < 0 ? r : n;
}

static int send_all(RpcClientStream *stream, int fd, uint64_t length, bool sparse, Error **reterr) {
    CLEANUP_FREE char *chunk = malloc(CHUNK);
    uint64_t left = length ? length : UINT64_MAX;

    if (!chunk)
        return error_no_memory(reterr);
    while (left > 0) {
        const int64_t n = send_piece(stream, fd, chunk, left, sparse, reterr);
        int r = n > 0 ? look_for_error(stream, reterr) : (int)n;

        if (r < 0 || n == 0)
            return r;
        left -= (uint64_t)n;
    }
    return 0;
}

int stream_from_file(RpcClientStream *stream, int fd, uint64_t length, bool sparse,
                     Error **reterr) {
    return end(stream, send_all(stream, fd, length, sparse, reterr), reterr);
}
