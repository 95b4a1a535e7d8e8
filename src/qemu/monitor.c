/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The QMP conversation.
 *
 * Reading: bytes are fed to an incremental json-c tokener, one object at a time, bounded in size
 * and depth. Writing: one output buffer that the loop drains. Pending commands sit in an array in
 * the order sent; QEMU answers in order but for out-of-band ones, so the search for an id starts at
 * the oldest and ends there: O(1) each, also with thousands pipelined. */
#include "qemu/monitor.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "util/file.h"
#include "util/log.h"
#include "util/probe.h"
#include "util/unix-socket.h"

#define DEPTH_MAX 64
#define READ_CHUNK 65536u
#define READS_PER_ROUND 16 /* then other sources get their turn */
#define RETRY_USEC (5 * USEC_PER_MSEC)
#define BACKLOG 1 /* vireod is the only client */

typedef struct Pending {
    uint64_t id;
    MonitorReply *reply; /* NULL: dropped by its owner */
} Pending;

struct Monitor {
    int fd;
    char *name;
    const MonitorOps *ops;
    void *userdata;
    sd_event_source *io;
    json_tokener *tokener;
    size_t message_bytes; /* of the object being read */
    char *output;
    size_t output_used, output_sent, output_size;
    Pending *pending; /* ring-less queue: [first, end) */
    size_t first, end, size;
    uint64_t next_id;
    bool greeted;
    FiberCond greeting;
    MonitorTraceFunc trace;
    void *trace_data;
};

static void reply_finish(MonitorReply *reply, int error) {
    reply->error = error;
    reply->done = true;
    fiber_cond_broadcast(&reply->cond);
}

/* MonitorReply with what only this file knows. */
typedef struct Reply {
    MonitorReply public;
    Monitor *monitor; /* NULL once done or the monitor is gone */
    uint64_t id;
    bool keep_raw;
    char *raw; /* whole answer, for the passthrough */
} Reply;

DEFINE_PROBE(qemu_monitor_new);
DEFINE_PROBE(qemu_monitor_close);
DEFINE_PROBE(qemu_monitor_send_msg);
DEFINE_PROBE(qemu_monitor_recv_reply);
DEFINE_PROBE(qemu_monitor_recv_event);
DEFINE_PROBE(qemu_monitor_io_process);
DEFINE_PROBE(qemu_monitor_io_read);
DEFINE_PROBE(qemu_monitor_io_write);

static void trace(Monitor *monitor, char direction, const char *text, size_t len) {
    if (monitor->trace)
        monitor->trace(monitor, direction, text, len, monitor->trace_data);
}

static void fail_pending(Monitor *monitor, int error) {
    for (size_t i = monitor->first; i < monitor->end; i++) {
        Reply *reply = (Reply *)monitor->pending[i].reply;

        if (!reply)
            continue;
        reply->monitor = NULL;
        reply_finish(&reply->public, error);
    }
    monitor->first = monitor->end = 0;
}

/* The one way a connection ends on its own. */
static void disconnect(Monitor *monitor, int error) {
    if (monitor->fd < 0)
        return;
    PROBE2(qemu_monitor_close, monitor, 1);
    if (error < 0)
        log_debug("monitor '%s': closed: %s", monitor->name, strerror(-error));
    monitor->io = sd_event_source_disable_unref(monitor->io);
    close(TAKE_FD(monitor->fd));
    fail_pending(monitor, error < 0 ? error : -ENOTCONN);
    fiber_cond_broadcast(&monitor->greeting);
    if (monitor->ops && monitor->ops->closed)
        monitor->ops->closed(monitor, error, monitor->userdata);
}

/* ---- output ---- */

