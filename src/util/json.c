/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json-c with failed allocations noticed. */
#include "util/json.h"

#include <json-c/printbuf.h>
#include <limits.h>

json_object *json_member(json_object *object, const char *key) {
    json_object *value = NULL;

    return json_object_is_type(object, json_type_object) &&
                   json_object_object_get_ex(object, key, &value)
               ? value
               : NULL;
}

const char *json_member_string(json_object *object, const char *key) {
    json_object *value = json_member(object, key);

    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

int64_t json_member_int(json_object *object, const char *key, int64_t fallback) {
    json_object *value = json_member(object, key);

    return json_object_is_type(value, json_type_int) ? json_object_get_int64(value) : fallback;
}

uint64_t json_member_uint(json_object *object, const char *key, uint64_t fallback) {
    json_object *value = json_member(object, key);

    return json_object_is_type(value, json_type_int) ? json_object_get_uint64(value) : fallback;
}

bool json_member_bool(json_object *object, const char *key, bool fallback) {
    json_object *value = json_member(object, key);

    return json_object_is_type(value, json_type_boolean) ? json_object_get_boolean(value)
                                                         : fallback;
}

size_t json_length(json_object *array) {
    return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

int json_add(json_object *to, const char *key, json_object *value) {
    assert(json_object_is_type(to, json_type_object) && key);
    if (value && json_object_object_add(to, key, value) == 0)
        return 0;
    json_object_put(value);
    return -ENOMEM;
}

int json_add_string(json_object *to, const char *key, const char *value) {
    assert(value);
    return json_add(to, key, json_object_new_string(value));
}

int json_add_int(json_object *to, const char *key, int64_t value) {
    return json_add(to, key, json_object_new_int64(value));
}

int json_add_uint(json_object *to, const char *key, uint64_t value) {
    return json_add(to, key, json_object_new_uint64(value));
}

int json_add_bool(json_object *to, const char *key, bool value) {
    return json_add(to, key, json_object_new_boolean(value));
}

int json_append(json_object *array, json_object *value) {
    assert(json_object_is_type(array, json_type_array));
    if (value && json_object_array_add(array, value) == 0)
        return 0;
    json_object_put(value);
    return -ENOMEM;
}

int json_append_string(json_object *array, const char *value) {
    assert(value);
    return json_append(array, json_object_new_string(value));
}

int json_tokener_reserve(json_tokener *tokener, int len) {
    struct printbuf *text = tokener->pb;
    const int used = text->bpos;

    if (text->size - used > len)
        return 0;
    if (printbuf_memset(text, used + len, 0, 1) < 0)
        return -ENOMEM;
    text->bpos = used;
    return 0;
}

int json_parse(const char *text, size_t len, json_object **ret) {
    json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH_MAX);
    json_object *value = NULL;
    enum json_tokener_error state;
    size_t end;

    if (!tokener)
        return -ENOMEM;
    while (len > 0 && memchr(" \t\r\n", text[len - 1], 4))
        len--;
    if (len == 0 || len > INT_MAX) {
        json_tokener_free(tokener);
        return -EBADMSG;
    }
    if (json_tokener_reserve(tokener, (int)len) < 0) {
        json_tokener_free(tokener);
        return -ENOMEM;
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    value = json_tokener_parse_ex(tokener, text, (int)len);
    state = json_tokener_get_error(tokener);
    end = json_tokener_get_parse_end(tokener);
    json_tokener_free(tokener);
    if (state == json_tokener_success && value && end == len) {
        *ret = value;
        return 0;
    }
    json_object_put(value);
    /* Who stops before the end without a complaint had no memory for what comes there. */
    return state == json_tokener_success && end < len ? -ENOMEM : -EBADMSG;
}
