/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dominfo, domstate: what one domain is, and how it is. */
#include "report.h"
#include "tables.h"
#include "vireo.h"

/* ---- dominfo ---- */

/* What one domain is; the parts that the server does not tell stay at their "unknown". */
typedef struct Info {
    remote_domain_get_info_ret info;
    char *os_type;
    int persistent, autostart, managed_save; /* -1 unknown */
    char *model, *doi, *label;               /* NULL: none */
    int enforcing;
    remote_domain_get_messages_ret messages;
} Info;

static void info_done(Info *info) {
    free(info->os_type);
    free(info->model);
    free(info->doi);
    free(info->label);
    xdr_free((xdrproc_t)xdr_remote_domain_get_messages_ret, &info->messages);
}

static int ask_int(Tool *tool, int procedure, const remote_domain *dom, bool with_flags) {
    remote_domain_flags_args call = {.dom = *dom};
    remote_int_ret ret = {0};
    int r = tool_call(tool, procedure,
                      with_flags ? (xdrproc_t)xdr_remote_domain_flags_args
                                 : (xdrproc_t)xdr_remote_domain_args,
                      &call, (xdrproc_t)xdr_remote_int_ret, &ret, NULL);

    return r < 0 ? -1 : ret.value;
}

static void get_security(Tool *tool, const remote_domain *dom, Info *info) {
    remote_node_get_security_model_ret model = {0};
    remote_domain_get_security_label_ret label = {0};
    remote_domain_get_security_label_args call = {.dom = *dom};

    if (CALL_NONE(tool, NODE_GET_SECURITY_MODEL, remote_node_get_security_model_ret, &model, NULL) <
        0)
        return;
    if (model.model.model_len > 0) {
        info->model = text_format("%.*s", (int)model.model.model_len, model.model.model_val);
        info->doi = text_format("%.*s", (int)model.doi.doi_len, model.doi.doi_val);
    }
    xdr_free((xdrproc_t)xdr_remote_node_get_security_model_ret, &model);
    if (!info->model || !*info->model)
        return;
    if (CALL(tool, DOMAIN_GET_SECURITY_LABEL, remote_domain_get_security_label_args, &call,
             remote_domain_get_security_label_ret, &label, NULL) < 0)
        return;
    if (label.label.label_len > 0)
        info->label = text_format("%.*s", (int)label.label.label_len, label.label.label_val);
    info->enforcing = label.enforcing;
    xdr_free((xdrproc_t)xdr_remote_domain_get_security_label_ret, &label);
}

static int get_info(Tool *tool, const remote_domain *dom, Info *info) {
    remote_domain_args plain = {.dom = *dom};
    remote_domain_flags_args with_flags = {.dom = *dom};
    remote_domain_get_os_type_ret os = {0};
    CLEANUP_ERROR Error *error = NULL;

    if (CALL(tool, DOMAIN_GET_OS_TYPE, remote_domain_args, &plain, remote_domain_get_os_type_ret,
             &os, NULL) >= 0) {
        info->os_type = text_format("%s", os.type);
        xdr_free((xdrproc_t)xdr_remote_domain_get_os_type_ret, &os);
    }
    if (CALL(tool, DOMAIN_GET_INFO, remote_domain_args, &plain, remote_domain_get_info_ret,
             &info->info, &error) < 0)
        return tool_fail(error, "Failed to get information about domain '%s'", dom->name);
    info->persistent = ask_int(tool, REMOTE_PROC_DOMAIN_IS_PERSISTENT, dom, false);
    info->autostart = ask_int(tool, REMOTE_PROC_DOMAIN_GET_AUTOSTART, dom, false);
    info->managed_save = ask_int(tool, REMOTE_PROC_DOMAIN_HAS_MANAGED_SAVE_IMAGE, dom, true);
    get_security(tool, dom, info);
    if (CALL(tool, DOMAIN_GET_MESSAGES, remote_domain_flags_args, &with_flags,
             remote_domain_get_messages_ret, &info->messages, NULL) < 0)
        info->messages = (remote_domain_get_messages_ret){0};
    return 0;
}

