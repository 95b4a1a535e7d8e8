/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* JSON as text. json-c's own writer (its printbuf.c and json_object.c, 0.16) goes on when its
 * buffer cannot grow: a part is missing in the middle of what it returns. */
#include <inttypes.h>
#include <stdio.h>

#include "util/json.h"

typedef struct Text {
    char *data;
    size_t used, size;
    bool failed;
} Text;

static void put(Text *text, const char *bytes, size_t len) {
    if (!text->failed && text->size - text->used < len) {
        size_t size = MAX_OF(text->size * 2, text->used + len + 64);
        char *bigger = realloc(text->data, size);

        text->failed = !bigger;
        text->data = bigger ? bigger : text->data;
        text->size = bigger ? size : text->size;
    }
    if (text->failed)
        return;
    memcpy(text->data + text->used, bytes, len);
    text->used += len;
}

static void put_word(Text *text, const char *word) {
    put(text, word, strlen(word));
}

/* What stands for a byte inside of quotes; NULL: it does itself. */
static const char *escape_of(unsigned char byte, char buffer[8]) {
    static const char plain[] = "\b\f\n\r\t\"\\", names[] = "bfnrt\"\\";
    const char *at = byte ? strchr(plain, byte) : NULL;

    if (!at && byte >= ' ')
        return NULL;
    if (at)
        snprintf(buffer, 8, "\\%c", names[at - plain]);
    else
        snprintf(buffer, 8, "\\u%04x", byte);
    return buffer;
}

static void put_string(Text *text, const char *string, size_t len) {
    char buffer[8];
    size_t done = 0;

    put(text, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        const char *escape = escape_of((unsigned char)string[i], buffer);

        if (!escape)
            continue;
        put(text, string + done, i - done);
        put_word(text, escape);
        done = i + 1;
    }
    put(text, string + done, len - done);
    put(text, "\"", 1);
}

static void put_number(Text *text, json_object *value) {
    char buffer[32];
    int64_t number = json_object_get_int64(value);

    if (number < 0)
        snprintf(buffer, sizeof(buffer), "%" PRId64, number);
    else
        snprintf(buffer, sizeof(buffer), "%" PRIu64, json_object_get_uint64(value));
    put_word(text, buffer);
}

/* As it was read, which json-c keeps. */
static void put_double(Text *text, json_object *value) {
    const char *word = json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN);

    text->failed = text->failed || !word || !*word;
    if (!text->failed)
        put_word(text, word);
}

static void put_value(Text *text, json_object *value);

static void put_array(Text *text, json_object *array) {
    put(text, "[", 1);
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        if (i > 0)
            put(text, ",", 1);
        put_value(text, json_object_array_get_idx(array, i));
    }
    put(text, "]", 1);
}

static void put_object(Text *text, json_object *object) {
    bool first = true;

    put(text, "{", 1);
    json_object_object_foreach(object, key, value) {
        if (!first)
            put(text, ",", 1);
        first = false;
        put_string(text, key, strlen(key));
        put(text, ":", 1);
        put_value(text, value);
    }
    put(text, "}", 1);
}

static void put_value(Text *text, json_object *value) {
    switch (json_object_get_type(value)) {
    case json_type_null:
        put_word(text, "null");
        break;
    case json_type_boolean:
        put_word(text, json_object_get_boolean(value) ? "true" : "false");
        break;
    case json_type_int:
        put_number(text, value);
        break;
    case json_type_double:
        put_double(text, value);
        break;
    case json_type_string:
        put_string(text, json_object_get_string(value), (size_t)json_object_get_string_len(value));
        break;
    case json_type_array:
        put_array(text, value);
        break;
    case json_type_object:
        put_object(text, value);
        break;
    }
}

char *json_text(json_object *value) {
    Text text = {0};

    put_value(&text, value);
    put(&text, "", 1);
    if (!text.failed)
        return text.data;
    free(text.data);
    return NULL;
}
