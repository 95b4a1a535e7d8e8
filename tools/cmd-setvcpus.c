/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* setvcpus, setvcpu: plugs and unplugs vCPUs. */
#include <unistd.h>

#include "operation.h"
#include "tables.h"
#include "vcpu.h"

static int setvcpus_flags(const Args *args, unsigned *ret) {
    unsigned flags = 0;

    if (tool_affect_flags(args, &flags) < 0 || tool_exclusive(args, "guest", "config") < 0)
        return -EINVAL;
    if (args_has(args, "maximum")) {
        if (!args_has(args, "config"))
            return tool_fail(NULL, "Option --config is required by option --maximum");
        flags |= VCPU_MAXIMUM;
    }
    *ret = flags | (args_has(args, "guest") ? VCPU_GUEST : 0) |
           (args_has(args, "hotpluggable") ? VCPU_HOTPLUGGABLE : 0);
    return 0;
}

/* --plan, --async, --wait and --timeout are Vireo's own: its program has a call for them. */
static bool is_own(const Args *args) {
    return args_has(args, "plan") || args_has(args, "async") || args_has(args, "timeout") ||
           args_has(args, "wait");
}

/* A terminal gets a line of progress, which takes that program too, if the server has it. */
static bool wants_progress(const Tool *tool, const Args *args) {
    return isatty(STDERR_FILENO) && !tool->quiet && !tool->json && !args_has(args, "guest") &&
           !args_has(args, "maximum");
}

static int print_plan(Tool *tool, vireo_change_vcpus_args *call) {
    CLEANUP_ERROR Error *error = NULL;
    vireo_plan_vcpus_ret ret = {0};

    if (VIREO_CALL(tool, PLAN_VCPUS, vireo_change_vcpus_args, call, vireo_plan_vcpus_ret, &ret,
                   &error) < 0)
        return tool_failed(error);
    fputs(ret.plan, stdout);
    xdr_free((xdrproc_t)xdr_vireo_plan_vcpus_ret, (char *)&ret);
    return 0;
}

/* -EOPNOTSUPP, with nothing said: the server is not vireod, and a plain call will do. */
static int change_own(Tool *tool, const Args *args, vireo_change_vcpus_args *call) {
    CLEANUP_ERROR Error *error = NULL;
    vireo_change_vcpus_ret ret = {0};
    long long seconds = 0;

    if (tool_exclusive(args, "async", "wait") < 0)
        return -EINVAL;
    if (args_number(args, "timeout", 1, 3600, &seconds) < 0)
        return tool_bad_number(args, "timeout");
    call->timeout_ms = (uint64_t)seconds * 1000;
    call->async = args_has(args, "async")                                ? 1
                  : args_has(args, "wait") || wants_progress(tool, args) ? 2
                                                                         : 0;
    if (call->flags == 0 && !args_has(args, "current"))
        call->flags = AFFECT_LIVE;
    if (args_has(args, "plan"))
        return print_plan(tool, call);
    if (VIREO_CALL(tool, CHANGE_VCPUS, vireo_change_vcpus_args, call, vireo_change_vcpus_ret, &ret,
                   &error) < 0)
        return !is_own(args) && error->code == ERROR_RPC ? -EOPNOTSUPP : tool_failed(error);
    if (call->async == 2)
        return ret.operation ? operation_follow(tool, ret.operation, args_has(args, "wait")) : 0;
    if (call->async && ret.operation)
        tool_say(tool, "Operation %llu; 'vireo ops await %llu' waits for it\n",
                 (unsigned long long)ret.operation, (unsigned long long)ret.operation);
    return 0;
}