static const char *yes_no(int value) {
    return value < 0 ? "unknown" : value ? "yes" : "no";
}

static void print_info(const remote_domain *dom, const Info *info) {
    char uuid[37];

    format_uuid(dom->uuid, uuid);
    if (dom->id < 0)
        printf("%-15s %s\n", "Id:", "-");
    else
        printf("%-15s %d\n", "Id:", dom->id);
    printf("%-15s %s\n%-15s %s\n", "Name:", dom->name, "UUID:", uuid);
    if (info->os_type)
        printf("%-15s %s\n", "OS Type:", info->os_type);
    printf("%-15s %s\n", "State:", format_state(info->info.state));
    printf("%-15s %d\n", "CPU(s):", info->info.nrVirtCpu);
    if (info->info.cpuTime)
        printf("%-15s %.1lfs\n", "CPU time:", (double)info->info.cpuTime / 1e9);
    printf("%-15s %llu KiB\n", "Max memory:", (unsigned long long)info->info.maxMem);
    printf("%-15s %llu KiB\n", "Used memory:", (unsigned long long)info->info.memory);
    printf("%-15s %s\n", "Persistent:", yes_no(info->persistent));
    if (info->autostart >= 0)
        printf("%-15s %s\n", "Autostart:", info->autostart ? "enable" : "disable");
    printf("%-15s %s\n", "Managed save:", yes_no(info->managed_save));
    if (info->model && *info->model) {
        printf("%-15s %s\n%-15s %s\n", "Security model:", info->model, "Security DOI:", info->doi);
        if (info->label && *info->label)
            printf("%-15s %s (%s)\n", "Security label:", info->label,
                   info->enforcing ? "enforcing" : "permissive");
    }
    for (unsigned i = 0; i < info->messages.msgs.msgs_len; i++)
        printf("%-15s %s\n", i == 0 ? "Messages:" : "", info->messages.msgs.msgs_val[i]);
}

static json_object *json_tristate(int value) {
    return value < 0 ? NULL : json_object_new_boolean(value);
}

static void print_info_json(const remote_domain *dom, const Info *info) {
    json_object *object = json_object_new_object(), *messages = json_object_new_array();
    char uuid[37];

    format_uuid(dom->uuid, uuid);
    json_object_object_add(object, "id", dom->id < 0 ? NULL : json_object_new_int(dom->id));
    json_object_object_add(object, "name", json_object_new_string(dom->name));
    json_object_object_add(object, "uuid", json_object_new_string(uuid));
    if (info->os_type)
        json_object_object_add(object, "os_type", json_object_new_string(info->os_type));
    json_object_object_add(object, "state", json_object_new_string(format_state(info->info.state)));
    json_object_object_add(object, "vcpus", json_object_new_int(info->info.nrVirtCpu));
    json_object_object_add(object, "cpu_time_ns", json_object_new_uint64(info->info.cpuTime));
    json_object_object_add(object, "max_memory_kib", json_object_new_uint64(info->info.maxMem));
    json_object_object_add(object, "used_memory_kib", json_object_new_uint64(info->info.memory));
    json_object_object_add(object, "persistent", json_tristate(info->persistent));
    json_object_object_add(object, "autostart", json_tristate(info->autostart));
    json_object_object_add(object, "managed_save", json_tristate(info->managed_save));
    if (info->model)
        json_object_object_add(object, "security_model", json_object_new_string(info->model));
    for (unsigned i = 0; i < info->messages.msgs.msgs_len; i++)
        json_object_array_add(messages, json_object_new_string(info->messages.msgs.msgs_val[i]));
    json_object_object_add(object, "messages", messages);
    tool_print_json(object);
}

