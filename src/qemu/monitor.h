/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The QMP monitor: a conversation with one QEMU, commands pipelined, replies matched by id, events
 * delivered from the loop. Knows nothing of domains.
 *
 * Every command ends exactly once: reply, error, deadline or disconnect. A reply of more than
 * QMP_MESSAGE_MAX bytes ends its command with -EMSGSIZE and nothing else. A message that cannot be
 * understood closes the connection, and so does QEMU's end of it; a QEMU that lives takes the next
 * one (monitor_reconnect). Events that came in between are lost: whoever reconnects asks again for
 * what they would have said. */
#pragma once

#include "qemu/qmp-stream.h"
#include "util/error.h"
#include "util/fiber.h"
#include "util/histogram.h"

typedef struct Monitor Monitor;

typedef struct MonitorOps {
    /* An event; data may be NULL and is borrowed. Called from the loop, never from monitor_send, in
     * the order QEMU sent it relative to replies. May not suspend: start a fiber for that. */
    void (*event)(Monitor *monitor, const char *name, json_object *data, int64_t seconds,
                  int64_t microseconds, void *userdata);
    /* The connection ended by itself (0: EOF; -EBADMSG, -ENOMEM: QEMU said what could not be
     * read; else -errno of the socket), which says nothing of QEMU's own end. Called once for a
     * connection that was up, never from monitor_send; all commands have been failed, and
     * monitor_reason has the sentence. May not suspend, may free the monitor. */
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
/* Connects again, at the path of monitor_connect, a monitor that is closed, with the handshake; on
 * a fiber. Until it has returned 0 the monitor is not open for anybody else, and `closed` is not
 * called. After an error it is closed as before and may be tried again. -EBUSY: somebody else is
 * at it. */
int monitor_reconnect(Monitor *monitor, bool (*alive)(void *userdata), uint64_t deadline,
                      Error **reterr);
/* Ends the connection as if it had ended by itself, `closed` is called: QEMU has not said what came
 * of a command that changes it. What it did and said until the next connection is asked for then.
 * `reason` is copied. */
void monitor_give_up(Monitor *monitor, const char *reason);
/* Closes; fails what is under way, also on other fibers; `closed` is not called. Takes NULL. */
void monitor_free(Monitor *monitor);
DEFINE_CLEANUP(Monitor *, monitor_free)
/* For who asks more than once and does not hold the domain's job: commands fail after monitor_free,
 * and the memory stays. */
Monitor *monitor_ref(Monitor *monitor);
void monitor_unref(Monitor *monitor);
DEFINE_CLEANUP(Monitor *, monitor_unref)

/* Whether commands can be sent. */
bool monitor_is_open(const Monitor *monitor);
/* Why it is closed: "QEMU sent a NUL byte". Borrowed until the next connection. */
const char *monitor_reason(const Monitor *monitor);

/* Queues {"execute":…,"arguments":…,"id":"vireo-N"}; never suspends, never calls back. `arguments`
 * may be NULL and is consumed in every case. What is queued leaves at the next monitor_wait or
 * monitor_flush, so that many commands cost one system call. */
int monitor_send(Monitor *monitor, const char *execute, json_object *arguments, MonitorReply **ret);
void monitor_flush(Monitor *monitor);
/* Hands copies of descriptors to QEMU, for the next command: getfd, add-fd, add_client. Whoever
 * calls it sends that command before he waits for anything. On a fiber. -ETIMEDOUT, -errno. */
#define MONITOR_FDS_MAX 16u
int monitor_give_fds(Monitor *monitor, const int *fds, unsigned n, uint64_t deadline);
/* Waits for one reply: 0 with done set, -ETIMEDOUT, -EMSGSIZE (too large), -ENOMEM, or the
 * disconnect's errno. An error reply from QEMU is 0 here: look at error_class. */
int monitor_wait(MonitorReply *reply, uint64_t deadline);
/* Send and wait; *ret (may be NULL) gets a reference on the return value. QEMU's error becomes
 * ERROR_INTERNAL "internal error: unable to execute QEMU command 'X': desc". -ETIMEDOUT reports
 * ERROR_OPERATION_TIMEOUT, a disconnect ERROR_OPERATION_FAILED. */
int monitor_run(Monitor *monitor, const char *execute, json_object *arguments, uint64_t deadline,
                json_object **ret, Error **reterr);
/* Runs a command of the human monitor, about the vCPU of that cpu-index where it is about one (else
 * -1); *ret is its answer. A QEMU that has no such monitor is ERROR_OPERATION_UNSUPPORTED. */
int monitor_run_human(Monitor *monitor, const char *text, int cpu, uint64_t deadline, char **ret,
                      Error **reterr);
/* Passes one JSON text of a client through (virsh qemu-monitor-command); *ret is QEMU's whole
 * answer line, also when it is an error object. Our id replaces the client's on the wire and is
 * changed back (or removed) in the answer. */
int monitor_passthrough(Monitor *monitor, const char *json, uint64_t deadline, char **ret,
                        Error **reterr);
/* Turns an error reply into an Error; returns 0 if the reply was a success. */
int monitor_reply_error(const MonitorReply *reply, const char *execute, Error **reterr);
void monitor_reply_free(MonitorReply *reply);
DEFINE_CLEANUP(MonitorReply *, monitor_reply_free)

/* What all QEMUs together did with the commands so far: how long from a command's queueing to its
 * answer, and how many waits for one ended without. */
typedef struct MonitorCounts {
    Histogram answered;
    uint64_t n_unanswered;
} MonitorCounts;
const MonitorCounts *monitor_counts(void);
/* How long the oldest command of this QEMU that has no answer waits for one, also when nobody waits
 * for it any more; 0: none does. */
uint64_t monitor_waiting_usec(const Monitor *monitor);

/* The conversation as lines "seconds.millis > {…}" (sent), "<" (reply), "!" (event) go to this
 * sink; NULL switches it off. VIREO_QMP_DEBUG=1 installs one that writes to stderr. A
 * password that is set is not in it. */
typedef void (*MonitorTraceFunc)(Monitor *monitor, char direction, const char *json, size_t len,
                                 void *userdata);
void monitor_set_trace(Monitor *monitor, MonitorTraceFunc func, void *userdata);
