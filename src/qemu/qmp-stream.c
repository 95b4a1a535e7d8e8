/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes from a QEMU cut into JSON objects. */
#include "qemu/qmp-stream.h"

static void drop_tokener(QmpStream *stream) {
    if (stream->tokener)
        json_tokener_free(TAKE_PTR(stream->tokener));
}

void qmp_stream_done(QmpStream *stream) {
    drop_tokener(stream);
    *stream = (QmpStream){0};
}

static int broken(QmpStream *stream, int error, const char *reason) {
    stream->reason = reason;
    return error;
}

static void keep_head(QmpStream *stream, const char *data, size_t len) {
    size_t used = MIN_OF(stream->bytes, (size_t)QMP_STREAM_HEAD);

    len = MIN_OF(len, QMP_STREAM_HEAD - used);
    memcpy(stream->head + used, data, len);
    stream->head[used + len] = '\0';
}

/* The number of bytes that belong to what is thrown away. */
static size_t skip(QmpStream *stream, const char *data, size_t len) {
    const char *end = memchr(data, '\n', len);

    if (!end)
        return len;
    stream->skipping = false;
    stream->bytes = 0;
    return (size_t)(end - data) + 1;
}

/* The number of bytes that were taken, with *ret the object when they end one; or why not. */
static ssize_t parse(QmpStream *stream, const char *data, size_t len, json_object **ret) {
    json_object *message;
    enum json_tokener_error state;

    if (!stream->tokener)
        stream->tokener = json_tokener_new_ex(QMP_DEPTH_MAX);
    if (!stream->tokener || json_tokener_reserve(stream->tokener, (int)len) < 0)
        return -ENOMEM;
    keep_head(stream, data, len);
    message = json_tokener_parse_ex(stream->tokener, data, (int)len);
    state = json_tokener_get_error(stream->tokener);
    if (state == json_tokener_continue) {
        stream->bytes += len;
        stream->skipping = stream->bytes > QMP_MESSAGE_MAX;
        return (ssize_t)len;
    }
    if (state != json_tokener_success || !json_object_is_type(message, json_type_object)) {
        json_object_put(message);
        return broken(stream, -EBADMSG,
                      state == json_tokener_error_depth ? "a message that is nested too deep"
                      : state != json_tokener_success   ? "what is not JSON"
                                                        : "what is not a JSON object");
    }
    stream->bytes = 0;
    *ret = message;
    return (ssize_t)json_tokener_get_parse_end(stream->tokener);
}

static int feed_text(QmpStream *stream, const char *data, size_t len, const QmpStreamOps *ops,
                     void *userdata, bool *ret_go_on) {
    while (len > 0 && *ret_go_on) {
        bool was_skipping = stream->skipping;
        json_object *message = NULL;
        ssize_t used = 1;

        if (stream->skipping)
            used = (ssize_t)skip(stream, data, len);
        else if (stream->bytes > 0 || !memchr(" \r\n\t", *data, 4))
            used = parse(stream, data, len, &message);
        if (used < 0)
            return (int)used;
        if (stream->skipping && !was_skipping) {
            drop_tokener(stream);
            *ret_go_on = ops->oversized(stream->head, userdata);
        }
        if (message) {
            json_tokener_reset(stream->tokener);
            *ret_go_on = ops->message(message, userdata);
            json_object_put(message);
        }
        data += used;
        len -= (size_t)used;
    }
    return 0;
}

int qmp_stream_feed(QmpStream *stream, const char *data, size_t len, const QmpStreamOps *ops,
                    void *userdata) {
    const char *nul = memchr(data, '\0', len);
    bool go_on = true;
    int r;

    r = feed_text(stream, data, nul ? (size_t)(nul - data) : len, ops, userdata, &go_on);
    if (r >= 0 && go_on && stream->bytes == 0)
        drop_tokener(stream);
    return r >= 0 && nul && go_on ? broken(stream, -EBADMSG, "a NUL byte") : r;
}
