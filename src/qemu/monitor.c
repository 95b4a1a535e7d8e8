/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The QMP conversation: the connection, the queue of commands under way, replies and events.
 *
 * Pending commands sit in an array in the order sent; QEMU answers in order but for out-of-band
 * ones, so the search for an id starts at the oldest and ends there: O(1) each, also with thousands
 * pipelined. */
#include "qemu/monitor-internal.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "util/file.h"
#include "util/log.h"
#include "util/probe.h"

#define READ_CHUNK 16384u
#define ROUND_USEC USEC_PER_MSEC /* then other sources get their turn */
#define OUTPUT_MAX (2 * (size_t)QMP_MESSAGE_MAX)
#define ID_PREFIX "vireo-"

DEFINE_PROBE(qemu_monitor_new);
DEFINE_PROBE(qemu_monitor_close);
DEFINE_PROBE(qemu_monitor_send_msg);
DEFINE_PROBE(qemu_monitor_recv_reply);
DEFINE_PROBE(qemu_monitor_recv_event);
DEFINE_PROBE(qemu_monitor_io_process);
DEFINE_PROBE(qemu_monitor_io_read);
DEFINE_PROBE(qemu_monitor_io_write);

static const double bounds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                0.1,    0.25,  0.5,    1,     2.5,  5,     10};
static MonitorCounts counts = {.answered = {.bounds = bounds, .n_bounds = ARRAY_SIZE(bounds)}};

const MonitorCounts *monitor_counts(void) {
    return &counts;
}

static void reply_finish(Reply *reply, int error) {
    reply->monitor = NULL;
    reply->public.error = error;
    reply->public.done = true;
    fiber_cond_broadcast(&reply->public.cond);
}

static void trace(Monitor *monitor, char direction, const char *text, size_t len) {
    if (monitor->trace)
        monitor->trace(monitor, direction, text, len, monitor->trace_data);
}

/* ---- the end of a connection ---- */

static void fail_pending(Monitor *monitor, int error) {
    for (size_t i = monitor->first; i < monitor->end; i++)
        if (monitor->pending[i].reply)
            reply_finish(monitor->pending[i].reply, error);
    monitor->first = monitor->end = 0;
}

static void close_connection(Monitor *monitor, int error, const char *reason) {
    if (monitor->fd < 0)
        return;
    PROBE2(qemu_monitor_close, monitor, 1);
    free(monitor->reason);
    monitor->reason = reason ? strdup(reason) : NULL;
    log_debug("monitor '%s': closed: %s", monitor->name, monitor_reason(monitor));
    monitor->io = sd_event_source_disable_unref(monitor->io);
    close(TAKE_FD(monitor->fd));
    output_clear(&monitor->output);
    fail_pending(monitor, error);
    fiber_cond_broadcast(&monitor->greeting);
}

void monitor_detach(Monitor *monitor, const char *reason) {
    close_connection(monitor, -ENOTCONN, reason);
}

static void close_and_tell(Monitor *monitor, int error, const char *reason) {
    bool tell = !monitor->connecting;

    close_connection(monitor, error < 0 ? error : -ENOTCONN, reason);
    if (tell && monitor->ops && monitor->ops->closed)
        monitor->ops->closed(monitor, error, monitor->userdata);
}

/* The one way a connection ends on its own. */
static void disconnect(Monitor *monitor, int error) {
    CLEANUP_FREE char *text = NULL;

    if (monitor->fd < 0)
        return;
    if (error == 0)
        text = strdup("QEMU closed its end");
    else if (monitor->stream.reason)
        text = strf("QEMU sent %s", monitor->stream.reason);
    else
        text = strdup(strerror(-error));
    close_and_tell(monitor, error, text);
}

void monitor_give_up(Monitor *monitor, const char *reason) {
    assert(reason);
    if (monitor->fd >= 0)
        close_and_tell(monitor, -ETIMEDOUT, reason);
}

const char *monitor_reason(const Monitor *monitor) {
    return monitor->reason ? monitor->reason : "the connection ended";
}

/* ---- output ---- */

static int flush(Monitor *monitor) {
    for (;;) {
        const char *at = monitor->output.data + monitor->output.sent;
        unsigned len = (unsigned)output_waiting(&monitor->output);
        ssize_t n = output_send(&monitor->output, monitor->fd);

        if (len > 0)
            PROBE5(qemu_monitor_io_write, monitor, at, len, (int)n, n < 0 ? (int)-n : 0);
        if (n == -EAGAIN)
            return sd_event_source_set_io_events(monitor->io, EPOLLIN | EPOLLOUT);
        if (n < 0)
            return (int)n;
        if (n == 0) {
            output_done(&monitor->output); /* thousands of monitors wait, few have much to say */
            return sd_event_source_set_io_events(monitor->io, EPOLLIN);
        }
    }
}

