/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What monitor.c shows monitor-command.c and monitor-connect.c. */
#pragma once

#include "qemu/monitor.h"
#include "util/output.h"

typedef struct Reply Reply;

/* A command under way. */
typedef struct Pending {
    uint64_t id;
    uint64_t sent; /* when it was queued */
    Reply *reply;  /* NULL: dropped by its owner */
} Pending;

struct Monitor {
    unsigned n_refs;   /* the owner's, and one per fiber inside */
    char *name, *path; /* path: NULL unless it was connected by one */
    const MonitorOps *ops;
    void *userdata;
    bool freed;      /* by the owner */
    bool connecting; /* monitor_reconnect is at it: open for nobody else */
    char *reason;    /* of the last end; NULL: none, or no memory for it */

    int fd; /* -1: closed */
    sd_event_source *io;
    QmpStream stream;
    Output output;
    bool greeted;
    FiberCond greeting;

    Pending *pending; /* ring-less queue: [first, end) */
    size_t first, end, size;
    uint64_t next_id;
    MonitorTraceFunc trace;
    void *trace_data;
};

/* MonitorReply with what its owner does not see. */
struct Reply {
    MonitorReply public;
    Monitor *monitor; /* NULL once done or the monitor is gone */
    uint64_t id;
    uint64_t sent; /* CLOCK_MONOTONIC, microseconds */
    bool keep_raw;
    json_object *raw; /* the whole answer, for the passthrough */
};

/* Begins a connection of a closed monitor; the fd is consumed in every case. */
int monitor_attach(Monitor *monitor, int fd);
/* Ends it without telling the owner. */
void monitor_detach(Monitor *monitor, const char *reason);
/* {"execute":…,"arguments":…}; `arguments` is consumed. NULL: out of memory. */
json_object *monitor_message(const char *execute, json_object *arguments);
/* Queues a message, consumed in every case, under an id of ours; also before the handshake. */
int monitor_send_message(Monitor *monitor, json_object *message, bool keep_raw, MonitorReply **ret);
