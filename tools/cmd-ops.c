/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations: live vCPU changes that are under way, pending or over; and the QMP conversation. */
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "rpc/frame.h"
#include "vireo.h"

#define PROGRESS_MS 200

#define VIREO_CALL(tool, proc, args_type, args, ret_type, ret, reterr)                             \
    rpc_client_call((tool)->client, VIREO_PROGRAM, VIREO_PROC_##proc, (xdrproc_t)xdr_##args_type,  \
                    args, (xdrproc_t)xdr_##ret_type, ret, -1, reterr)

static void format_time(uint64_t usec, char ret[32]) {
    time_t seconds = (time_t)(usec / USEC_PER_SEC);
    struct tm tm;

    if (usec == 0 || !localtime_r(&seconds, &tm) || !strftime(ret, 32, "%Y-%m-%d %H:%M:%S", &tm))
        strcpy(ret, "-");
}

static json_object *operation_json(const vireo_operation *operation) {
    json_object *object = json_object_new_object(), *vcpus = json_object_new_array();

    json_object_object_add(object, "id", json_object_new_uint64(operation->id));
    json_object_object_add(object, "domain", json_object_new_string(operation->dom.name));
    json_object_object_add(object, "operation", json_object_new_string(operation->what));
    json_object_object_add(object, "state", json_object_new_string(operation->state));
    if (operation->detail)
        json_object_object_add(object, "detail", json_object_new_string(*operation->detail));
    if (operation->guest)
        json_object_object_add(object, "guest", json_object_new_string(*operation->guest));
    json_object_object_add(object, "started-usec", json_object_new_uint64(operation->started));
    if (operation->ended)
        json_object_object_add(object, "ended-usec", json_object_new_uint64(operation->ended));
    for (u_int i = 0; i < operation->vcpus.vcpus_len; i++)
        json_object_array_add(vcpus, json_object_new_int64(operation->vcpus.vcpus_val[i]));
    json_object_object_add(object, "vcpus", vcpus);
    return object;
}

static void print_operation(const Tool *tool, const vireo_operation *operation) {
    char started[32], ended[32];

    if (tool->json) {
        tool_print_json(operation_json(operation));
        return;
    }
    format_time(operation->started, started);
    format_time(operation->ended, ended);
    printf("%-16s%" PRIu64 "\n%-16s%s\n%-16s%s\n%-16s%s\n", "Id:", (uint64_t)operation->id,
           "Domain:", operation->dom.name, "Operation:", operation->what,
           "State:", operation->state);
    if (operation->detail)
        printf("%-16s%s\n", "Detail:", *operation->detail);
    if (operation->guest)
        printf("%-16s%s\n", "Guest:", *operation->guest);
    printf("%-16s%s\n%-16s%s\n%-16s", "Started:", started, "Ended:", ended, "vCPUs:");
    for (u_int i = 0; i < operation->vcpus.vcpus_len; i++)
        printf("%s%u", i ? "," : "", operation->vcpus.vcpus_val[i]);
    printf("\n\n");
}

static void print_table(const vireo_operation_list_ret *list) {
    static const char *const titles[] = {"Id", "Domain", "Operation", "State", "Started", "Detail"};
    Table table;

    table_start(&table, ARRAY_SIZE(titles), titles);
    for (u_int i = list->operations.operations_len; i-- > 0;) {
        const vireo_operation *operation = &list->operations.operations_val[i];
        char id[24], started[32];
        const char *cells[] = {id,
                               operation->dom.name,
                               operation->what,
                               operation->state,
                               started,
                               operation->detail ? *operation->detail : ""};

        snprintf(id, sizeof(id), "%" PRIu64, (uint64_t)operation->id);
        format_time(operation->started, started);
        table_add(&table, cells);
    }
    table_print(&table, true);
    table_done(&table);
    putchar('\n');
}

static int get_list(Tool *tool, remote_domain *dom, bool all, vireo_operation_list_ret *ret,
                    Error **reterr) {
    vireo_operation_list_args call = {.dom = dom, .flags = all ? 0 : 1};

    return VIREO_CALL(tool, OPERATION_LIST, vireo_operation_list_args, &call,
                      vireo_operation_list_ret, ret, reterr);
}

int ops_under_way(Tool *tool, remote_domain *dom, vireo_operation_list_ret *ret, Error **reterr) {
    return get_list(tool, dom, false, ret, reterr);
}

static int ops_list(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    vireo_operation_list_ret ret = {0};

    if (args_has(args, "domain") && tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (get_list(tool, args_has(args, "domain") ? &dom : NULL, args_has(args, "all"), &ret,
                 &error) < 0)
        return tool_fail(error, "Failed to list operations");
    if (tool->json) {
        json_object *array = json_object_new_array();

        for (u_int i = ret.operations.operations_len; i-- > 0;)
            json_object_array_add(array, operation_json(&ret.operations.operations_val[i]));
        tool_print_json(array);
    } else {
        print_table(&ret);
    }
    xdr_free((xdrproc_t)xdr_vireo_operation_list_ret, (char *)&ret);
    return 0;
}

/* show, and await, which is show after a wait: it fails when the operation did, or is not over. */
static int ops_await(Tool *tool, uint64_t id, uint64_t timeout_ms, bool wait) {
    CLEANUP_ERROR Error *error = NULL;
    vireo_operation_timeout_args call = {.id = id, .timeout_ms = timeout_ms};
    vireo_operation_ret ret = {0};
    bool good;

    if (VIREO_CALL(tool, OPERATION_AWAIT, vireo_operation_timeout_args, &call, vireo_operation_ret,
                   &ret, &error) < 0)
        return tool_fail(error, "Failed to get operation %" PRIu64, id);
    print_operation(tool, &ret.operation);
    good = strcmp(ret.operation.state, "done") == 0;
    if (wait && !good)
        tool_fail(NULL, "operation %" PRIu64 " is %s", id, ret.operation.state);
    xdr_free((xdrproc_t)xdr_vireo_operation_ret, (char *)&ret);
    return wait && !good ? -EIO : 0;
}

/* A line on a terminal that is rewritten; nothing elsewhere. */
static void print_progress(const Tool *tool, const vireo_operation *operation, bool *shown) {
    if (tool->quiet || tool->json || !isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r\033[K%s: %u of %u devices, %s", operation->what, operation->done,
            operation->vcpus.vcpus_len, operation->state);
    fflush(stderr);
    *shown = true;
}

static int report_end(Tool *tool, const vireo_operation *operation, bool to_the_end) {
    if (strcmp(operation->state, "done") == 0) {
        if (to_the_end && operation->guest)
            tool_say(tool, "%s\n", *operation->guest);
        return 0;
    }
    if (strcmp(operation->state, "pending") == 0)
        return tool_fail(NULL,
                         "the guest has not released the vCPUs in time; operation %" PRIu64
                         " goes on, 'vireo ops' shows it",
                         (uint64_t)operation->id);
    return tool_fail(NULL, "%s", operation->detail ? *operation->detail : operation->state);
}

int ops_follow(Tool *tool, uint64_t id, bool to_the_end) {
    bool shown = false, over = false;
    int r = 0;

    while (!over) {
        CLEANUP_ERROR Error *error = NULL;
        vireo_operation_timeout_args call = {.id = id, .timeout_ms = PROGRESS_MS};
        vireo_operation_ret ret = {0};

        if (VIREO_CALL(tool, OPERATION_AWAIT, vireo_operation_timeout_args, &call,
                       vireo_operation_ret, &ret, &error) < 0)
            return tool_fail(error, "Failed to get operation %" PRIu64, id);
        over = ret.operation.ended || (!to_the_end && strcmp(ret.operation.state, "pending") == 0);
        over = over && (!to_the_end || ret.operation.guest ||
                        strcmp(ret.operation.state, "done") != 0 || !ret.operation.plug);
        if (!over)
            print_progress(tool, &ret.operation, &shown);
        else if (shown)
            fputs("\r\033[K", stderr);
        if (over)
            r = report_end(tool, &ret.operation, to_the_end);
        xdr_free((xdrproc_t)xdr_vireo_operation_ret, (char *)&ret);
    }
    return r;
}

static int ops_cancel(Tool *tool, uint64_t id) {
    CLEANUP_ERROR Error *error = NULL;
    vireo_operation_args call = {.id = id};

    if (rpc_client_call(tool->client, VIREO_PROGRAM, VIREO_PROC_OPERATION_CANCEL,
                        (xdrproc_t)xdr_vireo_operation_args, &call, NULL, NULL, -1, &error) < 0)
        return tool_fail(error, "Failed to cancel operation %" PRIu64, id);
    tool_say(tool, "Operation %" PRIu64 " cancelled\n", id);
    return 0;
}

static int ops_retry(Tool *tool, uint64_t id, uint64_t timeout_ms) {
    CLEANUP_ERROR Error *error = NULL;
    vireo_operation_timeout_args call = {.id = id, .timeout_ms = timeout_ms};

    if (rpc_client_call(tool->client, VIREO_PROGRAM, VIREO_PROC_OPERATION_RETRY,
                        (xdrproc_t)xdr_vireo_operation_timeout_args, &call, NULL, NULL, -1,
                        &error) < 0)
        return tool_fail(error, "Failed to retry operation %" PRIu64, id);
    tool_say(tool, "Operation %" PRIu64 " done\n", id);
    return 0;
}

static int cmd_ops(Tool *tool, const Args *args) {
    const char *action = args_string(args, "action");
    long long id = 0, seconds = 0;

    if (args_number(args, "id", 1, INT64_MAX, &id) < 0)
        return tool_fail(NULL, "Numeric value '%s' for <%s> option is malformed or out of range",
                         args_string(args, "id"), "id");
    if (args_number(args, "timeout", 0, 86400, &seconds) < 0)
        return tool_fail(NULL, "Numeric value '%s' for <%s> option is malformed or out of range",
                         args_string(args, "timeout"), "timeout");
    if (!action || strcmp(action, "list") == 0)
        return ops_list(tool, args);
    if (strcmp(action, "show") != 0 && strcmp(action, "await") != 0 &&
        strcmp(action, "cancel") != 0 && strcmp(action, "retry") != 0)
        return tool_fail(NULL, "unknown action '%s'; one of list, show, await, cancel, retry",
                         action);
    if (id == 0)
        return tool_fail(NULL, "ops %s needs the id of an operation; 'ops list --all' shows them",
                         action);
    if (strcmp(action, "show") == 0)
        return ops_await(tool, (uint64_t)id, 0, false);
    if (strcmp(action, "await") == 0)
        return ops_await(tool, (uint64_t)id,
                         (uint64_t)(args_has(args, "timeout") ? seconds : 86400) * 1000, true);
    return strcmp(action, "cancel") == 0 ? ops_cancel(tool, (uint64_t)id)
                                         : ops_retry(tool, (uint64_t)id, (uint64_t)seconds * 1000);
}

/* ---- trace ---- */

typedef struct Trace {
    uint64_t first; /* microseconds */
} Trace;

/* "2.106 > 0x5 {...}": seconds since the first line, direction, the domain's id, the JSON. */
static void print_trace(Tool *tool, const RpcEvent *event, void *userdata) {
    Trace *trace = userdata;
    vireo_trace_msg msg = {0};

    if (event->program == VIREO_PROGRAM && event->procedure == VIREO_PROC_EVENT_TRACE &&
        frame_decode(event->payload, event->len, (xdrproc_t)xdr_vireo_trace_msg, &msg) == 0) {
        uint64_t at;

        if (!trace->first)
            trace->first = msg.usec;
        at = msg.usec > trace->first ? msg.usec - trace->first : 0;
        printf("%3" PRIu64 ".%03" PRIu64 " %c 0x%x %s\n", at / USEC_PER_SEC, at / 1000 % 1000,
               (char)msg.direction, (unsigned)msg.dom.id, msg.text);
    }
    xdr_free((xdrproc_t)xdr_vireo_trace_msg, (char *)&msg);
}

static int cmd_trace(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    vireo_event_register_args call = {.kinds = 2, .dom = &dom};
    Trace trace = {0};

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (rpc_client_call(tool->client, VIREO_PROGRAM, VIREO_PROC_EVENT_REGISTER,
                        (xdrproc_t)xdr_vireo_event_register_args, &call, NULL, NULL, -1,
                        &error) < 0)
        return tool_fail(error, "Failed to trace domain '%s'", dom.name);
    return tool_follow(tool, print_trace, &trace);
}

static const Option ops_options[] = {
    {"action", OPTION_STRING, false, "list (the default), show, await, cancel or retry"},
    {"id", OPTION_NUMBER, false, "the operation"},
    {"domain", OPTION_STRING, false, "list: only those of this domain"},
    {"all", OPTION_FLAG, false, "list: also those that are over"},
    {"timeout", OPTION_NUMBER, false, "await, retry: seconds to wait"},
    OPTION_END};
static const Option trace_options[] = {OPTION_DOMAIN, OPTION_END};

static const Command commands[] = {
    {.name = "ops",
     .help = "operations: live vCPU changes under way",
     .description =
         "Lists live vCPU changes that are under way or pending in the guest, shows one, waits\n"
         "for it, gives it up, or asks the guest again.",
     .options = ops_options,
     .json = true,
     .run = cmd_ops},
    {.name = "trace",
     .help = "follow a domain's QMP conversation",
     .description =
         "Prints each line of QMP as it goes: > sent, < answered, ! event. Ends with Ctrl-C.",
     .options = trace_options,
     .run = cmd_trace},
    {0}};

const CommandGroup group_ops = {"Operations", "ops", commands};
