/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json-c with failed allocations noticed: a NULL that json-c's constructors return is -ENOMEM here,
 * never a "null" in the text. Reading takes what another program sent: a missing member and one of
 * the wrong type look the same. */
#pragma once

#include <json-c/json.h>

#include "util/macro.h"

#define JSON_DEPTH_MAX 64 /* levels of what comes from outside */

/* A member, borrowed; NULL when `object` is NULL or no object, or has no such member. */
json_object *json_member(json_object *object, const char *key);
/* Borrowed; NULL when it is no string. */
const char *json_member_string(json_object *object, const char *key);
/* `fallback` when it is no integer. */
int64_t json_member_int(json_object *object, const char *key, int64_t fallback);
uint64_t json_member_uint(json_object *object, const char *key, uint64_t fallback);
/* `fallback` when it is no boolean. */
bool json_member_bool(json_object *object, const char *key, bool fallback);
/* The elements of an array; 0 for what is none. */
size_t json_length(json_object *array);

/* Add a member; 0 or -ENOMEM. `value` is consumed in every case, and NULL is -ENOMEM, so that a
 * constructor can stand there. A member of that name is replaced. */
int json_add(json_object *to, const char *key, json_object *value);
int json_add_string(json_object *to, const char *key, const char *value);
int json_add_int(json_object *to, const char *key, int64_t value);
int json_add_uint(json_object *to, const char *key, uint64_t value);
int json_add_bool(json_object *to, const char *key, bool value);
/* The same for the end of an array. */
int json_append(json_object *array, json_object *value);
int json_append_string(json_object *array, const char *value);

/* One JSON object or array, at most JSON_DEPTH_MAX deep, in UTF-8, and nothing but white space
 * behind it; -EBADMSG or -ENOMEM. The caller puts *ret. */
int json_parse(const char *text, size_t len, json_object **ret);
/* Before the next `len` bytes are parsed: room for them if all are one string. json-c (its
 * json_tokener.c, 0.16) goes on with a part of a string that it has no memory for. -ENOMEM. */
int json_tokener_reserve(json_tokener *tokener, int len);
/* On one line, without escaped slashes; NULL when out of memory. Caller frees. */
char *json_text(json_object *value);

static inline void json_putp(json_object **value) {
    json_object_put(*value);
}
#define CLEANUP_JSON CLEANUP(json_putp)
