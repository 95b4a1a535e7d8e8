/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* IO threads: added, deleted, and how they poll. */
#include "cmd-tune.h"
#include "param.h"

static int read_id(const Args *args, unsigned *ret) {
    long long id = 0;

    if (args_number(args, "id", 0, UINT32_MAX, &id) < 0)
        return tool_bad_number(args, "id");
    if (id == 0)
        return tool_fail(NULL, "Invalid IOThread id value: '%s'", args_string(args, "id"));
    *ret = (unsigned)id;
    return 0;
}

/* Both calls take the same. */
static int change_iothreads(Tool *tool, const Args *args, int procedure) {
    remote_domain_iothread_args call = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (tool_affect_flags(args, &call.flags) < 0 || tool_domain(tool, args, &dom) < 0 ||
        read_id(args, &call.iothread_id) < 0)
        return -EIO;
    call.dom = dom;
    if (tool_call(tool, procedure, (xdrproc_t)xdr_remote_domain_iothread_args, &call, NULL, NULL,
                  &error) < 0)
        return tool_fail(NULL, "%s", error_message(error));
    return 0;
}

int cmd_iothreadadd(Tool *tool, const Args *args) {
    return change_iothreads(tool, args, REMOTE_PROC_DOMAIN_ADD_IOTHREAD);
}

int cmd_iothreaddel(Tool *tool, const Args *args) {
    return change_iothreads(tool, args, REMOTE_PROC_DOMAIN_DEL_IOTHREAD);
}

/* ---- iothreadset ---- */

static const struct Setting {
    const char *option, *field;
    TypedKind kind;
    long long max;
} settings[] = {
    {"poll-max-ns", "poll_max_ns", TYPED_ULLONG, INT64_MAX},
    {"poll-grow", "poll_grow", TYPED_UINT, UINT32_MAX},
    {"poll-shrink", "poll_shrink", TYPED_UINT, UINT32_MAX},
    {"thread-pool-min", "thread_pool_min", TYPED_INT, INT32_MAX},
    {"thread-pool-max", "thread_pool_max", TYPED_INT, INT32_MAX},
};

static int read_settings(const Args *args, remote_typed_param *params, u_int *n) {
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        remote_typed_param *param = &params[*n];
        long long value = 0;
        int r = args_number(args, settings[i].option, 0, settings[i].max, &value);

        if (r < 0)
            return tool_bad_number(args, settings[i].option);
        if (r == 0)
            continue;
        *param = (remote_typed_param){.field = (char *)settings[i].field,
                                      .value = {.type = settings[i].kind}};
        if (settings[i].kind == TYPED_ULLONG)
            param->value.remote_param_value_u.ul = (uint64_t)value;
        else if (settings[i].kind == TYPED_UINT)
            param->value.remote_param_value_u.ui = (unsigned)value;
        else
            param->value.remote_param_value_u.i = (int)value;
        ++*n;
    }
    return *n ? 0 : tool_fail(NULL, "Not enough arguments passed, nothing to set");
}

int cmd_iothreadset(Tool *tool, const Args *args) {
    remote_typed_param params[ARRAY_SIZE(settings)];
    remote_domain_set_iothread_params_args call = {.params = {.params_val = params}};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (tool_affect_flags(args, &call.flags) < 0 || tool_domain(tool, args, &dom) < 0 ||
        read_id(args, &call.iothread_id) < 0 ||
        read_settings(args, params, &call.params.params_len) < 0)
        return -EIO;
    call.dom = dom;
    if (CALL_VOID(tool, DOMAIN_SET_IOTHREAD_PARAMS, remote_domain_set_iothread_params_args, &call,
                  &error) < 0)
        return tool_fail(NULL, "%s", error_message(error));
    return 0;
}