static int cmd_dominfo(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP(info_done) Info info = {0};

    if (tool_domain(tool, args, &dom) < 0 || get_info(tool, &dom, &info) < 0)
        return -EIO;
    if (tool->json)
        print_info_json(&dom, &info);
    else
        print_info(&dom, &info);
    return 0;
}

/* ---- domstate ---- */

#define REASONS_MAX 15

static const char *format_reason(int state, int reason) {
    static const char *const names[][REASONS_MAX] = {
        [1] = {"unknown", "booted", "migrated", "restored", "from snapshot", "unpaused",
               "migration canceled", "save canceled", "event wakeup", "crashed", "post-copy",
               "post-copy failed"},
        [2] = {"unknown"},
        [3] = {"unknown", "user", "migrating", "saving", "dumping", "I/O error", "watchdog",
               "from snapshot", "shutting down", "creating snapshot", "crashed", "starting up",
               "post-copy", "post-copy failed", "api error"},
        [4] = {"unknown", "user"},
        [5] = {"unknown", "shutdown", "destroyed", "crashed", "migrated", "saved", "failed",
               "from snapshot", "daemon"},
        [6] = {"unknown", "panicked"},
        [7] = {"unknown"},
    };

    if (state < 1 || (size_t)state >= ARRAY_SIZE(names) || reason < 0 || reason >= REASONS_MAX ||
        !names[state][reason])
        return "unknown";
    return names[state][reason];
}

static int cmd_domstate(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_domain_flags_args call = {0};
    remote_domain_get_state_ret ret = {0};

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (CALL(tool, DOMAIN_GET_STATE, remote_domain_flags_args, &call, remote_domain_get_state_ret,
             &ret, &error) < 0)
        return tool_fail(error, "Failed to get the state of domain '%s'", dom.name);
    if (tool->json) {
        json_object *object = json_object_new_object();

        json_object_object_add(object, "state", json_object_new_string(format_state(ret.state)));
        json_object_object_add(object, "reason",
                               json_object_new_string(format_reason(ret.state, ret.reason)));
        tool_print_json(object);
    } else if (args_has(args, "reason")) {
        printf("%s (%s)\n", format_state(ret.state), format_reason(ret.state, ret.reason));
    } else {
        puts(format_state(ret.state));
    }
    return 0;
}

static int cmd_domcontrol(Tool *tool, const Args *args) {
    /* virDomainControlState */
    static const char *const names[] = {"ok", "background job", "occupied", "error"};
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    remote_domain_flags_args call = {0};
    remote_domain_get_control_info_ret ret = {0};

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    call.dom = dom;
    if (CALL(tool, DOMAIN_GET_CONTROL_INFO, remote_domain_flags_args, &call,
             remote_domain_get_control_info_ret, &ret, &error) < 0)
        return tool_failed(error);
    report_text(tool, "state", ret.state < ARRAY_SIZE(names) ? names[ret.state] : "unknown");
    return 0;
}

/* ---- tables ---- */

static const Option domcontrol_options[] = {OPTION_DOMAIN, OPTION_END};
static const Option dominfo_options[] = {OPTION_DOMAIN, OPTION_END};
static const Option domstate_options[] = {
    OPTION_DOMAIN, {"reason", OPTION_FLAG, false, "also print reason for the state"}, OPTION_END};

const Command commands_dominfo[] = {{.name = "domcontrol",
                                     .help = "what the domain's monitor is occupied with",
                                     .options = domcontrol_options,
                                     .json = true,
                                     .run = cmd_domcontrol},
                                    {.name = "dominfo",
                                     .help = "domain information",
                                     .description = "Returns basic information about the domain.",
                                     .options = dominfo_options,
                                     .json = true,
                                     .run = cmd_dominfo},
                                    {.name = "domstate",
                                     .help = "domain state",
                                     .description = "Returns state about a domain.",
                                     .options = domstate_options,
                                     .json = true,
                                     .run = cmd_domstate},
                                    {0}};