void monitor_flush(Monitor *monitor) {
    /* A first try without waiting for the loop; errors are left for the loop, which closes. */
    if (monitor->fd >= 0 && output_waiting(&monitor->output) > 0 && flush(monitor) < 0)
        sd_event_source_set_io_events(monitor->io, EPOLLIN | EPOLLOUT);
}

/* ---- input ---- */

/* Takes the command at that place out of the queue. */
static Reply *take_pending(Monitor *monitor, size_t i) {
    Reply *reply = monitor->pending[i].reply;

    if (i == monitor->first) {
        monitor->first++;
    } else {
        memmove(&monitor->pending[i], &monitor->pending[i + 1],
                (monitor->end - i - 1) * sizeof(Pending));
        monitor->end--;
    }
    return reply;
}

static Reply *take_by_id(Monitor *monitor, const char *text) {
    unsigned long long id;

    if (!text || sscanf(text, ID_PREFIX "%llu", &id) != 1)
        return NULL;
    for (size_t i = monitor->first; i < monitor->end; i++)
        if (monitor->pending[i].id == id)
            return take_pending(monitor, i);
    return NULL;
}

/* What an answer holds; -ENOMEM. */
static int fill_reply(Reply *reply, json_object *message, bool is_error) {
    json_object *error = json_member(message, "error");
    const char *class, *desc;

    if (reply->keep_raw)
        reply->raw = json_object_get(message);
    if (!is_error) {
        reply->public.value = json_object_get(json_member(message, "return"));
        return 0;
    }
    class = json_member_string(error, "class");
    desc = json_member_string(error, "desc");
    reply->public.error_class = strdup(class ? class : "GenericError");
    reply->public.error_desc = strdup(desc ? desc : "no description");
    return reply->public.error_class && reply->public.error_desc ? 0 : -ENOMEM;
}

static void on_reply(Monitor *monitor, json_object *message, bool is_error) {
    Reply *reply = take_by_id(monitor, json_member_string(message, "id"));

    if (!reply)
        return;
    histogram_add(&counts.answered, (double)(now_usec() - reply->sent) / USEC_PER_SEC);
    reply_finish(reply, fill_reply(reply, message, is_error));
}

static void on_event(Monitor *monitor, const char *name, json_object *message) {
    json_object *stamp = json_member(message, "timestamp");

    if (monitor->ops && monitor->ops->event)
        monitor->ops->event(monitor, name, json_member(message, "data"),
                            json_member_int(stamp, "seconds", 0),
                            json_member_int(stamp, "microseconds", 0), monitor->userdata);
}

static void show(Monitor *monitor, json_object *message, bool is_event) {
    CLEANUP_FREE char *text = NULL;

    if (!monitor->trace && !PROBE_WANTED(qemu_monitor_recv_event) &&
        !PROBE_WANTED(qemu_monitor_recv_reply))
        return;
    text = json_text(message);
    if (!text)
        return;
    if (is_event)
        PROBE2(qemu_monitor_recv_event, monitor, text);
    else
        PROBE2(qemu_monitor_recv_reply, monitor, text);
    trace(monitor, is_event ? '!' : '<', text, strlen(text));
}

static bool on_message(json_object *message, void *userdata) {
    Monitor *monitor = userdata;
    const char *event = json_member_string(message, "event");
    bool is_error = json_object_object_get_ex(message, "error", NULL);

    show(monitor, message, event != NULL);
    if (json_member(message, "QMP")) {
        monitor->greeted = true;
        fiber_cond_broadcast(&monitor->greeting);
    } else if (event) {
        on_event(monitor, event, message);
    } else if (is_error || json_object_object_get_ex(message, "return", NULL)) {
        on_reply(monitor, message, is_error);
    }
    return monitor->fd >= 0;
}

/* The id of our command in a part of its answer. */
static const char *find_id(const char *text) {
    const char *key = strstr(text, "\"id\"");

    return key ? strstr(key, ID_PREFIX) : NULL;
}

/* QEMU may write the id behind the value, and answers in order: then it is the oldest command's. */
static bool on_oversized(const char *head, void *userdata) {
    Monitor *monitor = userdata;
    Reply *reply = take_by_id(monitor, find_id(head));

    if (!reply && !strstr(head, "\"event\"") && monitor->first < monitor->end)
        reply = take_pending(monitor, monitor->first);
    log_debug("monitor '%s': a message of more than %u bytes is ignored", monitor->name,
              QMP_MESSAGE_MAX);
    if (reply)
        reply_finish(reply, -EMSGSIZE);
    return monitor->fd >= 0;
}

static const QmpStreamOps stream_ops = {.message = on_message, .oversized = on_oversized};

