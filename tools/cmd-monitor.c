/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The QEMU monitor and events. */
#include <signal.h>
#include <time.h>

#include "param.h"
#include "rpc/frame.h"

#define DRIFT_EVENTS 4u /* of vireo_event_register_args' kinds */

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
        return tool_fail(NULL, "%s", error_message(error));
    r = print_reply(tool, args, ret.result);
    xdr_free((xdrproc_t)xdr_qemu_domain_monitor_command_ret, &ret);
    return r;
}

/* ---- waiting for events ---- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
    interrupted = 1;
}

typedef struct Watch {
    Tool *tool;
    bool loop, timestamp, pretty;
    long long timeout_s; /* 0: none */
    unsigned seen;
    /* Prints one event; false when it is none of ours. */
    bool (*print)(struct Watch *watch, const RpcEvent *event);
} Watch;

static int64_t now_ms(void) {
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* 0 when an event was seen, 1 interrupted, 2 at the timeout, negative: lost. */
static int wait_events(Watch *watch, Error **reterr) {
    int64_t deadline = watch->timeout_s ? now_ms() + watch->timeout_s * 1000 : -1;

    while (watch->loop || watch->seen == 0) {
        int64_t left = deadline < 0 ? -1 : MAX_OF(deadline - now_ms(), (int64_t)0);
        RpcEvent event;
        int r;

        r = interrupted
                ? -EINTR
                : rpc_client_next_event(watch->tool->client,
                                        left > INT32_MAX ? INT32_MAX : (int)left, &event, reterr);
        if (r == -EINTR && interrupted)
            return 1;
        if (r == -EINTR)
            continue;
        if (r < 0)
            return r;
        if (r == 0 && deadline >= 0 && now_ms() >= deadline)
            return 2;
        if (r == 0)
            continue;
        if (watch->print(watch, &event))
            watch->seen++;
        free(event.payload);
        fflush(stdout);
    }
    return 0;
}

static int watch_events(Watch *watch) {
    struct sigaction action = {.sa_handler = on_interrupt}, before;
    CLEANUP_ERROR Error *error = NULL;
    int r;

    interrupted = 0;
    sigaction(SIGINT, &action, &before);
    r = wait_events(watch, &error);
    sigaction(SIGINT, &before, NULL);
    if (r < 0)
        return tool_fail(NULL, "%s", error_message(error));
    if (watch->tool->json)
        return watch->seen ? 0 : -ENOENT;
    if (r == 1)
        printf("event loop interrupted\n");
    if (r == 2)
        printf("event loop timed out\n");
    printf("events received: %u\n", watch->seen);
    return watch->seen ? 0 : -ENOENT;
}

typedef struct Follow {
    Watch watch;
    void (*print)(Tool *tool, const RpcEvent *event, void *userdata);
    void *userdata;
} Follow;

static bool follow_print(Watch *watch, const RpcEvent *event) {
    Follow *follow = CONTAINER_OF(watch, Follow, watch);

    follow->print(watch->tool, event, follow->userdata);
    return true;
}

int tool_follow(Tool *tool, void (*print)(Tool *tool, const RpcEvent *event, void *userdata),
                void *userdata) {
    Follow follow = {.watch = {.tool = tool, .loop = true, .print = follow_print},
                     .print = print,
                     .userdata = userdata};
    struct sigaction action = {.sa_handler = on_interrupt}, before;
    CLEANUP_ERROR Error *error = NULL;
    int r;

    interrupted = 0;
    sigaction(SIGINT, &action, &before);
    r = wait_events(&follow.watch, &error);
    sigaction(SIGINT, &before, NULL);
    return r < 0 ? tool_fail(NULL, "%s", error_message(error)) : 0;
}

static void format_now(char ret[64]) {
    struct timespec ts;
    struct tm tm;
    size_t n;

    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    n = strftime(ret, 40, "%Y-%m-%d %H:%M:%S", &tm);
    snprintf(ret + n, 64 - n, ".%03ld+0000", ts.tv_nsec / 1000000);
}

static int watch_options(Watch *watch, Tool *tool, const Args *args) {
    *watch = (Watch){
        .tool = tool, .loop = args_has(args, "loop"), .timestamp = args_has(args, "timestamp")};
    if (args_number(args, "timeout", 1, INT32_MAX / 1000, &watch->timeout_s) < 0)
        return tool_fail(NULL, "Numeric value '%s' for <%s> option is malformed or out of range",
                         args_string(args, "timeout"), "timeout");
    return 0;
}

/* One JSON object per line, so that a reader can follow. */
static void print_json_line(json_object *object) {
    puts(json_object_to_json_string_ext(object,
                                        JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(object);
}

/* ---- domain events ---- */

typedef enum EventKind {
    EVENT_LIFECYCLE,
    EVENT_DOMAIN,
    EVENT_DEVICE,
    EVENT_AGENT,
    EVENT_VCPU,
    EVENT_TUNABLE,
    EVENT_DRIFT, /* of Vireo's own program, and has no id */
} EventKind;

static const struct EventType {
    const char *name;
    int id, message;
    EventKind kind;
} event_types[] = {
    {"lifecycle", 0, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, EVENT_LIFECYCLE},
    {"reboot", 1, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_REBOOT, EVENT_DOMAIN},
    {"device-removed", 15, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED, EVENT_DEVICE},
    {"tunable", 17, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_TUNABLE, EVENT_TUNABLE},
    {"agent-lifecycle", 18, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE, EVENT_AGENT},
    {"device-added", 19, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_ADDED, EVENT_DEVICE},
    {"device-removal-failed", 22, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED,
     EVENT_DEVICE},
    {"vcpu-removed", 28, REMOTE_PROC_DOMAIN_EVENT_VCPU_REMOVED, EVENT_VCPU},
    {"drift", -1, VIREO_PROC_EVENT_DRIFT, EVENT_DRIFT},
};

static const char *lifecycle_name(int event) {
    static const char *const names[] = {"Defined",   "Undefined",   "Started",
                                        "Suspended", "Resumed",     "Stopped",
                                        "Shutdown",  "PMSuspended", "Crashed"};

    return event >= 0 && (size_t)event < ARRAY_SIZE(names) ? names[event] : "unknown";
}

#define DETAILS_MAX 9

static const char *lifecycle_detail(int event, int detail) {
    static const char *const names[][DETAILS_MAX] = {
        {"Added", "Updated", "Renamed", "Snapshot"},
        {"Removed", "Renamed"},
        {"Booted", "Migrated", "Restored", "Snapshot", "Event wakeup"},
        {"Paused", "Migrated", "I/O Error", "Watchdog", "Restored", "Snapshot", "API error",
         "Post-copy", "Post-copy Error"},
        {"Unpaused", "Migrated", "Snapshot", "Post-copy", "Post-copy Error"},
        {"Shutdown", "Destroyed", "Crashed", "Migrated", "Saved", "Failed", "Snapshot"},
        {"Finished", "Finished after guest request", "Finished after host request"},
        {"Memory", "Disk"},
        {"Panicked", "Crashloaded"},
    };

    if (event < 0 || (size_t)event >= ARRAY_SIZE(names) || detail < 0 || detail >= DETAILS_MAX ||
        !names[event][detail])
        return "unknown";
    return names[event][detail];
}

/* What all events have in common: as JSON, and as the beginning of a line. */
static json_object *event_json(const char *name, const remote_domain *dom) {
    json_object *object = json_object_new_object();
    char when[64];

    format_now(when);
    json_object_object_add(object, "event", json_object_new_string(name));
    json_object_object_add(object, "domain", json_object_new_string(dom->name));
    json_object_object_add(object, "time", json_object_new_string(when));
    return object;
}

static void print_event_head(const Watch *watch, const char *name, const remote_domain *dom) {
    char when[64];

    format_now(when);
    if (watch->timestamp)
        printf("%s: ", when);
    printf("event '%s' for domain '%s'", name, dom->name);
}

static void print_event(const Watch *watch, const char *name, const remote_domain *dom,
                        const char *key, const char *text) {
    if (watch->tool->json) {
        json_object *object = event_json(name, dom);

        if (text)
            json_object_object_add(object, key, json_object_new_string(text));
        print_json_line(object);
        return;
    }
    print_event_head(watch, name, dom);
    printf("%s%s\n", text ? ": " : "", text ? text : "");
}

static bool print_lifecycle(Watch *watch, const struct EventType *type, const RpcEvent *event) {
    remote_domain_event_callback_lifecycle_msg msg = {0};
    bool ok = frame_decode(event->payload, event->len,
                           (xdrproc_t)xdr_remote_domain_event_callback_lifecycle_msg, &msg) == 0;

    if (ok) {
        CLEANUP_FREE char *text = text_format("%s %s", lifecycle_name(msg.event),
                                              lifecycle_detail(msg.event, msg.detail));

        print_event(watch, type->name, &msg.dom, "detail", text);
    }
    xdr_free((xdrproc_t)xdr_remote_domain_event_callback_lifecycle_msg, &msg);
    return ok;
}

static bool print_plain(Watch *watch, const struct EventType *type, const RpcEvent *event) {
    remote_domain_event_callback_domain_msg msg = {0};
    bool ok = frame_decode(event->payload, event->len,
                           (xdrproc_t)xdr_remote_domain_event_callback_domain_msg, &msg) == 0;

    if (ok)
        print_event(watch, type->name, &msg.dom, NULL, NULL);
    xdr_free((xdrproc_t)xdr_remote_domain_event_callback_domain_msg, &msg);
    return ok;
}

static bool print_device(Watch *watch, const struct EventType *type, const RpcEvent *event) {
    remote_domain_event_callback_device_msg msg = {0};
    bool ok = frame_decode(event->payload, event->len,
                           (xdrproc_t)xdr_remote_domain_event_callback_device_msg, &msg) == 0;

    if (ok)
        print_event(watch, type->name, &msg.dom, "device", msg.devAlias);
    xdr_free((xdrproc_t)xdr_remote_domain_event_callback_device_msg, &msg);
    return ok;
}

static bool print_agent(Watch *watch, const struct EventType *type, const RpcEvent *event) {
    remote_domain_event_callback_agent_lifecycle_msg msg = {0};
    bool ok = frame_decode(event->payload, event->len,
                           (xdrproc_t)xdr_remote_domain_event_callback_agent_lifecycle_msg,
                           &msg) == 0;

    if (ok)
        print_event(watch, type->name, &msg.dom, "state",
                    msg.state == 1 ? "connected" : "disconnected");
    xdr_free((xdrproc_t)xdr_remote_domain_event_callback_agent_lifecycle_msg, &msg);
    return ok;
}

static bool print_vcpu(Watch *watch, const struct EventType *type, const RpcEvent *event) {
    remote_domain_event_vcpu_removed_msg msg = {0};
    bool ok = frame_decode(event->payload, event->len,
                           (xdrproc_t)xdr_remote_domain_event_vcpu_removed_msg, &msg) == 0;

    if (ok) {
        CLEANUP_FREE char *text = text_format("%u", msg.vcpu);

        print_event(watch, type->name, &msg.dom, "vcpu", text);
    }
    xdr_free((xdrproc_t)xdr_remote_domain_event_vcpu_removed_msg, &msg);
    return ok;
}

/* virsh has the parameters in lines of their own. */
static bool print_tunable(Watch *watch, const struct EventType *type, const RpcEvent *event) {
    remote_domain_event_callback_tunable_msg msg = {0};
    bool ok = frame_decode(event->payload, event->len,
                           (xdrproc_t)xdr_remote_domain_event_callback_tunable_msg, &msg) == 0;

    if (ok && watch->tool->json) {
        json_object *object = event_json(type->name, &msg.dom), *params = json_object_new_object();

        params_add_json(params, msg.params.params_val, msg.params.params_len);
        json_object_object_add(object, "params", params);
        print_json_line(object);
    } else if (ok) {
        print_event_head(watch, type->name, &msg.dom);
        printf(":\n");
        for (u_int i = 0; i < msg.params.params_len; i++) {
            CLEANUP_FREE char *text = param_format(&msg.params.params_val[i]);

            printf("\t%s: %s\n", msg.params.params_val[i].field, text);
        }
    }
    xdr_free((xdrproc_t)xdr_remote_domain_event_callback_tunable_msg, (char *)&msg);
    return ok;
}

/* Somebody changed the limits of a domain's threads behind the daemon's back, and it has mended
 * them. */
static bool print_drift(Watch *watch, const struct EventType *type, const RpcEvent *event) {
    vireo_drift_msg msg = {0};
    bool ok = frame_decode(event->payload, event->len, (xdrproc_t)xdr_vireo_drift_msg, &msg) == 0;

    if (ok && watch->tool->json) {
        json_object *object = event_json(type->name, &msg.dom);

        json_object_object_add(object, "differences", json_object_new_int64(msg.differences));
        json_object_object_add(object, "mended", json_lines(msg.text));
        print_json_line(object);
    } else if (ok) {
        print_event_head(watch, type->name, &msg.dom);
        printf(":\n");
        for (const char *line = msg.text; *line;) {
            int len = (int)strcspn(line, "\n");

            printf("\t%.*s\n", len, line);
            line += len + (line[len] == '\n');
        }
    }
    xdr_free((xdrproc_t)xdr_vireo_drift_msg, (char *)&msg);
    return ok;
}

static bool print_domain_event(Watch *watch, const RpcEvent *event) {
    static bool (*const printers[])(Watch *, const struct EventType *, const RpcEvent *) = {
        [EVENT_LIFECYCLE] = print_lifecycle, [EVENT_DOMAIN] = print_plain,
        [EVENT_DEVICE] = print_device,       [EVENT_AGENT] = print_agent,
        [EVENT_VCPU] = print_vcpu,           [EVENT_TUNABLE] = print_tunable,
        [EVENT_DRIFT] = print_drift};

    for (size_t i = 0; i < ARRAY_SIZE(event_types); i++) {
        const struct EventType *type = &event_types[i];

        if (event->program == (type->kind == EVENT_DRIFT ? VIREO_PROGRAM : REMOTE_PROGRAM) &&
            event->procedure == type->message)
            return printers[type->kind](watch, type, event);
    }
    return false;
}

/* ---- event ---- */

/* What was registered, to be taken back. */
typedef struct Registered {
    int ids[ARRAY_SIZE(event_types)];
    size_t n_ids;
    bool drift;
} Registered;

static int register_drift(Tool *tool, unsigned kinds, remote_domain *dom, Error **reterr) {
    vireo_event_register_args call = {.kinds = kinds, .dom = dom};

    return rpc_client_call(tool->client, VIREO_PROGRAM, VIREO_PROC_EVENT_REGISTER,
                           (xdrproc_t)xdr_vireo_event_register_args, &call, NULL, NULL, -1, reterr);
}

static int register_event(Tool *tool, const struct EventType *type, remote_domain *dom,
                          Registered *registered, Error **reterr) {
    remote_connect_domain_event_callback_register_any_args call = {.eventID = type->id, .dom = dom};
    remote_connect_domain_event_callback_register_any_ret ret = {0};
    int r;

    if (type->kind == EVENT_DRIFT) {
        r = register_drift(tool, DRIFT_EVENTS, dom, reterr);
        registered->drift = r >= 0;
        return r;
    }
    r = CALL(tool, CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
             remote_connect_domain_event_callback_register_any_args, &call,
             remote_connect_domain_event_callback_register_any_ret, &ret, reterr);
    if (r >= 0)
        registered->ids[registered->n_ids++] = ret.callbackID;
    return r;
}

/* Registers all types (name NULL: single refusals are passed over) or one. */
static int register_events(Tool *tool, const char *name, remote_domain *dom,
                           Registered *registered) {
    bool known = false;

    for (size_t i = 0; i < ARRAY_SIZE(event_types); i++) {
        CLEANUP_ERROR Error *error = NULL;

        if (name && !streq(name, event_types[i].name))
            continue;
        known = true;
        if (register_event(tool, &event_types[i], dom, registered, &error) < 0 && name)
            return tool_fail(NULL, "%s", error_message(error));
    }
    return known ? 0 : tool_fail(NULL, "unknown event type %s", name);
}

static void deregister_events(Tool *tool, const Registered *registered) {
    for (size_t i = 0; i < registered->n_ids; i++) {
        remote_connect_domain_event_callback_deregister_any_args call = {
            .callbackID = registered->ids[i]};

        CALL_VOID(tool, CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY,
                  remote_connect_domain_event_callback_deregister_any_args, &call, NULL);
    }
    if (registered->drift)
        register_drift(tool, 0, NULL, NULL);
}

static int cmd_event(Tool *tool, const Args *args) {
    const char *name = args_string(args, "event");
    CLEANUP_DOMAIN remote_domain dom = {0};
    bool with_domain = args_has(args, "domain");
    Registered registered = {0};
    Watch watch;
    int r;

    if (args_has(args, "list")) {
        for (size_t i = 0; i < ARRAY_SIZE(event_types); i++)
            puts(event_types[i].name);
        return 0;
    }
    if (!name == !args_has(args, "all"))
        return tool_fail(NULL, name ? "Options --all and --event are mutually exclusive"
                                    : "one of --list, --all, or --event <type> is required");
    if (watch_options(&watch, tool, args) < 0 || tool_connect(tool) < 0 ||
        (with_domain && tool_domain(tool, args, &dom) < 0))
        return -EIO;
    watch.print = print_domain_event;
    r = register_events(tool, name, with_domain ? &dom : NULL, &registered);
    if (r == 0)
        r = watch_events(&watch);
    deregister_events(tool, &registered);
    return r;
}

/* ---- QEMU events ---- */

static void print_qemu_text(const Watch *watch, const qemu_domain_monitor_event_msg *msg,
                            const char *details) {
    char when[64];

    if (watch->timestamp) {
        format_now(when);
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
    print_json_line(object);
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
        return tool_fail(NULL, "%s", error_message(error));
    r = watch_events(&watch);
    done.callbackID = ret.callbackID;
    rpc_client_call(tool->client, QEMU_PROGRAM, QEMU_PROC_CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER,
                    (xdrproc_t)xdr_qemu_connect_domain_monitor_event_deregister_args, &done, NULL,
                    NULL, -1, NULL);
    return r;
}

/* ---- tables ---- */

#define FILTER_OPTION                                                                              \
    { "domain", OPTION_STRING, false, "filter by domain name, id or uuid" }
#define LOOP_OPTION                                                                                \
    { "loop", OPTION_FLAG, false, "loop until timeout or interrupt, rather than one-shot" }
#define TIMEOUT_OPTION                                                                             \
    { "timeout", OPTION_NUMBER, false, "timeout seconds" }
#define TIMESTAMP_OPTION                                                                           \
    { "timestamp", OPTION_FLAG, false, "show timestamp for each printed event" }

static const Option command_options[] = {
    OPTION_DOMAIN,
    {"hmp", OPTION_FLAG, false, "command is in human monitor protocol"},
    {"pretty", OPTION_FLAG, false, "pretty-print any qemu monitor protocol output"},
    {"return-value", OPTION_FLAG, false,
     "extract the value of the 'return' key from the returned string"},
    {"cmd", OPTION_REST, true, "command"},
    OPTION_END};
static const Option event_options[] = {
    FILTER_OPTION,
    {"event", OPTION_STRING, false, "which event type to wait for"},
    {"all", OPTION_FLAG, false, "wait for all events instead of just one type"},
    LOOP_OPTION,
    TIMEOUT_OPTION,
    {"list", OPTION_FLAG, false, "list valid event types"},
    TIMESTAMP_OPTION,
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

static const Command commands[] = {
    {.name = "event",
     .help = "Domain Events",
     .description = "List event types, or wait for domain events to occur",
     .options = event_options,
     .local = true,
     .json = true,
     .run = cmd_event},
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

const CommandGroup group_monitor = {"QEMU Monitor and Events", "events", commands};
