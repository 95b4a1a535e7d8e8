/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Typed parameters as text and JSON, and back. */
#include "param.h"

char *param_format(const remote_typed_param *param) {
    const remote_param_value *value = &param->value;

    switch (value->type) {
    case PARAM_INT:
        return text_format("%d", value->remote_param_value_u.i);
    case PARAM_UINT:
        return text_format("%u", value->remote_param_value_u.ui);
    case PARAM_LLONG:
        return text_format("%lld", (long long)value->remote_param_value_u.l);
    case PARAM_ULLONG:
        return text_format("%llu", (unsigned long long)value->remote_param_value_u.ul);
    case PARAM_DOUBLE:
        return text_format("%f", value->remote_param_value_u.d);
    case PARAM_BOOLEAN:
        return text_format("%s", value->remote_param_value_u.b ? "yes" : "no");
    case PARAM_STRING:
        return text_format("%s", value->remote_param_value_u.s);
    }
    return text_format("%s", "");
}

json_object *param_json(const remote_typed_param *param) {
    const remote_param_value *value = &param->value;

    switch (value->type) {
    case PARAM_INT:
        return json_object_new_int(value->remote_param_value_u.i);
    case PARAM_UINT:
        return json_object_new_int64(value->remote_param_value_u.ui);
    case PARAM_LLONG:
        return json_object_new_int64(value->remote_param_value_u.l);
    case PARAM_ULLONG:
        return json_object_new_uint64(value->remote_param_value_u.ul);
    case PARAM_DOUBLE:
        return json_object_new_double(value->remote_param_value_u.d);
    case PARAM_BOOLEAN:
        return json_object_new_boolean(value->remote_param_value_u.b);
    case PARAM_STRING:
        return json_object_new_string(value->remote_param_value_u.s);
    }
    return NULL;
}

void params_add_json(json_object *object, const remote_typed_param *params, size_t n) {
    for (size_t i = 0; i < n; i++)
        json_object_object_add(object, params[i].field, param_json(&params[i]));
}

/* ---- parsing ---- */

static bool parse_signed(const char *text, long long min, long long max, long long *ret) {
    char *end = NULL;

    errno = 0;
    *ret = strtoll(text, &end, 10);
    return !errno && end != text && !*end && *ret >= min && *ret <= max;
}

/* A negative number becomes a huge one, as in virsh, and the server answers with the range that it
 * allows. */
static bool parse_unsigned(const char *text, unsigned long long max, unsigned long long *ret) {
    char *end = NULL;

    errno = 0;
    *ret = strtoull(text, &end, 10);
    return !errno && end != text && !*end && *ret <= max;
}

/* What should have been there; NULL when it is. */
static const char *parse_value(int kind, const char *text, remote_param_value *ret) {
    unsigned long long natural = 0;
    long long number = 0;
    char *end = NULL;

    ret->type = kind;
    switch (kind) {
    case PARAM_INT:
        if (!parse_signed(text, INT32_MIN, INT32_MAX, &number))
            return "int";
        ret->remote_param_value_u.i = (int)number;
        return NULL;
    case PARAM_UINT:
        if (!parse_unsigned(text, UINT32_MAX, &natural))
            return "unsigned int";
        ret->remote_param_value_u.ui = (unsigned)natural;
        return NULL;
    case PARAM_LLONG:
        if (!parse_signed(text, INT64_MIN, INT64_MAX, &number))
            return "long long";
        ret->remote_param_value_u.l = number;
        return NULL;
    case PARAM_ULLONG:
        if (!parse_unsigned(text, UINT64_MAX, &natural))
            return "unsigned long long";
        ret->remote_param_value_u.ul = natural;
        return NULL;
    case PARAM_DOUBLE:
        ret->remote_param_value_u.d = strtod(text, &end);
        return end == text || *end ? "double" : NULL;
    case PARAM_BOOLEAN:
        ret->remote_param_value_u.b = streq(text, "1");
        return streq(text, "0") || streq(text, "1") ? NULL : "0 or 1";
    case PARAM_STRING:
        ret->remote_param_value_u.s = (char *)text;
        return NULL;
    }
    return "a type that this tool knows";
}

int param_parse(const char *field, int kind, const char *text, remote_typed_param *ret,
                Error **reterr) {
    const char *expected;

    *ret = (remote_typed_param){.field = (char *)field};
    expected = parse_value(kind, text, &ret->value);
    if (!expected)
        return 0;
    return error_report(reterr, FROM_NONE, ERROR_INVALID_ARG,
                        "Invalid value for field '%s': expected %s", field, expected);
}

/* ---- lists ---- */

void params_print(const Tool *tool, const remote_typed_param *params, size_t n, int width,
                  char *(*special)(const remote_typed_param *param)) {
    json_object *object = tool->json ? json_object_new_object() : NULL;

    for (size_t i = 0; i < n; i++) {
        CLEANUP_FREE char *own = special ? special(&params[i]) : NULL;
        CLEANUP_FREE char *text = own ? NULL : param_format(&params[i]);

        if (object)
            json_object_object_add(object, params[i].field,
                                   own ? json_object_new_string(own) : param_json(&params[i]));
        else
            printf("%-*s: %s\n", width, params[i].field, own ? own : text);
    }
    if (object)
        tool_print_json(object);
}

const remote_typed_param *params_find(const remote_typed_param *params, size_t n,
                                      const char *name) {
    for (size_t i = 0; i < n; i++)
        if (streq(params[i].field, name))
            return &params[i];
    return NULL;
}
