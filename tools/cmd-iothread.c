/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* IO threads: shown, pinned, added, deleted, and how they poll. */
#include "param.h"
#include "pin.h"
#include "tables.h"

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
        return tool_failed(error);
    return 0;
}

static int cmd_iothreadadd(Tool *tool, const Args *args) {
    return change_iothreads(tool, args, REMOTE_PROC_DOMAIN_ADD_IOTHREAD);
}

static int cmd_iothreaddel(Tool *tool, const Args *args) {
    return change_iothreads(tool, args, REMOTE_PROC_DOMAIN_DEL_IOTHREAD);
}

/* ---- iothreadset ---- */

static const struct Setting {
    const char *option, *field;
    int kind;
    long long max;
} settings[] = {
    {"poll-max-ns", "poll_max_ns", PARAM_ULLONG, INT64_MAX},
    {"poll-grow", "poll_grow", PARAM_UINT, UINT32_MAX},
    {"poll-shrink", "poll_shrink", PARAM_UINT, UINT32_MAX},
    {"thread-pool-min", "thread_pool_min", PARAM_INT, INT32_MAX},
    {"thread-pool-max", "thread_pool_max", PARAM_INT, INT32_MAX},
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
        if (settings[i].kind == PARAM_ULLONG)
            param->value.remote_param_value_u.ul = (uint64_t)value;
        else if (settings[i].kind == PARAM_UINT)
            param->value.remote_param_value_u.ui = (unsigned)value;
        else
            param->value.remote_param_value_u.i = (int)value;
        ++*n;
    }
    return *n ? 0 : tool_fail(NULL, "Not enough arguments passed, nothing to set");
}

static int cmd_iothreadset(Tool *tool, const Args *args) {
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
        return tool_failed(error);
    return 0;
}

/* ---- iothreadinfo, iothreadpin ---- */

static void print_iothreads(Tool *tool, const remote_domain_get_iothread_info_ret *ret,
                            int n_cpus) {
    PinList list;

    if (ret->info.info_len == 0 && !tool->json) {
        /* The end of the line is the one that every command prints. */
        tool_say(tool, "No IOThreads found for the domain");
        return;
    }
    pin_list_start(&list, tool, "IOThread ID", "iothread", n_cpus);
    for (u_int i = 0; i < ret->info.info_len; i++) {
        const remote_iothread_info *info = &ret->info.info_val[i];

        pin_list_add(&list, info->iothread_id, (uint8_t *)info->cpumap.cpumap_val,
                     info->cpumap.cpumap_len);
    }
    pin_list_print(&list);
}

static int cmd_iothreadinfo(Tool *tool, const Args *args) {
    remote_domain_get_iothread_info_ret ret = {0};
    remote_domain_flags_args call = {0};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    int n_cpus;

    if (tool_affect_flags(args, &call.flags) < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    n_cpus = vcpu_host_cpus(tool);
    if (n_cpus < 0)
        return n_cpus;
    call.dom = dom;
    if (CALL(tool, DOMAIN_GET_IOTHREAD_INFO, remote_domain_flags_args, &call,
             remote_domain_get_iothread_info_ret, &ret, &error) < 0)
        return tool_fail(error, "Unable to get domain IOThreads information");
    print_iothreads(tool, &ret, n_cpus);
    xdr_free((xdrproc_t)xdr_remote_domain_get_iothread_info_ret, (char *)&ret);
    return 0;
}

static int cmd_iothreadpin(Tool *tool, const Args *args) {
    remote_domain_pin_vcpu_flags_args call = {0}; /* the same on the wire */
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *map = NULL;
    long long id = 0;
    int n_cpus;

    if (tool_affect_flags(args, &call.flags) < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (args_number(args, "iothread", 0, UINT32_MAX, &id) < 0)
        return tool_bad_number(args, "iothread");
    n_cpus = vcpu_host_cpus(tool);
    if (n_cpus < 0 || pin_read_cpulist(args, n_cpus, &map) < 0)
        return -EIO;
    call.dom = dom;
    call.vcpu = (unsigned)id;
    call.cpumap.cpumap_val = map;
    call.cpumap.cpumap_len = (u_int)vcpu_map_len(n_cpus);
    if (CALL_VOID(tool, DOMAIN_PIN_IOTHREAD, remote_domain_pin_vcpu_flags_args, &call, &error) < 0)
        return tool_failed(error);
    return 0;
}

/* ---- tables ---- */

static const Option iothreadinfo_options[] = {OPTION_DOMAIN, OPTION_CONFIG, OPTION_LIVE,
                                              OPTION_CURRENT, OPTION_END};
static const Option iothreadpin_options[] = {
    OPTION_DOMAIN,
    {"iothread", OPTION_NUMBER, true, "IOThread ID number"},
    {"cpulist", OPTION_STRING, true, "host cpu number(s) to set"},
    OPTION_CONFIG,
    OPTION_LIVE,
    OPTION_CURRENT,
    OPTION_END};
static const Option iothreadadd_options[] = {
    OPTION_DOMAIN,  {"id", OPTION_NUMBER, true, "iothread for the new IOThread"},
    OPTION_CONFIG,  OPTION_LIVE,
    OPTION_CURRENT, OPTION_END};
static const Option iothreaddel_options[] = {
    OPTION_DOMAIN,  {"id", OPTION_NUMBER, true, "iothread_id for the IOThread to delete"},
    OPTION_CONFIG,  OPTION_LIVE,
    OPTION_CURRENT, OPTION_END};
static const Option iothreadset_options[] = {
    OPTION_DOMAIN,
    {"id", OPTION_NUMBER, true, "iothread id of existing IOThread"},
    {"poll-max-ns", OPTION_NUMBER, false, "set the maximum IOThread polling time in ns"},
    {"poll-grow", OPTION_NUMBER, false, "set the value to increase the IOThread polling time"},
    {"poll-shrink", OPTION_NUMBER, false,
     "set the value for reduction of the IOThread polling time"},
    {"thread-pool-min", OPTION_NUMBER, false, "lower boundary for worker thread pool"},
    {"thread-pool-max", OPTION_NUMBER, false, "upper boundary for worker thread pool"},
    OPTION_CONFIG,
    OPTION_LIVE,
    OPTION_CURRENT,
    OPTION_END};

const Command commands_iothread[] = {
    {.name = "iothreadadd",
     .help = "add an IOThread to the guest domain",
     .description = "Add an IOThread to the guest domain.",
     .options = iothreadadd_options,
     .run = cmd_iothreadadd},
    {.name = "iothreaddel",
     .help = "delete an IOThread from the guest domain",
     .description = "Delete an IOThread from the guest domain.",
     .options = iothreaddel_options,
     .run = cmd_iothreaddel},
    {.name = "iothreadinfo",
     .help = "view domain IOThreads",
     .description = "Returns basic information about the domain IOThreads.",
     .options = iothreadinfo_options,
     .json = true,
     .run = cmd_iothreadinfo},
    {.name = "iothreadpin",
     .help = "control domain IOThread affinity",
     .description = "Pin domain IOThreads to host physical CPUs.",
     .options = iothreadpin_options,
     .run = cmd_iothreadpin},
    {.name = "iothreadset",
     .help = "modifies an existing IOThread of the guest domain",
     .description = "Modifies an existing IOThread of the guest domain.",
     .options = iothreadset_options,
     .run = cmd_iothreadset},
    {0}};
