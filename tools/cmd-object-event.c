/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* net-event, pool-event, secret-event, nodedev-event: what becomes of the other objects. */
#include "rpc/frame.h"
#include "tables.h"
#include "watch.h"

#define TYPES_MAX 2
#define NAMES_MAX 6
#define TEXT_SIZE 256

typedef struct EventType {
    const char *name;
    int id, procedure; /* VIR_..._EVENT_ID_..., and the message that tells of it */
    bool lifecycle;    /* it says what happened */
} EventType;

typedef struct ObjectKind {
    const char *noun;   /* "network": of sentences */
    const char *option; /* that names one */
    int register_any, deregister_any;
    xdrproc_t xdr_register;
    EventType types[TYPES_MAX]; /* one without a name ends them */
    const char *events[NAMES_MAX];
    /* Which object it is about: as printed, and its other name ("": none). -EBADMSG. */
    int (*read)(const EventType *type, const RpcEvent *event, char text[TEXT_SIZE],
                char other[TEXT_SIZE], int *ret_event);
} ObjectKind;

/* ---- messages ---- */

static void put(char to[TEXT_SIZE], const char *text) {
    snprintf(to, TEXT_SIZE, "%s", text);
}

/* Networks and pools, which are the same on the wire. */
static int read_named(const EventType *type, const RpcEvent *event, char text[TEXT_SIZE],
                      char other[TEXT_SIZE], int *ret_event) {
    remote_storage_pool_event_lifecycle_msg whole = {0};
    remote_storage_pool_event_refresh_msg part = {0};
    xdrproc_t xdr = type->lifecycle ? (xdrproc_t)xdr_remote_storage_pool_event_lifecycle_msg
                                    : (xdrproc_t)xdr_remote_storage_pool_event_refresh_msg;
    void *msg = type->lifecycle ? (void *)&whole : (void *)&part;
    int r = frame_decode(event->payload, event->len, xdr, msg);

    if (r >= 0) {
        put(text, type->lifecycle ? whole.pool.name : part.pool.name);
        format_uuid(type->lifecycle ? whole.pool.uuid : part.pool.uuid, other);
        *ret_event = whole.event;
    }
    xdr_free(xdr, msg);
    return r;
}

static int read_device(const EventType *type, const RpcEvent *event, char text[TEXT_SIZE],
                       char other[TEXT_SIZE], int *ret_event) {
    remote_node_device_event_lifecycle_msg msg = {0};
    int r = frame_decode(event->payload, event->len,
                         (xdrproc_t)xdr_remote_node_device_event_lifecycle_msg, &msg);

    if (r >= 0) {
        put(text, msg.dev.name);
        other[0] = '\0';
        *ret_event = msg.event;
    }
    xdr_free((xdrproc_t)xdr_remote_node_device_event_lifecycle_msg, (char *)&msg);
    return r;
}

static int read_secret(const EventType *type, const RpcEvent *event, char text[TEXT_SIZE],
                       char other[TEXT_SIZE], int *ret_event) {
    remote_secret_event_lifecycle_msg whole = {0};
    remote_secret_event_value_changed_msg part = {0};
    xdrproc_t xdr = type->lifecycle ? (xdrproc_t)xdr_remote_secret_event_lifecycle_msg
                                    : (xdrproc_t)xdr_remote_secret_event_value_changed_msg;
    void *msg = type->lifecycle ? (void *)&whole : (void *)&part;
    int r = frame_decode(event->payload, event->len, xdr, msg);

    if (r >= 0) {
        format_uuid(type->lifecycle ? whole.secret.uuid : part.secret.uuid, text);
        other[0] = '\0';
        *ret_event = whole.event;
    }
    xdr_free(xdr, msg);
    return r;
}

static const ObjectKind network_kind = {
    .noun = "network",
    .option = "network",
    .register_any = REMOTE_PROC_CONNECT_NETWORK_EVENT_REGISTER_ANY,
    .deregister_any = REMOTE_PROC_CONNECT_NETWORK_EVENT_DEREGISTER_ANY,
    .xdr_register = (xdrproc_t)xdr_remote_named_event_register_args,
    .types = {{"lifecycle", 0, REMOTE_PROC_NETWORK_EVENT_LIFECYCLE, true}},
    .events = {"Defined", "Undefined", "Started", "Stopped"},
    .read = read_named};