static int flush(Monitor *monitor) {
    while (monitor->output_sent < monitor->output_used) {
        ssize_t n = send(monitor->fd, monitor->output + monitor->output_sent,
                         monitor->output_used - monitor->output_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        PROBE5(qemu_monitor_io_write, monitor, monitor->output + monitor->output_sent,
               (unsigned)(monitor->output_used - monitor->output_sent), (int)n, n < 0 ? errno : 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return sd_event_source_set_io_events(monitor->io, EPOLLIN | EPOLLOUT);
        if (n < 0)
            return -errno;
        monitor->output_sent += n;
    }
    monitor->output_sent = monitor->output_used = 0;
    return sd_event_source_set_io_events(monitor->io, EPOLLIN);
}

static int append(Monitor *monitor, const char *text, size_t len) {
    if (monitor->output_used + len > monitor->output_size) {
        size_t size = MAX_OF(monitor->output_size * 2, monitor->output_used + len + 4096);
        char *bigger = size <= 2 * (size_t)MONITOR_MESSAGE_MAX ? realloc(monitor->output, size)
                                                               : NULL;

        if (!bigger)
            return -ENOMEM;
        monitor->output = bigger;
        monitor->output_size = size;
    }
    memcpy(monitor->output + monitor->output_used, text, len);
    monitor->output_used += len;
    return 0;
}

/* ---- input ---- */

static json_object *member(json_object *object, const char *key) {
    json_object *value = NULL;

    return json_object_object_get_ex(object, key, &value) ? value : NULL;
}

static const char *member_string(json_object *object, const char *key) {
    json_object *value = object ? member(object, key) : NULL;

    return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : NULL;
}

/* Takes the command with that id out of the queue. */
static Reply *take_pending(Monitor *monitor, uint64_t id) {
    for (size_t i = monitor->first; i < monitor->end; i++) {
        Reply *reply = (Reply *)monitor->pending[i].reply;

        if (monitor->pending[i].id != id)
            continue;
        if (i == monitor->first) {
            monitor->first++;
        } else {
            memmove(&monitor->pending[i], &monitor->pending[i + 1],
                    (monitor->end - i - 1) * sizeof(Pending));
            monitor->end--;
        }
        return reply;
    }
    return NULL;
}

static void on_reply(Monitor *monitor, json_object *message, bool is_error) {
    const char *id = member_string(message, "id");
    unsigned long long number;
    Reply *reply;
    json_object *error;

    if (!id || sscanf(id, "vireo-%llu", &number) != 1)
        return;
    reply = take_pending(monitor, number);
    if (!reply)
        return;
    reply->monitor = NULL;
    if (reply->keep_raw) {
        reply->raw = strdup(json_object_to_json_string_ext(
            message, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    }
    if (is_error) {
        const char *class, *desc;

        error = member(message, "error");
        class = member_string(error, "class");
        desc = member_string(error, "desc");
        reply->public.error_class = strdup(class ? class : "GenericError");
        reply->public.error_desc = strdup(desc ? desc : "no description");
    } else {
        reply->public.value = json_object_get(member(message, "return"));
    }
    reply_finish(&reply->public, 0);
}

static void on_event_message(Monitor *monitor, json_object *message) {
    json_object *stamp = member(message, "timestamp");
    json_object *seconds = stamp ? member(stamp, "seconds") : NULL;
    json_object *micros = stamp ? member(stamp, "microseconds") : NULL;

    if (monitor->ops && monitor->ops->event)
        monitor->ops->event(monitor, member_string(message, "event"), member(message, "data"),
                            json_object_get_int64(seconds), json_object_get_int64(micros),
                            monitor->userdata);
}

static int on_message(Monitor *monitor, json_object *message) {
    const char *text;
    char direction;

    if (!json_object_is_type(message, json_type_object))
        return -EBADMSG;
    direction = member_string(message, "event") ? '!' : '<';
    if (monitor->trace || PROBE_WANTED(qemu_monitor_recv_event) ||
        PROBE_WANTED(qemu_monitor_recv_reply)) {
        size_t len;

        text = json_object_to_json_string_length(
            message, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
        if (direction == '!')
            PROBE2(qemu_monitor_recv_event, monitor, text);
        else
            PROBE2(qemu_monitor_recv_reply, monitor, text);
        trace(monitor, direction, text, len);
    }
    if (member(message, "QMP")) {
        monitor->greeted = true;
        fiber_cond_broadcast(&monitor->greeting);
    } else if (direction == '!') {
        on_event_message(monitor, message);
    } else if (json_object_object_get_ex(message, "error", NULL)) {
        on_reply(monitor, message, true);
    } else if (json_object_object_get_ex(message, "return", NULL)) {
        on_reply(monitor, message, false);
    }
    return 0;
}

/* Feeds bytes; negative means the stream is broken. The monitor may be closed by a callback. */
static int feed(Monitor *monitor, const char *data, size_t len) {
    while (len > 0 && monitor->fd >= 0) {
        json_object *message;
        enum json_tokener_error state;
        size_t used;
        int r;

        if (monitor->message_bytes == 0 && memchr(" \r\n\t", *data, 4)) {
            data++;
            len--;
            continue;
        }
        if (*data == '\0')
            return -EBADMSG;
        message = json_tokener_parse_ex(monitor->tokener, data, (int)len);
        state = json_tokener_get_error(monitor->tokener);
        used = json_tokener_get_parse_end(monitor->tokener);
        if (state == json_tokener_continue) {
            monitor->message_bytes += len;
            return monitor->message_bytes > MONITOR_MESSAGE_MAX ? -EMSGSIZE : 0;
        }
        if (state != json_tokener_success || !message) {
            json_object_put(message);
            return -EBADMSG;
        }
        monitor->message_bytes = 0;
        json_tokener_reset(monitor->tokener);
        r = on_message(monitor, message);
        json_object_put(message);
        if (r < 0)
            return r;
        data += used;
        len -= used;
    }
    return 0;
}

static int read_some(Monitor *monitor) {
    char buffer[READ_CHUNK];

    for (int i = 0; i < READS_PER_ROUND && monitor->fd >= 0; i++) {
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
        r = feed(monitor, buffer, n);
        if (r < 0)
            return r;
    }
    return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    Monitor *monitor = userdata;
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

int monitor_new(int fd, const char *name, const MonitorOps *ops, void *userdata, Monitor **ret) {
    Monitor *monitor = calloc(1, sizeof(Monitor));
    const char *debug = getenv("VIREO_QMP_DEBUG");
    int r = -ENOMEM;

    if (monitor) {
        monitor->fd = fd;
        monitor->ops = ops;
        monitor->userdata = userdata;
        monitor->next_id = 1;
        monitor->name = strdup(name);
        monitor->tokener = json_tokener_new_ex(DEPTH_MAX);
        if (monitor->name && monitor->tokener)
            r = sd_event_add_io(fiber_event(), &monitor->io, fd, EPOLLIN, on_io, monitor);
    }
    if (r < 0) {
        if (monitor)
            monitor_free(monitor);
        else
            close(fd);
        return r;
    }
    if (debug && streq(debug, "1"))
        monitor_set_trace(monitor, trace_to_stderr, NULL);
    PROBE3(qemu_monitor_new, monitor, 1, fd);
    *ret = monitor;
    return 0;
}

void monitor_free(Monitor *monitor) {
    if (!monitor)
        return;
    monitor->io = sd_event_source_disable_unref(monitor->io);
    if (monitor->fd >= 0) {
        PROBE2(qemu_monitor_close, monitor, 1);
        close(TAKE_FD(monitor->fd));
    }
    fail_pending(monitor, -ENOTCONN);
    fiber_cond_broadcast(&monitor->greeting);
    if (monitor->tokener)
        json_tokener_free(monitor->tokener);
    free(monitor->pending);
    free(monitor->output);
    free(monitor->name);
    free(monitor);
}

bool monitor_is_open(const Monitor *monitor) {
    return monitor->fd >= 0;
}

void monitor_set_trace(Monitor *monitor, MonitorTraceFunc func, void *userdata) {
    monitor->trace = func;
    monitor->trace_data = userdata;
}

/* ---- the socket ---- */

static int report_path(const char *path, Error **reterr) {
    return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                        "monitor path '%s' is longer than %u bytes; use a shorter --root", path,
                        UNIX_SOCKET_PATH_MAX);
}

/* While QEMU (7.2) starts, two of its threads watch the listening socket: the main one, and the one
 * that the monitor is being handed to. When a connection is there just then, both may accept, and
 * on a socket that blocks one of them hangs until the next connection comes, with the main thread
 * every command. Hence O_NONBLOCK, which QEMU leaves as it is. */
int monitor_listen(const char *path, int *ret, Error **reterr) {
    int r = unix_socket_listen(path, 0600, BACKLOG, ret);

    if (r == -ENAMETOOLONG)
        return report_path(path, reterr);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot make the monitor's socket '%s'", path);
    return 0;
}

int monitor_connect(const char *path, const char *name, const MonitorOps *ops, void *userdata,
                    bool (*alive)(void *userdata), uint64_t deadline, Monitor **ret,
                    Error **reterr) {
    int fd = -1, r;

    while ((r = unix_socket_connect(path, SOCK_NONBLOCK, &fd)) < 0) {
        if (r == -ENAMETOOLONG)
            return report_path(path, reterr);
        if (r != -ENOENT && r != -ECONNREFUSED && r != -EAGAIN && r != -EINTR)
            return error_system(reterr, FROM_QEMU, r, "cannot connect to the monitor '%s'", path);
        if (alive && !alive(userdata))
            return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                                "QEMU ended before its monitor '%s' was connected", path);
        if (now_usec() >= deadline)
            return error_report(reterr, FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                                "the monitor '%s' does not answer", path);
        fiber_sleep(RETRY_USEC);
    }
    r = monitor_new(fd, name, ops, userdata, ret);
    return r < 0 ? error_no_memory(reterr) : 0;
}

int monitor_handshake(Monitor *monitor, uint64_t deadline, Error **reterr) {
    while (!monitor->greeted) {
        int r;

        if (monitor->fd < 0)
            return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                                "QEMU closed its monitor before the greeting");
        r = fiber_cond_wait(&monitor->greeting, deadline);
        if (r < 0 && !monitor->greeted)
            return error_report(reterr, FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                                "the monitor of '%s' does not answer: no greeting", monitor->name);
    }
    return monitor_run(monitor, "qmp_capabilities", NULL, deadline, NULL, reterr);
}

/* ---- commands ---- */

static int push_pending(Monitor *monitor, Reply *reply) {
    if (monitor->end == monitor->size) {
        if (monitor->first > 0) {
            memmove(monitor->pending, monitor->pending + monitor->first,
                    (monitor->end - monitor->first) * sizeof(Pending));
            monitor->end -= monitor->first;
            monitor->first = 0;
        }
        if (monitor->end >= monitor->size / 2) {
            size_t size = MAX_OF(monitor->size * 2, (size_t)64);
            Pending *bigger = realloc(monitor->pending, size * sizeof(Pending));

            if (!bigger)
                return -ENOMEM;
            monitor->pending = bigger;
            monitor->size = size;
        }
    }
    monitor->pending[monitor->end++] = (Pending){.id = reply->id, .reply = &reply->public};
    return 0;
}

/* Takes the message object; sets its id. */
static int send_message(Monitor *monitor, json_object *message, bool keep_raw, MonitorReply **ret) {
    Reply *reply = calloc(1, sizeof(Reply));
    const char *text;
    size_t len;
    char id[40];
    int r;

    if (!reply || monitor->fd < 0) {
        free(reply);
        json_object_put(message);
        return monitor->fd < 0 ? -ENOTCONN : -ENOMEM;
    }
    reply->id = monitor->next_id++;
    reply->monitor = monitor;
    reply->keep_raw = keep_raw;
    snprintf(id, sizeof(id), "vireo-%llu", (unsigned long long)reply->id);
    json_object_object_add(message, "id", json_object_new_string(id));
    text = json_object_to_json_string_length(
        message, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    r = text ? push_pending(monitor, reply) : -ENOMEM;
    if (r < 0) {
        free(reply);
        json_object_put(message);
        return r;
    }
    PROBE3(qemu_monitor_send_msg, monitor, text, -1);
    trace(monitor, '>', text, len);
    r = append(monitor, text, len);
    if (r >= 0)
        r = append(monitor, "\r\n", 2);
    json_object_put(message);
    if (r < 0) {
        monitor->end--;
        free(reply);
        return r;
    }
    *ret = &reply->public;
    return 0;
}

void monitor_flush(Monitor *monitor) {
    /* A first try without waiting for the loop; errors are left for the loop, which closes. */
    if (monitor->fd >= 0 && monitor->output_used > 0 && flush(monitor) < 0)
        sd_event_source_set_io_events(monitor->io, EPOLLIN | EPOLLOUT);
}

int monitor_send(Monitor *monitor, const char *execute, json_object *arguments,
                 MonitorReply **ret) {
    json_object *message = json_object_new_object();

    if (!message) {
        json_object_put(arguments);
        return -ENOMEM;
    }
    json_object_object_add(message, "execute", json_object_new_string(execute));
    if (arguments)
        json_object_object_add(message, "arguments", arguments);
    return send_message(monitor, message, false, ret);
}

int monitor_wait(MonitorReply *reply, uint64_t deadline) {
    Monitor *monitor = ((Reply *)reply)->monitor; /* NULL once it is done */

    if (monitor)
        monitor_flush(monitor);
    while (!reply->done) {
        int r = fiber_cond_wait(&reply->cond, deadline);

        if (r < 0 && !reply->done)
            return r;
    }
    return reply->error;
}

void monitor_reply_free(MonitorReply *public) {
    Reply *reply = (Reply *)public;

    if (!reply)
        return;
    for (size_t i = reply->monitor ? reply->monitor->first : 0;
         reply->monitor && i < reply->monitor->end; i++)
        if (reply->monitor->pending[i].reply == public)
            reply->monitor->pending[i].reply = NULL;
    json_object_put(public->value);
    free(public->error_class);
    free(public->error_desc);
    free(reply->raw);
    fiber_cond_done(&public->cond);
    free(reply);
}

int monitor_reply_error(const MonitorReply *reply, const char *execute, Error **reterr) {
    if (!reply->error_class)
        return 0;
    return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                        "unable to execute QEMU command '%s': %s", execute, reply->error_desc);
}

static int report_wait(Monitor *monitor, int r, const char *execute, Error **reterr) {
    if (r == -ETIMEDOUT)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                            "QEMU did not answer '%s' in time", execute);
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                        "the monitor was closed while '%s' waited: %s", execute, strerror(-r));
}

int monitor_run(Monitor *monitor, const char *execute, json_object *arguments, uint64_t deadline,
                json_object **ret, Error **reterr) {
    CLEANUP(monitor_reply_freep) MonitorReply *reply = NULL;
    int r;

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

/* The answer with the client's own id back in place of ours. */
static int restore_id(const char *raw, json_object *client_id, char **ret) {
    json_object *message = json_tokener_parse(raw);

    if (!message)
        return -ENOMEM;
    if (client_id)
        json_object_object_add(message, "id", json_object_get(client_id));
    else
        json_object_object_del(message, "id");
    *ret = strdup(json_object_to_json_string_ext(message, JSON_C_TO_STRING_PLAIN |
                                                              JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(message);
    return *ret ? 0 : -ENOMEM;
}

int monitor_passthrough(Monitor *monitor, const char *json, uint64_t deadline, char **ret,
                        Error **reterr) {
    CLEANUP(monitor_reply_freep) MonitorReply *reply = NULL;
    json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
    json_object *message, *id = NULL;
    size_t len = strlen(json);
    int r;

    if (!tokener)
        return error_no_memory(reterr);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    message = len < MONITOR_MESSAGE_MAX ? json_tokener_parse_ex(tokener, json, (int)len + 1) : NULL;
    json_tokener_free(tokener);
    if (!json_object_is_type(message, json_type_object)) {
        json_object_put(message);
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                            "cannot parse the monitor command: it is not one JSON object");
    }
    if (json_object_object_get_ex(message, "id", &id))
        json_object_get(id);
    r = send_message(monitor, message, true, &reply);
    if (r >= 0)
        r = monitor_wait(reply, deadline);
    if (r < 0) {
        json_object_put(id);
        return report_wait(monitor, r, "a client's command", reterr);
    }
    r = ((Reply *)reply)->raw ? restore_id(((Reply *)reply)->raw, id, ret) : -ENOMEM;
    json_object_put(id);
    return r < 0 ? error_no_memory(reterr) : 0;
}