static int cmd_setvcpus(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_domain_set_vcpus_flags_args call = {0};
    remote_domain_set_vcpus_args plain = {0};
    long long count = 0;
    unsigned flags = 0;
    int r;

    if (setvcpus_flags(args, &flags) < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (args_number(args, "count", 0, UINT32_MAX, &count) < 0)
        return tool_bad_number(args, "count");
    if (count == 0)
        return tool_fail(NULL, "Can't set 0 processors for a VM");
    if (is_own(args) || wants_progress(tool, args)) {
        vireo_change_vcpus_args own = {.dom = dom, .count = (unsigned)count, .flags = flags};

        r = change_own(tool, args, &own);
        if (r != -EOPNOTSUPP)
            return r;
    }
    plain = (remote_domain_set_vcpus_args){.dom = dom, .nvcpus = (unsigned)count};
    call = (remote_domain_set_vcpus_flags_args){
        .dom = dom, .nvcpus = (unsigned)count, .flags = flags};
    /* Without any option the old call: the running domain. */
    if (flags == 0 && !args_has(args, "current"))
        r = CALL_VOID(tool, DOMAIN_SET_VCPUS, remote_domain_set_vcpus_args, &plain, &error);
    else
        r = CALL_VOID(tool, DOMAIN_SET_VCPUS_FLAGS, remote_domain_set_vcpus_flags_args, &call,
                      &error);
    /* virsh prints nothing but the server's sentence here. */
    return r < 0 ? tool_failed(error) : 0;
}

static int cmd_setvcpu(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_domain_set_vcpu_args call = {0};
    unsigned flags = 0;

    if (tool_exclusive(args, "enable", "disable") < 0 || tool_affect_flags(args, &flags) < 0)
        return -EINVAL;
    if (!args_has(args, "enable") && !args_has(args, "disable"))
        return tool_fail(NULL, "one of --enable, --disable is required");
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (is_own(args) || wants_progress(tool, args)) {
        char *ids = (char *)args_string(args, "vcpulist");
        vireo_change_vcpus_args own = {
            .dom = dom, .ids = &ids, .enable = args_has(args, "enable"), .flags = flags};
        int r = change_own(tool, args, &own);

        if (r != -EOPNOTSUPP)
            return r;
    }
    call = (remote_domain_set_vcpu_args){.dom = dom,
                                         .cpumap = (char *)args_string(args, "vcpulist"),
                                         .state = args_has(args, "enable"),
                                         .flags = flags};
    if (CALL_VOID(tool, DOMAIN_SET_VCPU, remote_domain_set_vcpu_args, &call, &error) < 0)
        return tool_failed(error);
    return 0;
}

/* ---- tables ---- */

#define OPTIONS_OF_OPERATION                                                                       \
    {"plan", OPTION_FLAG, false, "show what would be done, change nothing"},                       \
        {"async", OPTION_FLAG, false, "return once the guest has been asked to release vCPUs"},    \
        {"wait", OPTION_FLAG, false,                                                               \
         "wait until the guest has released or taken up the vCPUs, however long that is"},         \
    {                                                                                              \
        "timeout", OPTION_NUMBER, false, "seconds to wait for the guest's release", .named = true  \
    }

static const Option setvcpus_options[] = {
    OPTION_DOMAIN,
    {"count", OPTION_NUMBER, true, "number of virtual CPUs"},
    {"maximum", OPTION_FLAG, false, "set maximum limit on next boot"},
    OPTION_CONFIG,
    OPTION_LIVE,
    OPTION_CURRENT,
    {"guest", OPTION_FLAG, false, "modify cpu state in the guest"},
    {"hotpluggable", OPTION_FLAG, false, "make added vcpus hot(un)pluggable"},
    OPTIONS_OF_OPERATION,
    OPTION_END};
static const Option setvcpu_options[] = {
    OPTION_DOMAIN,
    {"vcpulist", OPTION_STRING, true, "ids of vcpus to manipulate"},
    {"enable", OPTION_FLAG, false, "enable cpus specified by cpumap"},
    {"disable", OPTION_FLAG, false, "disable cpus specified by cpumap"},
    OPTION_CONFIG,
    OPTION_LIVE,
    OPTION_CURRENT,
    OPTIONS_OF_OPERATION,
    OPTION_END};

const Command commands_setvcpus[] = {
    {.name = "setvcpu",
     .help = "attach/detach vcpu or groups of threads",
     .description = "Add or remove vcpus",
     .options = setvcpu_options,
     .run = cmd_setvcpu},
    {.name = "setvcpus",
     .help = "change number of virtual CPUs",
     .description = "Change the number of virtual CPUs in the guest domain.",
     .options = setvcpus_options,
     .run = cmd_setvcpus},
    {0}};
