/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands for QEMU itself: its monitor, its events, and the guest's agent. */
#include "rpc/frame.h"
#include "tables.h"
#include "watch.h"

/* ---- qemu-monitor-command ---- */

/* "name", "name key:value" or whole JSON: what QEMU wants to read. `name` with JSON behind it
 * becomes
 * {"execute":name,"arguments":{...}}. */
static char *build_command(const Args *args, bool hmp) {
    char *text = text_format("%s", "");
    json_object *object, *arguments;

    for (size_t i = hmp || args->rest[0][0] == '{' ? 0 : 1; i < args->n_rest; i++) {
        CLEANUP_FREE char *before = text;

        text = text_format("%s%s%s", before, *before ? " " : "", args->rest[i]);
    }
    if (hmp || args->rest[0][0] == '{')
        return text;
    object = json_object_new_object();
    json_object_object_add(object, "execute", json_object_new_string(args->rest[0]));
    if (*text) {
        CLEANUP_FREE char *wrapped = *text == '{' ? text_format("%s", text)
                                                  : text_format("{%s}", text);

        arguments = json_tokener_parse(wrapped);
        if (!arguments) {
            json_object_put(object);
            free(text);
            return NULL;
        }
        json_object_object_add(object, "arguments", arguments);
    }
    free(text);
    text = text_format("%s", json_object_to_json_string_ext(
                                 object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(object);
    return text;
}

/* Text that was formatted anew gets no second empty line, as in virsh. */
static void print_formatted(const Tool *tool, json_object *object, int flags) {
    const char *text = json_object_to_json_string_ext(object,
                                                      flags | JSON_C_TO_STRING_NOSLASHESCAPE);

    printf(tool->quiet || tool->json ? "%s\n" : "%s", text);
}

static int print_reply(Tool *tool, const Args *args, const char *text) {
    json_object *object = NULL, *inner = NULL;
    bool value = args_has(args, "return-value");

    if (!args_has(args, "pretty") && !value && !tool->json) {
        puts(text);
        return 0;
    }
    object = args_has(args, "hmp") ? NULL : json_tokener_parse(text);
    if (!object && tool->json) {
        object = json_object_new_object();
        json_object_object_add(object, "text", json_object_new_string(text));
    }
    if (!object) {
        puts(text);
        return 0;
    }
    if (value) {
        if (!json_object_object_get_ex(object, "return", &inner)) {
            json_object_put(object);
            return tool_fail(NULL, "'return' key missing");
        }
        json_object_get(inner);
        json_object_put(object);
        object = inner;
    }
    print_formatted(tool, object,
                    args_has(args, "pretty") || tool->json
                        ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED
                        : JSON_C_TO_STRING_PLAIN);
    json_object_put(object);
    return 0;
}

static int cmd_monitor_command(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *text = NULL;
    qemu_domain_monitor_command_args call = {0};
    qemu_domain_monitor_command_ret ret = {0};
    int r;

    if (tool_exclusive(args, "hmp", "pretty") < 0 ||
        tool_exclusive(args, "hmp", "return-value") < 0 || tool_domain(tool, args, &dom) < 0)
        return -EIO;
    text = build_command(args, args_has(args, "hmp"));
    if (!text)
        return tool_fail(NULL, "the command's arguments are not JSON");
    call = (qemu_domain_monitor_command_args){
        .dom = dom, .cmd = text, .flags = args_has(args, "hmp")};
    if (rpc_client_call(tool->client, QEMU_PROGRAM, QEMU_PROC_DOMAIN_MONITOR_COMMAND,
                        (xdrproc_t)xdr_qemu_domain_monitor_command_args, &call,
                        (xdrproc_t)xdr_qemu_domain_monitor_command_ret, &ret, -1, &error) < 0)
        return tool_failed(error);
    r = print_reply(tool, args, ret.result);
    xdr_free((xdrproc_t)xdr_qemu_domain_monitor_command_ret, &ret);
    return r;
}

/* ---- qemu-monitor-event ---- */

static void print_qemu_text(const Watch *watch, const qemu_domain_monitor_event_msg *msg,
                            const char *details) {
    char when[64];

    if (watch->timestamp) {
        watch_format_now(when);
        printf("%s: event %s for domain '%s': %s\n", when, msg->event, msg->dom.name, details);
    } else {
        printf("event %s at %lld.%06u for domain '%s': %s\n", msg->event, (long long)msg->seconds,
               msg->micros, msg->dom.name, details);
    }
}

static void print_qemu_json(const qemu_domain_monitor_event_msg *msg, const char *details) {
    json_object *object = json_object_new_object();

    json_object_object_add(object, "event", json_object_new_string(msg->event));
    json_object_object_add(object, "domain", json_object_new_string(msg->dom.name));
    json_object_object_add(object, "seconds", json_object_new_int64(msg->seconds));
    json_object_object_add(object, "microseconds", json_object_new_int64(msg->micros));
    json_object_object_add(object, "data", msg->details ? json_tokener_parse(details) : NULL);
    watch_print_json(object);
}

static bool print_qemu_event(Watch *watch, const RpcEvent *event) {
    qemu_domain_monitor_event_msg msg = {0};
    const char *details = "<null>"; /* what virsh prints without details */
    json_object *object;
    bool ok;

    if (event->program != QEMU_PROGRAM || event->procedure != QEMU_PROC_DOMAIN_MONITOR_EVENT)
        return false;
    ok = frame_decode(event->payload, event->len, (xdrproc_t)xdr_qemu_domain_monitor_event_msg,
                      &msg) == 0;
    if (ok && msg.details)
        details = *msg.details;
    if (ok && watch->tool->json) {
        print_qemu_json(&msg, details);
    } else if (ok && watch->pretty && (object = json_tokener_parse(details))) {
        print_qemu_text(watch, &msg,
                        json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
                                                                   JSON_C_TO_STRING_SPACED |
                                                                   JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(object);
    } else if (ok) {
        print_qemu_text(watch, &msg, details);
    }
    xdr_free((xdrproc_t)xdr_qemu_domain_monitor_event_msg, &msg);
    return ok;
}

static int cmd_monitor_event(Tool *tool, const Args *args) {
    remote_string name = (char *)args_string(args, "event");
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    qemu_connect_domain_monitor_event_register_args call;
    qemu_connect_domain_monitor_event_register_ret ret = {0};
    qemu_connect_domain_monitor_event_deregister_args done;
    Watch watch;
    int r;

    if (watch_options(&watch, tool, args) < 0 ||
        (args_has(args, "domain") && tool_domain(tool, args, &dom) < 0))
        return -EIO;
    watch.print = print_qemu_event;
    watch.pretty = args_has(args, "pretty");
    call = (qemu_connect_domain_monitor_event_register_args){
        .dom = args_has(args, "domain") ? &dom : NULL,
        .event = name ? &name : NULL,
        .flags = (args_has(args, "regex") ? 1u : 0) | (args_has(args, "no-case") ? 2u : 0)};
    if (rpc_client_call(tool->client, QEMU_PROGRAM, QEMU_PROC_CONNECT_DOMAIN_MONITOR_EVENT_REGISTER,
                        (xdrproc_t)xdr_qemu_connect_domain_monitor_event_register_args, &call,
                        (xdrproc_t)xdr_qemu_connect_domain_monitor_event_register_ret, &ret, -1,
                        &error) < 0)
        return tool_failed(error);
    r = watch_events(&watch);
    done.callbackID = ret.callbackID;
    rpc_client_call(tool->client, QEMU_PROGRAM, QEMU_PROC_CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER,
                    (xdrproc_t)xdr_qemu_connect_domain_monitor_event_deregister_args, &done, NULL,
                    NULL, -1, NULL);
    return r;
}

/* ---- qemu-agent-command ---- */

static void print_agent_reply(const char *text, bool pretty) {
    json_object *object = pretty ? json_tokener_parse(text) : NULL;

    puts(object ? json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
                                                             JSON_C_TO_STRING_SPACED |
                                                             JSON_C_TO_STRING_NOSLASHESCAPE)
                : text);
    json_object_put(object);
}

static int cmd_agent_command(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *text = text_format("%s", "");
    long long seconds = args_has(args, "async")   ? AGENT_COMMAND_NOWAIT
                        : args_has(args, "block") ? AGENT_COMMAND_BLOCK
                                                  : AGENT_COMMAND_DEFAULT;
    qemu_domain_agent_command_args call;
    qemu_domain_agent_command_ret ret = {0};

    if (tool_exclusive(args, "timeout", "async") < 0 ||
        tool_exclusive(args, "timeout", "block") < 0 || tool_exclusive(args, "async", "block") < 0)
        return -EINVAL;
    if (args_number(args, "timeout", 1, 3600, &seconds) < 0)
        return tool_bad_number(args, "timeout");
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
        return tool_failed(error);
    if (ret.result)
        print_agent_reply(*ret.result, args_has(args, "pretty"));
    xdr_free((xdrproc_t)xdr_qemu_domain_agent_command_ret, (char *)&ret);
    return 0;
}

/* ---- tables ---- */

static const Option agent_options[] = {
    OPTION_DOMAIN,
    {"timeout", OPTION_NUMBER, false, "seconds to wait for the agent; its default without",
     .named = true},
    {"async", OPTION_FLAG, false, "do not wait for the agent's answer"},
    {"block", OPTION_FLAG, false, "wait for it without limit"},
    {"pretty", OPTION_FLAG, false, "print JSON for people"},
    {"cmd", OPTION_REST, true, "the command, as JSON"},
    OPTION_END};
static const Option command_options[] = {
    OPTION_DOMAIN,
    {"hmp", OPTION_FLAG, false, "command is in human monitor protocol"},
    {"pretty", OPTION_FLAG, false, "pretty-print any qemu monitor protocol output"},
    {"return-value", OPTION_FLAG, false,
     "extract the value of the 'return' key from the returned string"},
    {"cmd", OPTION_REST, true, "command"},
    OPTION_END};
static const Option monitor_event_options[] = {
    FILTER_OPTION,
    {"event", OPTION_STRING, false, "filter by event name"},
    {"pretty", OPTION_FLAG, false, "pretty-print any JSON output"},
    LOOP_OPTION,
    TIMEOUT_OPTION,
    {"regex", OPTION_FLAG, false, "treat event as a regex rather than literal filter"},
    {"no-case", OPTION_FLAG, false, "treat event case-insensitively"},
    TIMESTAMP_OPTION,
    OPTION_END};

const Command commands_qemu[] = {{.name = "qemu-agent-command",
                                  .help = "send a command to the guest's agent",
                                  .options = agent_options,
                                  .run = cmd_agent_command},
                                 {.name = "qemu-monitor-command",
                                  .help = "QEMU Monitor Command",
                                  .description = "QEMU Monitor Command",
                                  .options = command_options,
                                  .json = true,
                                  .run = cmd_monitor_command},
                                 {.name = "qemu-monitor-event",
                                  .help = "QEMU Monitor Events",
                                  .description = "Listen for QEMU Monitor Events",
                                  .options = monitor_event_options,
                                  .json = true,
                                  .run = cmd_monitor_event},
                                 {0}};
