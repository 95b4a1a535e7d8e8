/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Prints domain events. */
#include "domain-event.h"

#include "param.h"
#include "rpc/frame.h"

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

static void print_event(const Watch *watch, const char *name, const remote_domain *dom,
                        const char *key, const char *text) {
    if (watch->tool->json) {
        json_object *object = watch_event_json(name, dom);

        if (text)
            json_object_object_add(object, key, json_object_new_string(text));
        watch_print_json(object);
        return;
    }
    watch_print_head(watch, name, dom);
    printf("%s%s\n", text ? ": " : "", text ? text : "");
}

static bool print_lifecycle(Watch *watch, const DomainEventType *type, const RpcEvent *event) {
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

static bool print_plain(Watch *watch, const DomainEventType *type, const RpcEvent *event) {
    remote_domain_event_callback_domain_msg msg = {0};
    bool ok = frame_decode(event->payload, event->len,
                           (xdrproc_t)xdr_remote_domain_event_callback_domain_msg, &msg) == 0;

    if (ok)
        print_event(watch, type->name, &msg.dom, NULL, NULL);
    xdr_free((xdrproc_t)xdr_remote_domain_event_callback_domain_msg, &msg);
    return ok;
}

static bool print_device(Watch *watch, const DomainEventType *type, const RpcEvent *event) {
    remote_domain_event_callback_device_msg msg = {0};
    bool ok = frame_decode(event->payload, event->len,
                           (xdrproc_t)xdr_remote_domain_event_callback_device_msg, &msg) == 0;

    if (ok)
        print_event(watch, type->name, &msg.dom, "device", msg.devAlias);
    xdr_free((xdrproc_t)xdr_remote_domain_event_callback_device_msg, &msg);
    return ok;
}

static bool print_agent(Watch *watch, const DomainEventType *type, const RpcEvent *event) {
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

static bool print_vcpu(Watch *watch, const DomainEventType *type, const RpcEvent *event) {
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
static bool print_tunable(Watch *watch, const DomainEventType *type, const RpcEvent *event) {
    remote_domain_event_callback_tunable_msg msg = {0};
    bool ok = frame_decode(event->payload, event->len,
                           (xdrproc_t)xdr_remote_domain_event_callback_tunable_msg, &msg) == 0;

    if (ok && watch->tool->json) {
        json_object *object = watch_event_json(type->name, &msg.dom),
                    *params = json_object_new_object();

        params_add_json(params, msg.params.params_val, msg.params.params_len);
        json_object_object_add(object, "params", params);
        watch_print_json(object);
    } else if (ok) {
        watch_print_head(watch, type->name, &msg.dom);
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
static bool print_drift(Watch *watch, const DomainEventType *type, const RpcEvent *event) {
    vireo_drift_msg msg = {0};
    bool ok = frame_decode(event->payload, event->len, (xdrproc_t)xdr_vireo_drift_msg, &msg) == 0;

    if (ok && watch->tool->json) {
        json_object *object = watch_event_json(type->name, &msg.dom);

        json_object_object_add(object, "differences", json_object_new_int64(msg.differences));
        json_object_object_add(object, "mended", json_lines(msg.text));
        watch_print_json(object);
    } else if (ok) {
        watch_print_head(watch, type->name, &msg.dom);
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

const DomainEventType domain_event_types[] = {
    {"lifecycle", EVENT_ID_LIFECYCLE, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, print_lifecycle},
    {"reboot", EVENT_ID_REBOOT, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_REBOOT, print_plain},
    {"device-removed", EVENT_ID_DEVICE_REMOVED, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_REMOVED,
     print_device},
    {"tunable", EVENT_ID_TUNABLE, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_TUNABLE, print_tunable},
    {"agent-lifecycle", EVENT_ID_AGENT_LIFECYCLE, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_AGENT_LIFECYCLE,
     print_agent},
    {"device-added", EVENT_ID_DEVICE_ADDED, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_ADDED,
     print_device},
    {"device-removal-failed", EVENT_ID_DEVICE_REMOVAL_FAILED,
     REMOTE_PROC_DOMAIN_EVENT_CALLBACK_DEVICE_REMOVAL_FAILED, print_device},
    {"vcpu-removed", EVENT_ID_VCPU_REMOVED, REMOTE_PROC_DOMAIN_EVENT_VCPU_REMOVED, print_vcpu},
    {"drift", -1, VIREO_PROC_EVENT_DRIFT, print_drift},
    {0}};

bool domain_event_print(Watch *watch, const RpcEvent *event) {
    for (const DomainEventType *type = domain_event_types; type->name; type++)
        if (event->program == (type->id < 0 ? VIREO_PROGRAM : REMOTE_PROGRAM) &&
            event->procedure == type->message)
            return type->print(watch, type, event);
    return false;
}
