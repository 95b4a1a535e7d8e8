/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The QMP monitor: one connection to one QEMU, commands pipelined, replies matched by id, events
 * delivered from the loop. Knows nothing of domains.
 *
 * Every command ends exactly once: reply, error, deadline or disconnect. A message from QEMU is at
 * most MONITOR_MESSAGE_MAX bytes and 64 levels deep; more is a broken monitor, which closes it. */
#pragma once

#include <json-c/json.h>

#include "util/error.h"
#include "util/fiber.h"

#define MONITOR_MESSAGE_MAX (32u << 20)

typedef struct Monitor Monitor;

typedef struct MonitorOps {
    /* An event; data may be NULL and is borrowed. Called from the loop, never from monitor_send, in
     * the order QEMU sent it relative to replies. May not suspend: start a fiber for that. */
    void (*event)(Monitor *monitor, const char *name, json_object *data, int64_t seconds,
                  int64_t microseconds, void *userdata);
    /* The connection ended (0: EOF, else -errno); called once, all commands have been failed. */
    void (*closed)(Monitor *monitor, int error, void *userdata);
} MonitorOps;

/* One command under way. Freed with monitor_reply_free, also before it is done (the reply is then
 * dropped). */
typedef struct MonitorReply {
    bool done;
    int error;          /* 0, or -ENOTCONN... when there will be no reply */
    json_object *value; /* "return", or NULL on error */
    char *error_class;  /* QEMU's class, "DeviceNotFound"; NULL on success */
    char *error_desc;
    FiberCond cond;
} MonitorReply;

/* Takes the connected, non-blocking fd. `name` (for logs and traces) is copied. */
int monitor_new(int fd, const char *name, const MonitorOps *ops, void *userdata, Monitor **ret);
/* The socket a QEMU that is about to start gets as its monitor's ("-chardev
 * socket,fd=N,server=on,wait=off"), listening at `path` in the place of whatever is there;
 * monitor_connect finds it at once. *ret is the caller's to close as soon as QEMU has it, the path
 * the caller's to unlink, also after an error. At most 107 bytes of path: unix(7). */
int monitor_listen(const char *path, int *ret, Error **reterr);
/* Connects to a unix socket, retrying until it is there or the deadline; on a fiber. `alive` (may
 * be NULL) is asked between tries and ends them when false. */
int monitor_connect(const char *path, const char *name, const MonitorOps *ops, void *userdata,
                    bool (*alive)(void *userdata), uint64_t deadline, Monitor **ret,
                    Error **reterr);
/* Greeting and qmp_capabilities. On a fiber. */
int monitor_handshake(Monitor *monitor, uint64_t deadline, Error **reterr);
/* Closes; fails what is under way; `closed` is not called. Takes NULL. */
void monitor_free(Monitor *monitor);
DEFINE_CLEANUP(Monitor *, monitor_free)

bool monitor_is_open(const Monitor *monitor);

/* Queues {"execute":…,"arguments":…,"id":"vireo-N"}; never suspends, never calls back. `arguments`
 * may be NULL and is consumed in every case. What is queued leaves at the next monitor_wait or
 * monitor_flush, so that many commands cost one system call. */
int monitor_send(Monitor *monitor, const char *execute, json_object *arguments, MonitorReply **ret);
void monitor_flush(Monitor *monitor);
/* Waits for one reply: 0 with done set, -ETIMEDOUT, or the disconnect's errno. An error reply from
 * QEMU is 0 here: look at error_class. */
int monitor_wait(MonitorReply *reply, uint64_t deadline);
/* Send and wait; *ret (may be NULL) gets a reference on the return value. QEMU's error becomes
 * ERROR_INTERNAL "internal error: unable to execute QEMU command 'X': desc". -ETIMEDOUT reports
 * ERROR_OPERATION_TIMEOUT, a disconnect ERROR_OPERATION_FAILED. */
int monitor_run(Monitor *monitor, const char *execute, json_object *arguments, uint64_t deadline,
                json_object **ret, Error **reterr);
/* Passes one JSON text of a client through (virsh qemu-monitor-command); *ret is QEMU's whole
 * answer line, also when it is an error object. Our id replaces the client's on the wire and is
 * changed back (or removed) in the answer. */
int monitor_passthrough(Monitor *monitor, const char *json, uint64_t deadline, char **ret,
                        Error **reterr);
/* Turns an error reply into an Error; returns 0 if the reply was a success. */
int monitor_reply_error(const MonitorReply *reply, const char *execute, Error **reterr);
void monitor_reply_free(MonitorReply *reply);
DEFINE_CLEANUP(MonitorReply *, monitor_reply_free)

/* The conversation as lines "seconds.millis > {…}" (sent), "<" (reply), "!" (event) go to this
 * sink; NULL switches it off. VIREO_QMP_DEBUG=1 installs one that writes to stderr. */
typedef void (*MonitorTraceFunc)(Monitor *monitor, char direction, const char *json, size_t len,
                                 void *userdata);
void monitor_set_trace(Monitor *monitor, MonitorTraceFunc func, void *userdata);
