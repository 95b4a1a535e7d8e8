/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Scheduler and NUMA parameters: shown and set. */
#include "param.h"
#include "tables.h"

#define AFFECT_LIVE_AND_CONFIG (AFFECT_LIVE | AFFECT_CONFIG)
#define SETTINGS_MAX 16 /* the protocol's limit */

/* ---- schedinfo ---- */

typedef struct Sched {
    remote_domain dom;
    char *type;
    int n_params;
    unsigned flags;
    bool plain; /* no option: the calls without flags */
    remote_domain_get_scheduler_parameters_ret values;
} Sched;

static void sched_done(Sched *sched) {
    domain_done(&sched->dom);
    free(sched->type);
    xdr_free((xdrproc_t)xdr_remote_domain_get_scheduler_parameters_ret, (char *)&sched->values);
}

static int get_type(Tool *tool, Sched *sched, Error **reterr) {
    remote_domain_args call = {.dom = sched->dom};
    remote_domain_get_scheduler_type_ret ret = {0};
    int r = CALL(tool, DOMAIN_GET_SCHEDULER_TYPE, remote_domain_args, &call,
                 remote_domain_get_scheduler_type_ret, &ret, reterr);

    if (r < 0)
        return r;
    sched->type = ret.type;
    sched->n_params = ret.nparams;
    return 0;
}

/* Both at once cannot be asked for; after a change of both they are alike. */
static int get_values(Tool *tool, Sched *sched, Error **reterr) {
    unsigned flags = sched->flags == AFFECT_LIVE_AND_CONFIG ? 0 : sched->flags;
    remote_domain_get_scheduler_parameters_args plain = {.dom = sched->dom,
                                                         .nparams = sched->n_params};
    remote_domain_get_scheduler_parameters_flags_args call = {
        .dom = sched->dom, .nparams = sched->n_params, .flags = flags | TYPED_PARAM_STRING_OKAY};

    xdr_free((xdrproc_t)xdr_remote_domain_get_scheduler_parameters_ret, (char *)&sched->values);
    sched->values = (remote_domain_get_scheduler_parameters_ret){0};
    if (sched->plain)
        return CALL(tool, DOMAIN_GET_SCHEDULER_PARAMETERS,
                    remote_domain_get_scheduler_parameters_args, &plain,
                    remote_domain_get_scheduler_parameters_ret, &sched->values, reterr);
    return CALL(tool, DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS,
                remote_domain_get_scheduler_parameters_flags_args, &call,
                remote_domain_get_scheduler_parameters_ret, &sched->values, reterr);
}

static int set_values(Tool *tool, const Sched *sched, remote_typed_param *params, size_t n,
                      Error **reterr) {
    remote_domain_set_scheduler_parameters_args plain = {
        .dom = sched->dom, .params = {.params_val = params, .params_len = (u_int)n}};
    remote_domain_set_parameters_flags_args call = {
        .dom = sched->dom,
        .params = {.params_val = params, .params_len = (u_int)n},
        .flags = sched->flags};

    if (sched->plain)
        return CALL_VOID(tool, DOMAIN_SET_SCHEDULER_PARAMETERS,
                         remote_domain_set_scheduler_parameters_args, &plain, reterr);
    return CALL_VOID(tool, DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS,
                     remote_domain_set_parameters_flags_args, &call, reterr);
}

/* "name=value" with the type that the server's answer has for the name. */
static int read_setting(const Sched *sched, const char *word, remote_typed_param *ret) {
    const char *equals = strchr(word, '=');
    size_t len = equals ? (size_t)(equals - word) : strlen(word);

    if (!equals)
        return tool_fail(NULL, "Invalid syntax for --set, expecting name=value");
    for (u_int i = 0; i < sched->values.params.params_len; i++) {
        const remote_typed_param *known = &sched->values.params.params_val[i];
        CLEANUP_ERROR Error *error = NULL;

        if (strlen(known->field) != len || strncmp(known->field, word, len) != 0)
            continue;
        if (param_parse(known->field, known->value.type, equals + 1, ret, &error) < 0)
            return tool_failed(error);
        return 0;
    }
    return tool_fail(NULL, "invalid scheduler option: %.*s", (int)len, word);
}

