/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Streams of ttys and sockets: moved from the loop, as either side is ready. */
#include <sys/epoll.h>

#include "rpc/stream-internal.h"

#define CHUNK 32768u

/* Which of the descriptor's events are waited for. */
static void update(RpcStream *stream) {
    uint32_t events = 0;

    if (stream->closed || !stream->in_source)
        return;
    if (stream->params.in >= 0 && !stream->sent_end && stream_has_room(stream))
        events |= EPOLLIN;
    if (output_waiting(&stream->queue) > 0)
        events |= EPOLLOUT;
    sd_event_source_set_io_events(stream->in_source, events);
    /* A tty without anybody on its other end says so for ever. */
    sd_event_source_set_enabled(stream->in_source, events ? SD_EVENT_ON : SD_EVENT_OFF);
}

/* The other end of a tty that has gone is an I/O error. */
static void on_end_of_input(RpcStream *stream) {
    stream_send(stream, NULL, 0);
}

static void read_some(RpcStream *stream) {
    uint8_t bytes[CHUNK];
    ssize_t n = read(stream->params.in, bytes, sizeof(bytes));

    if (n > 0)
        stream_send(stream, bytes, (size_t)n);
    else if (n == 0 || errno == EIO)
        on_end_of_input(stream);
    else if (errno != EAGAIN && errno != EINTR)
        stream_end_system(stream, errno, "stream had I/O failure");
}

static void write_some(RpcStream *stream) {
    Output *queue = &stream->queue;
    ssize_t n;

    if (output_waiting(queue) == 0)
        return;
    n = write(stream->params.out, queue->data + queue->sent, output_waiting(queue));
    if (n > 0) {
        queue->sent += (size_t)n;
        if (queue->sent == queue->used)
            output_clear(queue);
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
        stream_end_system(stream, errno, "stream had I/O failure");
    }
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    CLEANUP(stream_unrefp) RpcStream *stream = userdata;

    stream->n_refs++; /* it may end here */
    if (revents & EPOLLOUT)
        write_some(stream);
    if (!stream->closed && stream->params.in >= 0 && !stream->sent_end &&
        (revents & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        read_some(stream);
    else if (!stream->closed && (revents & (EPOLLHUP | EPOLLERR)))
        output_clear(&stream->queue);
    update(stream);
    return 0;
}

int stream_poll_start(RpcStream *stream) {
    const int fd = stream->params.in >= 0 ? stream->params.in : stream->params.out;
    int r = sd_event_add_io(fiber_event(), &stream->in_source, fd, 0, on_io, stream);

    if (r >= 0)
        stream_poll_look(stream);
    return r;
}

void stream_poll_look(RpcStream *stream) {
    if (!stream->started || stream->closed)
        return;
    write_some(stream);
    update(stream);
}
