/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes from a QEMU cut into JSON objects, one a line, parsed as they come. Knows no command and no
 * event.
 *
 * An object that is larger than QMP_MESSAGE_MAX is thrown away up to its end of line, and the
 * stream goes on. Anything else that is not an object (malformed, a NUL byte, nested deeper than
 * QMP_DEPTH_MAX, out of memory) breaks the stream: what comes behind it means nothing. */
#pragma once

#include "util/json.h"

#define QMP_MESSAGE_MAX (32u << 20)
#define QMP_DEPTH_MAX 256    /* levels: in QEMU's word of a disk its images are one in the other */
#define QMP_STREAM_HEAD 128u /* bytes kept of the beginning of a thrown away object */

typedef struct QmpStreamOps {
    /* A message, borrowed. False ends the feeding: the stream may be gone. */
    bool (*message)(json_object *message, void *userdata);
    /* One is too large; its first bytes, terminated by NUL. Called as soon as it is, which may be
     * long before its end. False as above. */
    bool (*oversized)(const char *head, void *userdata);
} QmpStreamOps;

/* Zero-initialised is one that has read nothing. */
typedef struct QmpStream {
    json_tokener *tokener; /* of what is read just now: 8 KB, too much for each that waits */
    size_t bytes;          /* of the object being read; 0 between two */
    bool skipping;
    char head[QMP_STREAM_HEAD + 1];
    const char *reason; /* why it is broken, static; NULL while it is not */
} QmpStream;

/* Frees what it holds; it is as one that has read nothing. Also forgets half an object, as a new
 * connection begins. */
void qmp_stream_done(QmpStream *stream);
/* Takes all of it; 0, -ENOMEM, or -EBADMSG with stream->reason: the stream is broken then. */
int qmp_stream_feed(QmpStream *stream, const char *data, size_t len, const QmpStreamOps *ops,
                    void *userdata);
