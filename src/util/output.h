/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is to be written to a socket that does not block: appended now, sent as the socket takes
 * it. */
#pragma once

#include <sys/types.h>

#include "util/macro.h"

/* Zero-initialised is empty; `limit` is set by the owner. */
typedef struct Output {
    char *data;
    size_t used, sent, size; /* [sent, used) is to be sent */
    size_t limit;            /* bytes that may wait; 0: as many as there is memory */
} Output;

/* All of it or nothing: -ENOMEM, -ENOBUFS beyond the limit. */
int output_append(Output *output, const void *data, size_t len);
/* One send(2): the bytes that went, 0 when nothing waits, -EAGAIN when the socket takes none now,
 * else -errno. */
ssize_t output_send(Output *output, int fd);
/* Sends what the socket takes: 0 when all of it went, 1 when some waits, -errno. */
int output_flush(Output *output, int fd);
size_t output_waiting(const Output *output);
/* Forgets what waits; keeps the memory. */
void output_clear(Output *output);
void output_done(Output *output);