static int read_some(Monitor *monitor) {
    const uint64_t end = now_usec() + ROUND_USEC;
    char buffer[READ_CHUNK];

    while (monitor->fd >= 0 && now_usec() < end) {
        ssize_t n = recv(monitor->fd, buffer, sizeof(buffer), MSG_DONTWAIT);
        int r;

        PROBE5(qemu_monitor_io_read, monitor, buffer, (unsigned)sizeof(buffer), (int)n,
               n < 0 ? errno : 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
        if (n == 0)
            return -ENOTCONN;
        PROBE3(qemu_monitor_io_process, monitor, buffer, (unsigned)n);
        r = qmp_stream_feed(&monitor->stream, buffer, (size_t)n, &stream_ops, monitor);
        if (r < 0)
            return r;
    }
    return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    CLEANUP(monitor_unrefp) Monitor *monitor = monitor_ref(userdata);
    int r = 0;

    if (revents & EPOLLOUT)
        r = flush(monitor);
    if (r >= 0 && (revents & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        r = read_some(monitor);
    if (r < 0)
        disconnect(monitor, r == -ENOTCONN ? 0 : r);
    return 0;
}

/* ---- life ---- */

static void trace_to_stderr(Monitor *monitor, char direction, const char *json, size_t len,
                            void *userdata) {
    uint64_t now = now_usec();

    fprintf(stderr, "%llu.%03llu %c %s %.*s\n", (unsigned long long)(now / USEC_PER_SEC),
            (unsigned long long)(now / 1000 % 1000), direction, monitor->name, (int)len, json);
}

Monitor *monitor_ref(Monitor *monitor) {
    assert(monitor->n_refs > 0);
    monitor->n_refs++;
    return monitor;
}

void monitor_unref(Monitor *monitor) {
    assert(monitor->n_refs > 0);
    if (--monitor->n_refs > 0)
        return;
    qmp_stream_done(&monitor->stream);
    output_done(&monitor->output);
    fiber_cond_done(&monitor->greeting);
    free(monitor->pending);
    free(monitor->reason);
    free(monitor->path);
    free(monitor->name);
    free(monitor);
}

int monitor_attach(Monitor *monitor, int fd) {
    int r = sd_event_add_io(fiber_event(), &monitor->io, fd, EPOLLIN, on_io, monitor);

    assert(monitor->fd < 0);
    if (r < 0) {
        close(fd);
        return r;
    }
    monitor->fd = fd;
    monitor->greeted = false;
    qmp_stream_done(&monitor->stream);
    PROBE3(qemu_monitor_new, monitor, 1, fd);
    return 0;
}

int monitor_new(int fd, const char *name, const MonitorOps *ops, void *userdata, Monitor **ret) {
    CLEANUP_CLOSE int owned = fd;
    CLEANUP(monitor_freep) Monitor *monitor = calloc(1, sizeof(Monitor));
    const char *debug = getenv("VIREO_QMP_DEBUG");
    int r;

    assert(fd >= 0 && name);
    if (!monitor)
        return -ENOMEM;
    *monitor = (Monitor){.n_refs = 1,
                         .fd = -1,
                         .ops = ops,
                         .userdata = userdata,
                         .next_id = 1,
                         .name = strdup(name),
                         .output.limit = OUTPUT_MAX};
    r = monitor->name ? monitor_attach(monitor, TAKE_FD(owned)) : -ENOMEM;
    if (r < 0)
        return r;
    if (debug && streq(debug, "1"))
        monitor_set_trace(monitor, trace_to_stderr, NULL);
    *ret = TAKE_PTR(monitor);
    return 0;
}

void monitor_free(Monitor *monitor) {
    if (!monitor)
        return;
    assert(!monitor->freed);
    monitor->freed = true;
    monitor->ops = NULL;
    monitor_detach(monitor, "it is no longer used");
    monitor_unref(monitor);
}

bool monitor_is_open(const Monitor *monitor) {
    return monitor->fd >= 0 && !monitor->connecting;
}

void monitor_set_trace(Monitor *monitor, MonitorTraceFunc func, void *userdata) {
    monitor->trace = func;
    monitor->trace_data = userdata;
}

/* ---- commands ---- */

/* Makes room for one more. */
static int reserve_pending(Monitor *monitor) {
    size_t size = MAX_OF(monitor->size * 2, (size_t)64);
    Pending *bigger;

    if (monitor->end < monitor->size)
        return 0;
    if (monitor->first > 0) {
        memmove(monitor->pending, monitor->pending + monitor->first,
                (monitor->end - monitor->first) * sizeof(Pending));
        monitor->end -= monitor->first;
        monitor->first = 0;
    }
    if (monitor->end < monitor->size / 2)
        return 0;
    bigger = realloc(monitor->pending, size * sizeof(Pending));
    if (!bigger)
        return -ENOMEM;
    monitor->pending = bigger;
    monitor->size = size;
    return 0;
}

/* Probes and traces see a message without the password that is in it. */
static void show_message(Monitor *monitor, json_object *message, const char *text, size_t len) {
    static const char *const secret[] = {"set_password", "change-vnc-password"};
    const char *execute = json_member_string(message, "execute");
    const char *id = json_member_string(message, "id");
    char shown[256];

    for (size_t i = 0; i < ARRAY_SIZE(secret); i++)
        if (streq_ptr(execute, secret[i])) {
            int n = snprintf(
                shown, sizeof(shown),
                "{\"execute\":\"%s\",\"arguments\":{\"password\":\"***\"},\"id\":\"%s\"}",
                secret[i], id ? id : "");

            text = shown;
            len = MIN_OF((size_t)MAX_OF(n, 0), sizeof(shown) - 1);
            break;
        }
    PROBE3(qemu_monitor_send_msg, monitor, text, -1);
    trace(monitor, '>', text, len);
}

/* Writes the message with its end of line, or nothing. */
static int write_message(Monitor *monitor, json_object *message) {
    const size_t waiting = output_waiting(&monitor->output);
    CLEANUP_FREE char *text = json_text(message);
    size_t len;
    int r;

    if (!text)
        return -ENOMEM;
    len = strlen(text);
    r = output_append(&monitor->output, text, len);
    if (r >= 0 && (r = output_append(&monitor->output, "\r\n", 2)) < 0)
        monitor->output.used = monitor->output.sent + waiting;
    if (r < 0)
        return r;
    show_message(monitor, message, text, len);
    return 0;
}

json_object *monitor_message(const char *execute, json_object *arguments) {
    json_object *message = json_object_new_object();

    if (!message || json_add_string(message, "execute", execute) < 0) {
        json_object_put(arguments);
        json_object_put(message);
        return NULL;
    }
    if (arguments && json_add(message, "arguments", arguments) < 0) {
        json_object_put(message);
        return NULL;
    }
    return message;
}

int monitor_send_message(Monitor *monitor, json_object *message, bool keep_raw,
                         MonitorReply **ret) {
    CLEANUP_JSON json_object *owned = message;
    CLEANUP_FREE Reply *reply = calloc(1, sizeof(Reply));
    char id[40];
    int r;

    if (monitor->fd < 0)
        return -ENOTCONN;
    if (!reply || !message)
        return -ENOMEM;
    *reply = (Reply){
        .id = monitor->next_id, .monitor = monitor, .sent = now_usec(), .keep_raw = keep_raw};
    snprintf(id, sizeof(id), ID_PREFIX "%llu", (unsigned long long)reply->id);
    r = json_add_string(message, "id", id);
    if (r >= 0)
        r = reserve_pending(monitor);
    if (r >= 0)
        r = write_message(monitor, message);
    if (r < 0)
        return r;
    monitor->next_id++;
    monitor->pending[monitor->end++] = (Pending){
        .id = reply->id, .sent = reply->sent, .reply = reply};
    *ret = &TAKE_PTR(reply)->public;
    return 0;
}

int monitor_send(Monitor *monitor, const char *execute, json_object *arguments,
                 MonitorReply **ret) {
    assert(execute && ret);
    if (!monitor_is_open(monitor)) {
        json_object_put(arguments);
        return -ENOTCONN;
    }
    return monitor_send_message(monitor, monitor_message(execute, arguments), false, ret);
}

uint64_t monitor_waiting_usec(const Monitor *monitor) {
    return monitor->first < monitor->end ? now_usec() - monitor->pending[monitor->first].sent : 0;
}

int monitor_wait(MonitorReply *reply, uint64_t deadline) {
    Monitor *monitor = ((Reply *)reply)->monitor;

    if (monitor)
        monitor_flush(monitor);
    while (!reply->done) {
        int r = fiber_cond_wait(&reply->cond, deadline);

        if (r < 0 && !reply->done) {
            counts.n_unanswered++;
            return r;
        }
    }
    return reply->error;
}

void monitor_reply_free(MonitorReply *public) {
    Reply *reply = (Reply *)public;
    Monitor *monitor = reply ? reply->monitor : NULL;

    if (!reply)
        return;
    for (size_t i = monitor ? monitor->first : 0; monitor && i < monitor->end; i++)
        if (monitor->pending[i].reply == reply)
            monitor->pending[i].reply = NULL;
    json_object_put(public->value);
    free(public->error_class);
    free(public->error_desc);
    json_object_put(reply->raw);
    fiber_cond_done(&public->cond);
    free(reply);
}
