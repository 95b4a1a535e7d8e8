/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Typed parameters of the wire. */
#include "params.h"

#include <stdarg.h>
#include <stdio.h>

static remote_typed_param *add(Params *params, int type, const char *name) {
    remote_typed_param *param;

    if (params->n == params->size) {
        size_t size = params->size ? params->size * 2 : 32;
        void *grown = reallocarray(params->list, size, sizeof(remote_typed_param));

        params->failed |= !grown;
        if (!grown)
            return NULL;
        params->list = grown;
        params->size = size;
    }
    param = &params->list[params->n];
    *param = (remote_typed_param){.field = strdup(name)};
    if (!param->field) {
        params->failed = true;
        return NULL;
    }
    param->value.type = type;
    params->n++;
    return param;
}

void params_add_int(Params *params, const char *name, int value) {
    remote_typed_param *param = add(params, PARAM_INT, name);

    if (param)
        param->value.remote_param_value_u.i = value;
}

void params_add_uint(Params *params, const char *name, unsigned value) {
    remote_typed_param *param = add(params, PARAM_UINT, name);

    if (param)
        param->value.remote_param_value_u.ui = value;
}

void params_add_ullong(Params *params, const char *name, uint64_t value) {
    remote_typed_param *param = add(params, PARAM_ULLONG, name);

    if (param)
        param->value.remote_param_value_u.ul = value;
}

void params_add_llong(Params *params, const char *name, int64_t value) {
    remote_typed_param *param = add(params, PARAM_LLONG, name);

    if (param)
        param->value.remote_param_value_u.l = value;
}

void params_add_bool(Params *params, const char *name, bool value) {
    remote_typed_param *param = add(params, PARAM_BOOLEAN, name);

    if (param)
        param->value.remote_param_value_u.b = value;
}

void params_add_double(Params *params, const char *name, double value) {
    remote_typed_param *param = add(params, PARAM_DOUBLE, name);

    if (param)
        param->value.remote_param_value_u.d = value;
}

void params_add_string(Params *params, const char *name, const char *value) {
    char *copy = strdup(value);
    remote_typed_param *param = copy ? add(params, PARAM_STRING, name) : NULL;

    if (param) {
        param->value.remote_param_value_u.s = copy;
        return;
    }
    free(copy);
    params->failed = true;
}

const char *params_name(Params *params, const char *format, ...) {
    va_list args;

    va_start(args, format);
    vsnprintf(params->name, sizeof(params->name), format, args);
    va_end(args);
    return params->name;
}

int params_hand_over(Params *params, remote_typed_param **ret, u_int *ret_n, Error **reterr) {
    if (params->failed) {
        params_done(params);
        return error_no_memory(reterr);
    }
    *ret = TAKE_PTR(params->list);
    *ret_n = (u_int)params->n;
    params->n = params->size = 0;
    return 0;
}

void params_done(Params *params) {
    for (size_t i = 0; i < params->n; i++)
        xdr_free((xdrproc_t)xdr_remote_typed_param, (char *)&params->list[i]);
    free(params->list);
    *params = (Params){0};
}

static const char *type_name(int type) {
    static const char *const names[] = {"unknown", "int",    "uint",    "llong",
                                        "ullong",  "double", "boolean", "string"};

    return type >= 0 && type < (int)ARRAY_SIZE(names) ? names[type] : names[0];
}

int params_check(const remote_typed_param *list, size_t n, const ParamRule *rules, size_t n_rules,
                 const remote_typed_param **ret_at, Error **reterr) {
    for (size_t k = 0; k < n_rules; k++)
        ret_at[k] = NULL;
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;

        while (k < n_rules && !streq(rules[k].name, list[i].field))
            k++;
        if (k == n_rules)
            return error_report(reterr, FROM_QEMU, ERROR_ARGUMENT_UNSUPPORTED,
                                "parameter '%.80s' not supported", list[i].field);
        if (ret_at[k])
            return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                                "parameter '%s' occurs multiple times", rules[k].name);
        if (list[i].value.type != rules[k].type)
            return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                                "invalid type '%s' for parameter '%s', expected '%s'",
                                type_name(list[i].value.type), rules[k].name,
                                type_name(rules[k].type));
        ret_at[k] = &list[i];
    }
    return 0;
}