static const ObjectKind pool_kind = {
    .noun = "storage pool",
    .option = "pool",
    .register_any = REMOTE_PROC_CONNECT_STORAGE_POOL_EVENT_REGISTER_ANY,
    .deregister_any = REMOTE_PROC_CONNECT_STORAGE_POOL_EVENT_DEREGISTER_ANY,
    .xdr_register = (xdrproc_t)xdr_remote_named_event_register_args,
    .types = {{"lifecycle", 0, REMOTE_PROC_STORAGE_POOL_EVENT_LIFECYCLE, true},
              {"refresh", 1, REMOTE_PROC_STORAGE_POOL_EVENT_REFRESH, false}},
    .events = {"Defined", "Undefined", "Started", "Stopped", "Created", "Deleted"},
    .read = read_named};

static const ObjectKind device_kind = {
    .noun = "node device",
    .option = "device",
    .register_any = REMOTE_PROC_CONNECT_NODE_DEVICE_EVENT_REGISTER_ANY,
    .deregister_any = REMOTE_PROC_CONNECT_NODE_DEVICE_EVENT_DEREGISTER_ANY,
    .xdr_register = (xdrproc_t)xdr_remote_node_device_event_register_args,
    .types = {{"lifecycle", 0, REMOTE_PROC_NODE_DEVICE_EVENT_LIFECYCLE, true}},
    .events = {"Created", "Deleted", "Defined", "Undefined"},
    .read = read_device};

static const ObjectKind secret_kind = {
    .noun = "secret",
    .option = "secret",
    .register_any = REMOTE_PROC_CONNECT_SECRET_EVENT_REGISTER_ANY,
    .deregister_any = REMOTE_PROC_CONNECT_SECRET_EVENT_DEREGISTER_ANY,
    .xdr_register = (xdrproc_t)xdr_remote_secret_event_register_args,
    .types = {{"lifecycle", 0, REMOTE_PROC_SECRET_EVENT_LIFECYCLE, true},
              {"value-changed", 1, REMOTE_PROC_SECRET_EVENT_VALUE_CHANGED, false}},
    .events = {"Defined", "Undefined"},
    .read = read_secret};

/* ---- waiting ---- */

typedef struct ObjectWatch {
    const ObjectKind *kind;
    const EventType *type;
    const char *only; /* NULL: all */
} ObjectWatch;

static void print(const Watch *watch, const ObjectWatch *own, const char *text, const char *what) {
    char when[64];

    watch_format_now(when);
    if (watch->tool->json) {
        json_object *object = json_object_new_object();

        json_object_object_add(object, "event", json_object_new_string(own->type->name));
        json_object_object_add(object, own->kind->option, json_object_new_string(text));
        json_object_object_add(object, "time", json_object_new_string(when));
        if (what)
            json_object_object_add(object, "detail", json_object_new_string(what));
        watch_print_json(object);
        return;
    }
    if (watch->timestamp)
        printf("%s: ", when);
    printf("event '%s' for %s %s%s%s\n", own->type->name, own->kind->noun, text, what ? ": " : "",
           what ? what : "");
}

static bool print_event(Watch *watch, const RpcEvent *event) {
    const ObjectWatch *own = watch->userdata;
    char text[TEXT_SIZE], other[TEXT_SIZE];
    int what = 0;
    bool known;

    if (event->program != REMOTE_PROGRAM || event->procedure != own->type->procedure ||
        own->kind->read(own->type, event, text, other, &what) < 0)
        return false;
    if (own->only && !streq(own->only, text) && !streq(own->only, other))
        return false;
    known = what >= 0 && what < NAMES_MAX && own->kind->events[what];
    print(watch, own, text,
          !own->type->lifecycle ? NULL
          : known               ? own->kind->events[what]
                                : "unknown");
    return true;
}

