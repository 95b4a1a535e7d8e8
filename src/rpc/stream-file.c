/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Streams of files: a fiber moves them on the worker pool. */
#include "rpc/stream-internal.h"
#include "util/worker.h"

#define CHUNK 262144u /* of a file at once; at most FRAME_STREAM_MAX of it go into a packet */

typedef struct Work {
    int fd;
    uint8_t *bytes;
    size_t len;
} Work;

static int run_read(void *arg) {
    Work *work = arg;
    ssize_t n;

    do
        n = read(work->fd, work->bytes, work->len);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : (int)n;
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

static int run_sync(void *arg) {
    return fsync(((Work *)arg)->fd) < 0 && errno != EINVAL ? -errno : 0;
}

/* ---- to the client ---- */

/* The next piece; 0 at the end. */
static int read_piece(RpcStream *stream, uint8_t *bytes) {
    const uint64_t limit = stream->params.limit;
    size_t len = FRAME_STREAM_MAX;

    if (limit)
        len = (size_t)MIN_OF((uint64_t)len, limit - stream->n_in);
    if (len == 0)
        return 0;
    return worker_run(run_read, &(Work){stream->params.in, bytes, len});
}

static void feed(RpcStream *stream) {
    CLEANUP_FREE uint8_t *bytes = malloc(FRAME_STREAM_MAX);
    int n = bytes ? 1 : -ENOMEM;

    while (n > 0 && !stream->closed) {
        if (!stream_has_room(stream)) {
            fiber_cond_wait(&stream->news, USEC_FOREVER);
            continue;
        }
        n = read_piece(stream, bytes);
        if (n >= 0 && stream_send(stream, bytes, (size_t)n) < 0)
            return;
        stream->n_in += n > 0 ? (uint64_t)n : 0;
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

static void take(RpcStream *stream) {
    CLEANUP_FREE uint8_t *bytes = malloc(CHUNK);
    int r = bytes ? 0 : -ENOMEM;

    while (r >= 0 && !stream->closed) {
        if (output_waiting(&stream->queue) > 0) {
            r = write_queue(stream, bytes);
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
