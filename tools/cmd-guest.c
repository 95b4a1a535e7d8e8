/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the guest's agent knows and does. */
#include "param.h"
#include "tables.h"
#include "vireo.h"

/* ---- guestvcpus ---- */

static int print_guest_vcpus(Tool *tool, remote_domain *dom) {
    CLEANUP_ERROR Error *error = NULL;
    remote_domain_flags_args call = {.dom = *dom};
    remote_domain_get_guest_vcpus_ret ret = {0};
    json_object *object = tool->json ? json_object_new_object() : NULL;

    if (CALL(tool, DOMAIN_GET_GUEST_VCPUS, remote_domain_flags_args, &call,
             remote_domain_get_guest_vcpus_ret, &ret, &error) < 0) {
        json_object_put(object);
        return tool_failed(error);
    }
    for (u_int i = 0; i < ret.params.params_len; i++) {
        const remote_typed_param *param = &ret.params.params_val[i];

        if (param->value.type != PARAM_STRING)
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
        return tool_failed(error);
    return 0;
}

/* ---- tables ---- */

static const Option guestvcpus_options[] = {
    OPTION_DOMAIN,
    {"cpulist", OPTION_STRING, false, "CPUs of the guest, as 1-3,5"},
    {"enable", OPTION_FLAG, false, "bring them online"},
    {"disable", OPTION_FLAG, false, "take them offline"},
    OPTION_END};

const Command commands_guest[] = {
    {.name = "guestvcpus",
     .help = "query or modify the state of the guest's CPUs, by its agent",
     .options = guestvcpus_options,
     .json = true,
     .run = cmd_guestvcpus},
    {0}};