static const EventType *find_type(const ObjectKind *kind, const char *name) {
    for (size_t i = 0; i < TYPES_MAX && kind->types[i].name; i++)
        if (streq(kind->types[i].name, name))
            return &kind->types[i];
    return NULL;
}

static int wait_for(Tool *tool, Watch *watch, ObjectWatch *own) {
    /* All three kinds of arguments begin alike, and none asks for one object alone. */
    remote_named_event_register_args call = {.eventID = own->type->id};
    remote_connect_domain_event_callback_deregister_any_args end = {0};
    remote_connect_domain_event_callback_register_any_ret ret = {0};
    CLEANUP_ERROR Error *error = NULL;
    int r;

    if (tool_call(tool, own->kind->register_any, own->kind->xdr_register, &call,
                  (xdrproc_t)xdr_remote_connect_domain_event_callback_register_any_ret, &ret,
                  &error) < 0)
        return tool_failed(error);
    watch->print = print_event;
    watch->userdata = own;
    r = watch_events(watch);
    end.callbackID = ret.callbackID;
    tool_call(tool, own->kind->deregister_any,
              (xdrproc_t)xdr_remote_connect_domain_event_callback_deregister_any_args, &end, NULL,
              NULL, NULL);
    return r;
}

static int run(Tool *tool, const Args *args, const ObjectKind *kind) {
    const char *name = args_string(args, "event");
    ObjectWatch own = {kind, NULL, args_string(args, kind->option)};
    Watch watch;

    if (args_has(args, "list")) {
        for (size_t i = 0; i < TYPES_MAX && kind->types[i].name; i++)
            puts(kind->types[i].name);
        return 0;
    }
    if (!name)
        return tool_fail(NULL, "either --list or --event <type> is required");
    own.type = find_type(kind, name);
    if (!own.type)
        return tool_fail(NULL, "unknown event type %s", name);
    if (watch_options(&watch, tool, args) < 0 || tool_connect(tool) < 0)
        return -EIO;
    return wait_for(tool, &watch, &own);
}

static int cmd_net_event(Tool *tool, const Args *args) {
    return run(tool, args, &network_kind);
}

static int cmd_pool_event(Tool *tool, const Args *args) {
    return run(tool, args, &pool_kind);
}

static int cmd_nodedev_event(Tool *tool, const Args *args) {
    return run(tool, args, &device_kind);
}

static int cmd_secret_event(Tool *tool, const Args *args) {
    return run(tool, args, &secret_kind);
}

/* ---- tables ---- */

#define EVENT_OPTIONS                                                                              \
    {"event", OPTION_STRING, false, "which event type to wait for"}, LOOP_OPTION, TIMEOUT_OPTION,  \
        {"list", OPTION_FLAG, false, "list valid event types"}, TIMESTAMP_OPTION, OPTION_END

static const Option net_options[] = {
    {"network", OPTION_STRING, false, "only of this name or uuid", .value = VALUE_NETWORK},
    EVENT_OPTIONS};
static const Option pool_options[] = {
    {"pool", OPTION_STRING, false, "only of this name or uuid", .value = VALUE_POOL},
    EVENT_OPTIONS};
static const Option nodedev_options[] = {{"device", OPTION_STRING, false, "only of this name"},
                                         EVENT_OPTIONS};
static const Option secret_options[] = {{"secret", OPTION_STRING, false, "only of this uuid"},
                                        EVENT_OPTIONS};

const Command commands_object_event[] = {{.name = "net-event",
                                          .help = "wait for events of networks",
                                          .options = net_options,
                                          .local = true,
                                          .json = true,
                                          .run = cmd_net_event},
                                         {.name = "nodedev-event",
                                          .help = "wait for events of devices of the host",
                                          .options = nodedev_options,
                                          .local = true,
                                          .json = true,
                                          .run = cmd_nodedev_event},
                                         {.name = "pool-event",
                                          .help = "wait for events of pools",
                                          .options = pool_options,
                                          .local = true,
                                          .json = true,
                                          .run = cmd_pool_event},
                                         {.name = "secret-event",
                                          .help = "wait for events of secrets",
                                          .options = secret_options,
                                          .local = true,
                                          .json = true,
                                          .run = cmd_secret_event},
                                         {0}};
