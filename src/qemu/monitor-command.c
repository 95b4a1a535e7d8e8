/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands as their callers want them: sent, waited for, refused in a sentence. */
#include "qemu/monitor-internal.h"

int monitor_reply_error(const MonitorReply *reply, const char *execute, Error **reterr) {
    if (!reply->error_class)
        return 0;
    return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                        "unable to execute QEMU command '%s': %s", execute, reply->error_desc);
}

static int report_wait(Monitor *monitor, int r, const char *execute, Error **reterr) {
    switch (r) {
    case -ETIMEDOUT:
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                            "QEMU did not answer '%s' in time", execute);
    case -EMSGSIZE:
        error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                     "QEMU's answer to '%s' was ignored: it is longer than %u MiB", execute,
                     QMP_MESSAGE_MAX >> 20);
        return -EMSGSIZE;
    case -ENOBUFS:
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "'%s' was not sent: QEMU has not read the commands before it", execute);
    case -ENOMEM:
        if (monitor_is_open(monitor))
            return error_no_memory(reterr);
    }
    if (monitor->connecting)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "cannot send '%s': the monitor of '%s' is being connected again (%s); "
                            "try it again",
                            execute, monitor->name, monitor_reason(monitor));
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                        "the monitor was closed while '%s' waited: %s", execute,
                        monitor_reason(monitor));
}

int monitor_run(Monitor *borrowed, const char *execute, json_object *arguments, uint64_t deadline,
                json_object **ret, Error **reterr) {
    CLEANUP(monitor_unrefp) Monitor *monitor = monitor_ref(borrowed);
    CLEANUP(monitor_reply_freep) MonitorReply *reply = NULL;
    int r;

    assert(execute);
    r = monitor_send(monitor, execute, arguments, &reply);
    if (r >= 0)
        r = monitor_wait(reply, deadline);
    if (r < 0)
        return report_wait(monitor, r, execute, reterr);
    r = monitor_reply_error(reply, execute, reterr);
    if (r < 0)
        return r;
    if (ret)
        *ret = json_object_get(reply->value);
    return 0;
}

int monitor_run_human(Monitor *borrowed, const char *text, int cpu, uint64_t deadline, char **ret,
                      Error **reterr) {
    CLEANUP(monitor_unrefp) Monitor *monitor = monitor_ref(borrowed);
    CLEANUP(monitor_reply_freep) MonitorReply *reply = NULL;
    json_object *arguments = json_object_new_object();
    const char *answer;
    int r = -ENOMEM;

    assert(text && ret);
    if (arguments && json_add_string(arguments, "command-line", text) >= 0 &&
        (cpu < 0 || json_add_int(arguments, "cpu-index", cpu) >= 0))
        r = monitor_send(monitor, "human-monitor-command", TAKE_PTR(arguments), &reply);
    json_object_put(arguments);
    if (r >= 0)
        r = monitor_wait(reply, deadline);
    if (r < 0)
        return report_wait(monitor, r, "human-monitor-command", reterr);
    if (reply->error_class && streq(reply->error_class, "CommandNotFound"))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_UNSUPPORTED,
                            "this QEMU has no human monitor: use a QMP command instead");
    r = monitor_reply_error(reply, "human-monitor-command", reterr);
    if (r < 0)
        return r;
    answer = json_object_is_type(reply->value, json_type_string)
                 ? json_object_get_string(reply->value)
                 : "";
    *ret = strdup(answer);
    return *ret ? 0 : error_no_memory(reterr);
}

/* The answer with the client's own id in place of ours, as text; NULL when out of memory. */
static char *restore_id(json_object *answer, json_object *client_id) {
    if (!client_id)
        json_object_object_del(answer, "id");
    else if (json_add(answer, "id", json_object_get(client_id)) < 0)
        return NULL;
    return json_text(answer);
}

int monitor_passthrough(Monitor *borrowed, const char *json, uint64_t deadline, char **ret,
                        Error **reterr) {
    CLEANUP(monitor_unrefp) Monitor *monitor = monitor_ref(borrowed);
    CLEANUP(monitor_reply_freep) MonitorReply *reply = NULL;
    CLEANUP_JSON json_object *message = NULL, *id = NULL;
    size_t len = strlen(json);
    int r = len < QMP_MESSAGE_MAX ? json_parse(json, len, &message) : -EMSGSIZE;

    assert(json && ret);
    if (r == -ENOMEM)
        return error_no_memory(reterr);
    if (r < 0 || !json_object_is_type(message, json_type_object))
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                            "cannot parse the monitor command: it is not one JSON object");
    id = json_object_get(json_member(message, "id"));
    r = monitor_is_open(monitor) ? monitor_send_message(monitor, TAKE_PTR(message), true, &reply)
                                 : -ENOTCONN;
    if (r >= 0)
        r = monitor_wait(reply, deadline);
    if (r < 0)
        return report_wait(monitor, r, "a client's command", reterr);
    *ret = restore_id(((Reply *)reply)->raw, id);
    return *ret ? 0 : error_no_memory(reterr);
}
