/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which performance events of a domain are counted. */
#include "param.h"
#include "tables.h"

#define EVENTS_MAX 64 /* the protocol's limit */

/* The names of a comma list become booleans of that value; they point into `text`. */
static int add_events(char *text, bool enable, remote_typed_param *params, u_int *n) {
    char *end;

    for (char *at = text; at; at = end ? end + 1 : NULL) {
        end = strchr(at, ',');
        if (end)
            *end = '\0';
        if (!*at)
            continue;
        if (*n == EVENTS_MAX)
            return tool_fail(NULL, "more than %d perf events", EVENTS_MAX);
        params[*n] = (remote_typed_param){.field = at, .value = {.type = PARAM_BOOLEAN}};
        params[(*n)++].value.remote_param_value_u.b = enable;
    }
    return 0;
}

static void print(const Tool *tool, const remote_typed_param *params, u_int n) {
    json_object *object = tool->json ? json_object_new_object() : NULL;

    for (u_int i = 0; i < n; i++) {
        const bool on = params[i].value.type == PARAM_BOOLEAN &&
                        params[i].value.remote_param_value_u.b;

        if (object)
            json_object_object_add(object, params[i].field, json_object_new_boolean(on));
        else
            printf("%-15s: %s\n", params[i].field, on ? "enabled" : "disabled");
    }
    if (object)
        tool_print_json(object);
}

static int show(Tool *tool, const remote_domain *dom, unsigned flags) {
    remote_domain_flags_args call = {.dom = *dom, .flags = flags};
    remote_domain_get_perf_events_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (CALL(tool, DOMAIN_GET_PERF_EVENTS, remote_domain_flags_args, &call,
             remote_domain_get_perf_events_ret, &ret, &error) < 0)
        return tool_fail(error, "Unable to get perf events");
    print(tool, ret.params.params_val, ret.params.params_len);
    xdr_free((xdrproc_t)xdr_remote_domain_get_perf_events_ret, (char *)&ret);
    return 0;
}

static int cmd_perf(Tool *tool, const Args *args) {
    const char *enable = args_string(args, "enable"), *disable = args_string(args, "disable");
    remote_typed_param params[EVENTS_MAX];
    remote_domain_set_perf_events_args call = {.params = {.params_val = params}};
    CLEANUP_FREE char *on = enable ? text_format("%s", enable) : NULL;
    CLEANUP_FREE char *off = disable ? text_format("%s", disable) : NULL;
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (tool_affect_flags(args, &call.flags) < 0 || tool_domain(tool, args, &dom) < 0 ||
        add_events(on, true, params, &call.params.params_len) < 0 ||
        add_events(off, false, params, &call.params.params_len) < 0)
        return -EIO;
    if (call.params.params_len == 0)
        return show(tool, &dom, call.flags);
    call.dom = dom;
    if (CALL_VOID(tool, DOMAIN_SET_PERF_EVENTS, remote_domain_set_perf_events_args, &call, &error) <
        0)
        return tool_fail(error, "Unable to enable/disable perf events");
    print(tool, params, call.params.params_len);
    return 0;
}

/* ---- tables ---- */

static const Option perf_options[] = {
    OPTION_DOMAIN,
    {"enable", OPTION_STRING, false, "events to be counted, separated by commas", .named = true},
    {"disable", OPTION_STRING, false, "events not to be counted any more", .named = true},
    OPTION_CONFIG,
    OPTION_LIVE,
    OPTION_CURRENT,
    OPTION_END};

const Command commands_perf[] = {{.name = "perf",
                                  .help = "which performance events of a domain are counted",
                                  .options = perf_options,
                                  .json = true,
                                  .run = cmd_perf},
                                 {0}};