static int read_settings(const Args *args, const Sched *sched, remote_typed_param *params) {
    if (args->n_rest > SETTINGS_MAX)
        return tool_fail(NULL, "at most %d scheduler options can be set at once", SETTINGS_MAX);
    for (size_t i = 0; i < args->n_rest; i++) {
        if (read_setting(sched, args->rest[i], &params[i]) < 0)
            return -EINVAL;
        for (size_t k = 0; k < i; k++)
            if (streq(params[k].field, params[i].field))
                return tool_fail(NULL, "scheduler option '%s' is given twice; give it once",
                                 params[i].field);
    }
    return 0;
}

static void print_sched(const Tool *tool, const Sched *sched) {
    const remote_typed_param *params = sched->values.params.params_val;
    u_int n = sched->values.params.params_len;

    if (tool->json) {
        json_object *object = json_object_new_object();

        json_object_object_add(object, "scheduler", json_object_new_string(sched->type));
        params_add_json(object, params, n);
        tool_print_json(object);
        return;
    }
    for (u_int i = 0; i < n; i++) {
        CLEANUP_FREE char *text = param_format(&params[i]);

        printf("%-15s: %s\n", params[i].field, text);
    }
}

static int cmd_schedinfo(Tool *tool, const Args *args) {
    CLEANUP(sched_done) Sched sched = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_typed_param params[SETTINGS_MAX];
    int r;

    if (tool_affect_flags(args, &sched.flags) < 0 || tool_domain(tool, args, &sched.dom) < 0)
        return -EIO;
    sched.plain = sched.flags == 0 && !args_has(args, "current");
    if (get_type(tool, &sched, &error) < 0)
        return tool_failed(error);
    if (!tool->json)
        printf("%-15s: %s\n", "Scheduler", sched.type);
    if (args->n_rest == 0 && sched.flags == AFFECT_LIVE_AND_CONFIG)
        return tool_fail(NULL, "cannot query both live and config at once");
    r = get_values(tool, &sched, &error);
    if (r >= 0 && args->n_rest > 0) {
        if (read_settings(args, &sched, params) < 0)
            return -EINVAL;
        r = set_values(tool, &sched, params, args->n_rest, &error);
        /* The names in params are of the old answer, which the next one frees. */
        if (r >= 0)
            r = get_values(tool, &sched, &error);
    }
    if (r < 0)
        return tool_failed(error);
    print_sched(tool, &sched);
    return 0;
}

/* ---- numatune ---- */

/* virDomainNumatuneMemMode */
static const char *const numa_modes[] = {"strict", "preferred", "interleave", "restrictive"};

static char *numa_format(const remote_typed_param *param) {
    int mode = param->value.remote_param_value_u.i;

    if (param->value.type == PARAM_INT && streq(param->field, "numa_mode") && mode >= 0 &&
        (size_t)mode < ARRAY_SIZE(numa_modes))
        return text_format("%s", numa_modes[mode]);
    return param_format(param);
}

static void print_numa(const Tool *tool, const remote_typed_param *params, u_int n) {
    json_object *object = tool->json ? json_object_new_object() : NULL;

    for (u_int i = 0; i < n; i++) {
        CLEANUP_FREE char *text = numa_format(&params[i]);

        if (object)
            json_object_object_add(object, params[i].field, json_object_new_string(text));
        else
            printf("%-15s: %s\n", params[i].field, text);
    }
    if (object)
        tool_print_json(object);
}

