/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/text.h"

#include "util/macro.h"

typedef struct Text {
    char **ret;
    char *data;
    size_t used, size; /* there is room for a NUL behind `used` */
    bool failed;
} Text;

/* fopencookie(3): 0 is an error. */
static ssize_t on_write(void *cookie, const char *bytes, size_t len) {
    Text *text = cookie;

    if (text->size - text->used <= len) {
        size_t size = MAX_OF(text->size * 2, text->used + len + 1);
        char *bigger = text->failed ? NULL : realloc(text->data, size);

        if (!bigger) {
            text->failed = true;
            return 0;
        }
        text->data = bigger;
        text->size = size;
    }
    memcpy(text->data + text->used, bytes, len);
    text->used += len;
    return (ssize_t)len;
}

static int on_close(void *cookie) {
    Text *text = cookie;
    const bool failed = text->failed;

    if (failed) {
        free(text->data);
    } else {
        text->data[text->used] = '\0';
        *text->ret = text->data;
    }
    free(text);
    return failed ? -1 : 0;
}

FILE *text_open(char **ret) {
    static const cookie_io_functions_t functions = {.write = on_write, .close = on_close};
    CLEANUP_FREE Text *text = calloc(1, sizeof(Text));
    FILE *out;

    *ret = NULL;
    if (!text)
        return NULL;
    *text = (Text){.ret = ret, .data = malloc(256), .size = 256};
    out = text->data ? fopencookie(text, "w", functions) : NULL;
    if (!out)
        free(text->data);
    else
        text = NULL; /* the stream's */
    return out;
}
