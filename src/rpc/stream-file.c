/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Streams of files: a fiber moves them on the worker pool. */
#include <fcntl.h>
#include <unistd.h>

#include "rpc/stream-internal.h"
#include "util/file-holes.h"
#include "util/worker.h"

#define ZEROS_STEP (1u << 20)
#define CHUNK 262144u /* of a file at once; at most FRAME_STREAM_MAX of it go into a packet */

typedef struct Work {
    int fd;
    uint8_t *bytes;
    size_t len;
    uint64_t hole; /* bytes */
} Work;

static int run_read(void *arg) {
    Work *work = arg;
    ssize_t n;

    do
        n = read(work->fd, work->bytes, work->len);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : (int)n;
}

/* The same of a sparse file: up to the next hole, or that hole, which `hole` then is. */
static int run_read_sparse(void *arg) {
    Work *work = arg;
    int r = file_pass_hole(work->fd, &work->hole, &work->len);

    return r < 0 || work->hole ? r : run_read(work);
}

static int run_write(void *arg) {
    Work *work = arg;
    size_t done = 0;

    while (done < work->len) {
        ssize_t n = write(work->fd, work->bytes + done, work->len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        done += (size_t)n;
    }
    return 0;
}

/* Zeros over a step of the data that comes next, where no hole can be made. *at moves on; `end` is
 * not beyond the file's. */
static int write_zeros(int fd, off_t *at, off_t end) {
    static uint8_t zeros[65536];
    uint64_t data, stop;
    int r;

    file_next_data(fd, (uint64_t)*at, (uint64_t)end, &data, &stop);
    stop = MIN_OF(stop, data + ZEROS_STEP);
    if (lseek(fd, (off_t)data, SEEK_SET) < 0)
        return -errno;
    for (*at = (off_t)data, r = 0; r >= 0 && *at < (off_t)stop;) {
        Work work = {fd, zeros, (size_t)MIN_OF(stop - (uint64_t)*at, (uint64_t)sizeof(zeros)), 0};

        r = run_write(&work);
        *at += r < 0 ? 0 : (off_t)work.len;
    }
    return r;
}

/* What is there becomes a hole, all at once or a step of it; a file that ends before it grows.
 * work->hole is what is left of it then. */
static int run_hole(void *arg) {
    Work *work = arg;
    const off_t at = lseek(work->fd, 0, SEEK_CUR), size = lseek(work->fd, 0, SEEK_END);
    off_t end, next;
    int r;

    if (at < 0 || size < 0 || work->hole > (uint64_t)(INT64_MAX - at))
        return at < 0 || size < 0 ? -errno : -EFBIG;
    next = end = at + (off_t)work->hole;
    if (at < size && fallocate(work->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at,
                               (off_t)work->hole) < 0) {
        if (errno != EOPNOTSUPP)
            return -errno;
        next = at;
        r = write_zeros(work->fd, &next, MIN_OF(end, size));
        if (r < 0)
            return r;
        if (next >= size)
            next = end; /* the rest is beyond it */
    }
    if (next > size && ftruncate(work->fd, next) < 0)
        return -errno;
    work->hole = (uint64_t)(end - next);
    return lseek(work->fd, next, SEEK_SET) < 0 ? -errno : 0;
}

static int run_sync(void *arg) {
    return fsync(((Work *)arg)->fd) < 0 && errno != EINVAL ? -errno : 0;
}

/* ---- to the client ---- */

/* The next piece, or hole; 0 and none at the end. */
static int read_piece(RpcStream *stream, uint8_t *bytes, uint64_t *ret_hole) {
    const uint64_t limit = stream->params.limit, left = limit ? limit - stream->n_in : UINT64_MAX;
    Work work = {.fd = stream->params.in,
                 .bytes = bytes,
                 .len = (size_t)MIN_OF((uint64_t)FRAME_STREAM_MAX, left)};
    int r = left > 0 ? worker_run(stream->params.sparse ? run_read_sparse : run_read, &work) : 0;

    *ret_hole = MIN_OF(work.hole, left);
    return r;
}

static void feed(RpcStream *stream) {
    CLEANUP_FREE uint8_t *bytes = malloc(FRAME_STREAM_MAX);
    int n = bytes ? 1 : -ENOMEM;
    uint64_t hole = 0;

    while ((n > 0 || hole > 0) && !stream->closed) {
        if (!stream_has_room(stream)) {
            fiber_cond_wait(&stream->news, USEC_FOREVER);
            continue;
        }
        n = read_piece(stream, bytes, &hole);
        if (n >= 0 &&
            (hole ? stream_send_hole(stream, hole) : stream_send(stream, bytes, (size_t)n)) < 0)
            return;
        stream->n_in += n > 0 ? (uint64_t)n : hole;
    }
    if (n < 0)
        stream_end_system(stream, n, "stream had I/O failure");
}

/* ---- from the client ---- */

static int write_queue(RpcStream *stream, uint8_t *bytes) {
    Output *queue = &stream->queue;
    const size_t len = MIN_OF(output_waiting(queue), (size_t)CHUNK);

    if (stream->params.limit && stream->n_out + len > stream->params.limit)
        return -ENOSPC;
    memcpy(bytes, queue->data + queue->sent, len);
    queue->sent += len;
    if (queue->sent == queue->used)
        output_clear(queue);
    stream->n_out += len;
    return worker_run(run_write, &(Work){stream->params.out, bytes, len});
}

static int write_hole(RpcStream *stream) {
    const uint64_t n = stream->hole, limit = stream->params.limit;
    Work work = {.fd = stream->params.out};
    int r = 0;

    stream->hole = 0;
    if (limit && (stream->n_out > limit || n > limit - stream->n_out))
        return -ENOSPC;
    stream->n_out += n;
    work.hole = n;
    while (r >= 0 && work.hole > 0 && !stream->closed)
        r = worker_run(run_hole, &work);
    return r;
}

static void take(RpcStream *stream) {
    CLEANUP_FREE uint8_t *bytes = malloc(CHUNK);
    int r = bytes ? 0 : -ENOMEM;

    while (r >= 0 && !stream->closed) {
        if (output_waiting(&stream->queue) > 0 || stream->hole) {
            r = output_waiting(&stream->queue) > 0 ? write_queue(stream, bytes)
                                                   : write_hole(stream);
            if (!stream->closed) /* whoever waits for room in the queue */
                stream->session->ops->released(stream->session, stream->session->ops_userdata);
        } else if (stream->finishing) {
            r = worker_run(run_sync, &(Work){.fd = stream->params.out});
            if (r >= 0) {
                stream_end(stream, NULL);
                return;
            }
        } else {
            fiber_cond_wait(&stream->news, USEC_FOREVER);
        }
    }
    if (r < 0 && !stream->closed) {
        RpcSession *session = stream->session;

        stream_end_system(stream, r,
                          r == -ENOSPC ? "the stream has more bytes than there is room for"
                                       : "stream had I/O failure");
        session->ops->released(session, session->ops_userdata); /* what waited is dropped */
    }
}

static void run(void *userdata) {
    CLEANUP(stream_unrefp) RpcStream *stream = userdata;

    if (stream->params.out >= 0)
        take(stream);
    else
        feed(stream);
}

int stream_file_start(RpcStream *stream) {
    int r;

    stream->n_refs++;
    r = fiber_start("stream", run, stream);
    if (r < 0)
        stream->n_refs--;
    return r;
}

void stream_file_look(RpcStream *stream) {
    fiber_cond_broadcast(&stream->news);
}
