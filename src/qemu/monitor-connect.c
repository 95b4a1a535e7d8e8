/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a monitor comes to its QEMU: the listening socket, the connection, the handshake, and all of
 * it again. QEMU listens anew as soon as a connection has ended, and forgets the commands that were
 * under way on it. */
#include "qemu/monitor-internal.h"

#include <sys/socket.h>

#include "util/unix-socket.h"

#define RETRY_USEC (5 * USEC_PER_MSEC)
#define BACKLOG 1 /* vireod is the only client */

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

/* Whose connection it is to be. */
typedef struct Caller {
    const Monitor *monitor; /* NULL: there is none yet */
    bool (*alive)(void *userdata);
    void *userdata;
} Caller;

static int connect_socket(const char *path, const Caller *caller, uint64_t deadline, int *ret,
                          Error **reterr) {
    int r;

    while ((r = unix_socket_connect(path, SOCK_NONBLOCK, ret)) < 0) {
        if (r == -ENAMETOOLONG)
            return report_path(path, reterr);
        if (r != -ENOENT && r != -ECONNREFUSED && r != -EAGAIN && r != -EINTR)
            return error_system(reterr, FROM_QEMU, r, "cannot connect to the monitor '%s'", path);
        if ((caller->monitor && caller->monitor->freed) ||
            (caller->alive && !caller->alive(caller->userdata)))
            return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                                "QEMU ended before its monitor '%s' was connected", path);
        if (now_usec() >= deadline)
            return error_report(reterr, FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                                "the monitor '%s' does not answer", path);
        fiber_sleep(RETRY_USEC);
    }
    return 0;
}

int monitor_connect(const char *path, const char *name, const MonitorOps *ops, void *userdata,
                    bool (*alive)(void *userdata), uint64_t deadline, Monitor **ret,
                    Error **reterr) {
    CLEANUP(monitor_freep) Monitor *monitor = NULL;
    int fd = -1, r;

    assert(path && name && ret);
    r = connect_socket(path, &(Caller){.alive = alive, .userdata = userdata}, deadline, &fd,
                       reterr);
    if (r < 0)
        return r;
    r = monitor_new(fd, name, ops, userdata, &monitor);
    if (r >= 0 && !(monitor->path = strdup(path)))
        r = -ENOMEM;
    if (r < 0)
        return error_no_memory(reterr);
    *ret = TAKE_PTR(monitor);
    return 0;
}

static int wait_greeting(Monitor *monitor, uint64_t deadline, Error **reterr) {
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
    return 0;
}

int monitor_handshake(Monitor *borrowed, uint64_t deadline, Error **reterr) {
    CLEANUP(monitor_unrefp) Monitor *monitor = monitor_ref(borrowed);
    CLEANUP(monitor_reply_freep) MonitorReply *reply = NULL;
    int r = wait_greeting(monitor, deadline, reterr);

    if (r < 0)
        return r;
    r = monitor_send_message(monitor, monitor_message("qmp_capabilities", NULL), false, &reply);
    if (r >= 0)
        r = monitor_wait(reply, deadline);
    if (r == -ETIMEDOUT)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                            "QEMU did not answer 'qmp_capabilities' in time");
    if (r < 0)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "the monitor was closed while 'qmp_capabilities' waited: %s",
                            monitor_reason(monitor));
    return monitor_reply_error(reply, "qmp_capabilities", reterr);
}

static int reconnect(Monitor *monitor, bool (*alive)(void *userdata), uint64_t deadline,
                     Error **reterr) {
    Caller caller = {.monitor = monitor, .alive = alive, .userdata = monitor->userdata};
    int fd = -1, r = connect_socket(monitor->path, &caller, deadline, &fd, reterr);

    if (r < 0)
        return r;
    if (monitor->freed) {
        close(fd);
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "the monitor of '%s' is no longer used", monitor->name);
    }
    r = monitor_attach(monitor, fd);
    return r < 0 ? error_no_memory(reterr) : monitor_handshake(monitor, deadline, reterr);
}

int monitor_reconnect(Monitor *borrowed, bool (*alive)(void *userdata), uint64_t deadline,
                      Error **reterr) {
    CLEANUP(monitor_unrefp) Monitor *monitor = monitor_ref(borrowed);
    CLEANUP_ERROR Error *error = NULL;
    int r;

    assert(monitor->path && !monitor->freed);
    if (monitor->connecting) {
        error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                     "the monitor of '%s' is being connected again already", monitor->name);
        return -EBUSY;
    }
    assert(monitor->fd < 0);
    monitor->connecting = true;
    r = reconnect(monitor, alive, deadline, &error);
    if (r < 0)
        monitor_detach(monitor, error_message(error));
    monitor->connecting = false;
    return r < 0 ? error_propagate(reterr, TAKE_PTR(error)) : 0;
}
