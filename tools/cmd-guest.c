/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the guest's agent knows and does. */
#include "vireo.h"

#define TYPED_STRING 7             /* virTypedParameterType */
#define AGENT_DEFAULT_TIMEOUT (-1) /* VIR_DOMAIN_QEMU_AGENT_COMMAND_DEFAULT */

/* ---- guestvcpus ---- */

static int print_guest_vcpus(Tool *tool, remote_domain *dom) {
    CLEANUP_ERROR Error *error = NULL;
    remote_domain_flags_args call = {.dom = *dom};
    remote_domain_get_guest_vcpus_ret ret = {0};
    json_object *object = tool->json ? json_object_new_object() : NULL;

    if (CALL(tool, DOMAIN_GET_GUEST_VCPUS, remote_domain_flags_args, &call,
             remote_domain_get_guest_vcpus_ret, &ret, &error) < 0) {
        json_object_put(object);
        return tool_fail(NULL, "%s", error_message(error));
    }
    for (u_int i = 0; i < ret.params.params_len; i++) {
        const remote_typed_param *param = &ret.params.params_val[i];

        if (param->value.type != TYPED_STRING)
            continue;
        if (object)
            json_object_object_add(object, param->field,
                                   json_object_new_string(param->value.remote_param_value_u.s));
        else
            printf("%-15s: %s\n", param->field, param->value.remote_param_value_u.s);
    }
    if (object)
        tool_print_json(object);
    xdr_free((xdrproc_t)xdr_remote_domain_get_guest_vcpus_ret, &ret);
    return 0;
}

static int cmd_guestvcpus(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    const char *list = args_string(args, "cpulist");
    bool enable = args_has(args, "enable"), disable = args_has(args, "disable");
    remote_domain_set_guest_vcpus_args call = {.cpumap = (char *)list, .state = enable};

    if (tool_exclusive(args, "enable", "disable") < 0)
        return -EINVAL;
    if (list && !enable && !disable)
        return tool_fail(NULL,
                         "one of options --enable or --disable is required by option --cpulist");
    if (!list && (enable || disable))
        return tool_fail(NULL, "Option --cpulist is required by option --%s",
                         enable ? "enable" : "disable");
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (!list)
        return print_guest_vcpus(tool, &dom);
    call.dom = dom;
    if (CALL_VOID(tool, DOMAIN_SET_GUEST_VCPUS, remote_domain_set_guest_vcpus_args, &call, &error) <
        0)
        return tool_fail(NULL, "%s", error_message(error));
    return 0;
}

/* ---- qemu-agent-command ---- */

static int cmd_agent_command(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *text = text_format("%s", "");
    long long seconds = AGENT_DEFAULT_TIMEOUT;
    qemu_domain_agent_command_args call;
    qemu_domain_agent_command_ret ret = {0};

    if (args_number(args, "timeout", 1, 3600, &seconds) < 0)
        return tool_fail(NULL, "Numeric value '%s' for <%s> option is malformed or out of range",
                         args_string(args, "timeout"), "timeout");
    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    for (size_t i = 0; i < args->n_rest; i++) {
        CLEANUP_FREE char *before = text;

        text = text_format("%s%s%s", before, *before ? " " : "", args->rest[i]);
    }
    call = (qemu_domain_agent_command_args){.dom = dom, .cmd = text, .timeout = (int)seconds};
    if (rpc_client_call(tool->client, QEMU_PROGRAM, QEMU_PROC_DOMAIN_AGENT_COMMAND,
                        (xdrproc_t)xdr_qemu_domain_agent_command_args, &call,
                        (xdrproc_t)xdr_qemu_domain_agent_command_ret, &ret, -1, &error) < 0)
        return tool_fail(NULL, "%s", error_message(error));
    if (ret.result)
        puts(*ret.result);
    xdr_free((xdrproc_t)xdr_qemu_domain_agent_command_ret, (char *)&ret);
    return 0;
}

static const Option guestvcpus_options[] = {
    OPTION_DOMAIN,
    {"cpulist", OPTION_STRING, false, "CPUs of the guest, as 1-3,5"},
    {"enable", OPTION_FLAG, false, "bring them online"},
    {"disable", OPTION_FLAG, false, "take them offline"},
    OPTION_END};
static const Option agent_options[] = {
    OPTION_DOMAIN,
    {"timeout", OPTION_NUMBER, false, "seconds to wait for the agent; its default without"},
    {"cmd", OPTION_REST, true, "the command, as JSON"},
    OPTION_END};

static const Command commands[] = {
    {.name = "guestvcpus",
     .help = "query or modify the state of the guest's CPUs, by its agent",
     .options = guestvcpus_options,
     .json = true,
     .run = cmd_guestvcpus},
    {.name = "qemu-agent-command",
     .help = "send a command to the guest's agent",
     .options = agent_options,
     .run = cmd_agent_command},
    {0}};

const CommandGroup group_guest = {"Guest Agent", "guest", commands};
