/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* event: waits for domain events. */
#include "domain-event.h"
#include "tables.h"
#include "watch.h"

#define DRIFT_EVENTS 4u /* of vireo_event_register_args' kinds */
#define EVENT_TYPES_MAX 64

/* What was registered, to be taken back. */
typedef struct Registered {
    int ids[EVENT_TYPES_MAX];
    size_t n_ids;
    bool drift;
} Registered;

static int register_drift(Tool *tool, unsigned kinds, remote_domain *dom, Error **reterr) {
    vireo_event_register_args call = {.kinds = kinds, .dom = dom};

    return VIREO_CALL_VOID(tool, EVENT_REGISTER, vireo_event_register_args, &call, reterr);
}

static int register_event(Tool *tool, const DomainEventType *type, remote_domain *dom,
                          Registered *registered, Error **reterr) {
    remote_connect_domain_event_callback_register_any_args call = {.eventID = type->id, .dom = dom};
    remote_connect_domain_event_callback_register_any_ret ret = {0};
    int r;

    if (type->id < 0) {
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

    for (const DomainEventType *type = domain_event_types; type->name; type++) {
        CLEANUP_ERROR Error *error = NULL;

        if (name && !streq(name, type->name))
            continue;
        known = true;
        if (register_event(tool, type, dom, registered, &error) < 0 && name)
            return tool_failed(error);
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
        for (const DomainEventType *type = domain_event_types; type->name; type++)
            puts(type->name);
        return 0;
    }
    if (!name == !args_has(args, "all"))
        return tool_fail(NULL, name ? "Options --all and --event are mutually exclusive"
                                    : "one of --list, --all, or --event <type> is required");
    if (watch_options(&watch, tool, args) < 0 || tool_connect(tool) < 0 ||
        (with_domain && tool_domain(tool, args, &dom) < 0))
        return -EIO;
    watch.print = domain_event_print;
    r = register_events(tool, name, with_domain ? &dom : NULL, &registered);
    if (r == 0)
        r = watch_events(&watch);
    deregister_events(tool, &registered);
    return r;
}

/* ---- tables ---- */

static const Option event_options[] = {
    FILTER_OPTION,
    {"event", OPTION_STRING, false, "which event type to wait for"},
    {"all", OPTION_FLAG, false, "wait for all events instead of just one type"},
    LOOP_OPTION,
    TIMEOUT_OPTION,
    {"list", OPTION_FLAG, false, "list valid event types"},
    TIMESTAMP_OPTION,
    OPTION_END};

const Command commands_event[] = {
    {.name = "event",
     .help = "Domain Events",
     .description = "List event types, or wait for domain events to occur",
     .options = event_options,
     .local = true,
     .json = true,
     .run = cmd_event},
    {0}};