/* Asked how many there are first, then for them. */
static int show_numa(Tool *tool, const remote_domain *dom, unsigned flags) {
    remote_domain_get_scheduler_parameters_flags_args call = {
        .dom = *dom, .flags = flags | TYPED_PARAM_STRING_OKAY}; /* the same on the wire */
    remote_domain_get_numa_parameters_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (CALL(tool, DOMAIN_GET_NUMA_PARAMETERS, remote_domain_get_scheduler_parameters_flags_args,
             &call, remote_domain_get_numa_parameters_ret, &ret, &error) < 0)
        return tool_fail(error, "Unable to get number of memory parameters");
    call.nparams = ret.nparams;
    xdr_free((xdrproc_t)xdr_remote_domain_get_numa_parameters_ret, (char *)&ret);
    ret = (remote_domain_get_numa_parameters_ret){0};
    if (call.nparams > 0 &&
        CALL(tool, DOMAIN_GET_NUMA_PARAMETERS, remote_domain_get_scheduler_parameters_flags_args,
             &call, remote_domain_get_numa_parameters_ret, &ret, &error) < 0)
        return tool_fail(error, "Unable to get numa parameters");
    print_numa(tool, ret.params.params_val, ret.params.params_len);
    xdr_free((xdrproc_t)xdr_remote_domain_get_numa_parameters_ret, (char *)&ret);
    return 0;
}

/* A name, or the number of one. */
static int read_mode(const char *text, remote_typed_param *ret) {
    CLEANUP_ERROR Error *error = NULL;

    for (size_t i = 0; i < ARRAY_SIZE(numa_modes); i++)
        if (streq(text, numa_modes[i])) {
            *ret = (remote_typed_param){.field = (char *)"numa_mode", .value = {.type = PARAM_INT}};
            ret->value.remote_param_value_u.i = (int)i;
            return 0;
        }
    if (param_parse("numa_mode", PARAM_INT, text, ret, NULL) == 0 &&
        ret->value.remote_param_value_u.i >= 0 &&
        (size_t)ret->value.remote_param_value_u.i < ARRAY_SIZE(numa_modes))
        return 0;
    error_report(
        &error, FROM_NONE, ERROR_INVALID_ARG,
        "expected one of strict, preferred, interleave and restrictive, or its number from 0 to 3");
    return tool_fail(error, "Invalid mode: %s", text);
}

static int cmd_numatune(Tool *tool, const Args *args) {
    const char *mode = args_string(args, "mode"), *nodes = args_string(args, "nodeset");
    remote_typed_param params[2];
    remote_domain_set_parameters_flags_args call = {.params = {.params_val = params}};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (tool_affect_flags(args, &call.flags) < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (!mode && !nodes)
        return show_numa(tool, &dom, call.flags);
    if (nodes && param_parse("numa_nodeset", PARAM_STRING, nodes, &params[call.params.params_len++],
                             &error) < 0)
        return tool_failed(error);
    if (mode && read_mode(mode, &params[call.params.params_len++]) < 0)
        return -EINVAL;
    call.dom = dom;
    if (CALL_VOID(tool, DOMAIN_SET_NUMA_PARAMETERS, remote_domain_set_parameters_flags_args, &call,
                  &error) < 0)
        return tool_fail(error, "Unable to change numa parameters");
    return 0;
}

/* ---- tables ---- */

static const Option numatune_options[] = {
    OPTION_DOMAIN,
    {"mode", OPTION_STRING, false,
     "NUMA mode: strict, preferred, interleave, restrictive, or its number"},
    {"nodeset", OPTION_STRING, false, "NUMA node selections to set"},
    OPTION_CONFIG,
    OPTION_LIVE,
    OPTION_CURRENT,
    OPTION_END};
static const Option schedinfo_options[] = {
    OPTION_DOMAIN,
    OPTION_CURRENT,
    {"config", OPTION_FLAG, false, "get/set value to be used on next boot"},
    {"live", OPTION_FLAG, false, "get/set value from running domain"},
    {"set", OPTION_REST, false, "parameter=value"},
    OPTION_END};

const Command commands_sched[] = {
    {.name = "numatune",
     .help = "Get or set numa parameters",
     .description = "Get or set the current numa parameters for a guest domain.",
     .options = numatune_options,
     .json = true,
     .run = cmd_numatune},
    {.name = "schedinfo",
     .help = "show/set scheduler parameters",
     .description = "Show/Set scheduler parameters.",
     .options = schedinfo_options,
     .json = true,
     .run = cmd_schedinfo},
    {0}};
