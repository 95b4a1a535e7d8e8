/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is to be written to a socket that does not block. */
#include "util/output.h"

#include <sys/socket.h>

#define SPARE 4096u /* bytes beyond what is needed */

static int grow(Output *output, size_t len) {
    size_t size = MAX_OF(output->size * 2, output->used + len + SPARE);
    char *bigger = realloc(output->data, size);

    if (!bigger)
        return -ENOMEM;
    output->data = bigger;
    output->size = size;
    return 0;
}

int output_append(Output *output, const void *data, size_t len) {
    if (output->limit && output_waiting(output) + len > output->limit)
        return -ENOBUFS;
    if (output->used + len > output->size && output->sent > 0) {
        memmove(output->data, output->data + output->sent, output_waiting(output));
        output->used -= output->sent;
        output->sent = 0;
    }
    if (output->used + len > output->size && grow(output, len) < 0)
        return -ENOMEM;
    if (len > 0)
        memcpy(output->data + output->used, data, len);
    output->used += len;
    return 0;
}

ssize_t output_send(Output *output, int fd) {
    size_t len = output_waiting(output);
    ssize_t n;

    if (len == 0)
        return 0;
    do
        n = send(fd, output->data + output->sent, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    output->sent += (size_t)n;
    if (output->sent == output->used)
        output_clear(output);
    return n;
}

int output_flush(Output *output, int fd) {
    ssize_t n;

    do
        n = output_send(output, fd);
    while (n > 0);
    return n == -EAGAIN ? 1 : (int)n;
}

size_t output_waiting(const Output *output) {
    return output->used - output->sent;
}

void output_clear(Output *output) {
    output->used = output->sent = 0;
}

void output_done(Output *output) {
    free(output->data);
    *output = (Output){.limit = output->limit};
}
