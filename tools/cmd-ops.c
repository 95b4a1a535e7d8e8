/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ops: operations that are under way, pending or over. */
#include <inttypes.h>
#include <time.h>

#include "operation.h"
#include "tables.h"

static void format_time(uint64_t usec, char ret[32]) {
    time_t seconds = (time_t)(usec / USEC_PER_SEC);
    struct tm tm;

    if (usec == 0 || !localtime_r(&seconds, &tm) || !strftime(ret, 32, "%Y-%m-%d %H:%M:%S", &tm))
        snprintf(ret, 32, "-");
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

static int ops_list(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    vireo_operation_list_ret ret = {0};

    if (args_has(args, "domain") && tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (operation_list(tool, args_has(args, "domain") ? &dom : NULL, args_has(args, "all"), &ret,
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

static int ops_cancel(Tool *tool, uint64_t id) {
    CLEANUP_ERROR Error *error = NULL;
    vireo_operation_args call = {.id = id};

    if (VIREO_CALL_VOID(tool, OPERATION_CANCEL, vireo_operation_args, &call, &error) < 0)
        return tool_fail(error, "Failed to cancel operation %" PRIu64, id);
    tool_say(tool, "Operation %" PRIu64 " cancelled\n", id);
    return 0;
}

static int ops_retry(Tool *tool, uint64_t id, uint64_t timeout_ms) {
    CLEANUP_ERROR Error *error = NULL;
    vireo_operation_timeout_args call = {.id = id, .timeout_ms = timeout_ms};

    if (VIREO_CALL_VOID(tool, OPERATION_RETRY, vireo_operation_timeout_args, &call, &error) < 0)
        return tool_fail(error, "Failed to retry operation %" PRIu64, id);
    tool_say(tool, "Operation %" PRIu64 " done\n", id);
    return 0;
}

static int cmd_ops(Tool *tool, const Args *args) {
    const char *action = args_string(args, "action");
    long long id = 0, seconds = 0;

    if (args_number(args, "id", 1, INT64_MAX, &id) < 0)
        return tool_bad_number(args, "id");
    if (args_number(args, "timeout", 0, 86400, &seconds) < 0)
        return tool_bad_number(args, "timeout");
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

/* ---- tables ---- */

static const char *const ops_actions[] = {"list", "show", "await", "cancel", "retry", NULL};
static const Option ops_options[] = {
    {"action", OPTION_STRING, false, "list (the default), show, await, cancel or retry",
     .value = VALUE_WORD, .words = ops_actions},
    {"id", OPTION_NUMBER, false, "the operation"},
    {"domain", OPTION_STRING, false, "list: only those of this domain", .named = true,
     .value = VALUE_DOMAIN},
    {"all", OPTION_FLAG, false, "list: also those that are over"},
    {"timeout", OPTION_NUMBER, false, "await, retry: seconds to wait", .named = true},
    OPTION_END};

const Command commands_ops[] = {
    {.name = "ops",
     .help = "operations: live vCPU changes under way",
     .description =
         "Lists live vCPU changes that are under way or pending in the guest, shows one, waits\n"
         "for it, gives it up, or asks the guest again.",
     .options = ops_options,
     .json = true,
     .run = cmd_ops},
    {0}};
