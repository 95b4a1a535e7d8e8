/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A monitor and a QEMU that is a script at the other end of its socket, on one loop. */
#pragma once

#include "qemu/monitor.h"

#define GREETING                                                                                   \
    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0}}, \"capabilities\": [\"oob\"]}}\r\n"
#define SOON (200 * USEC_PER_MSEC)

typedef struct MonitorWorld {
    Monitor *monitor;
    int fd;           /* QEMU's end */
    char trace[4096]; /* events and ends, in order */
    char input[1 << 20];
    size_t input_used;
    int r; /* of the fiber under test */
    bool done;
    Error *error;
} MonitorWorld;

extern MonitorWorld t;
extern const MonitorOps ops; /* events and ends go to the trace */

/* Appends to the trace; `format` has one %s. */
void note(const char *format, const char *text);
/* Runs the loop while there is something to do. */
void pump(void);
/* QEMU's side. */
void say(const char *text);
void hang_up(void);
/* The next line the monitor has sent is this. */
void expect(const char *line);
int set_up(void **state);
int tear_down(void **state);
/* The monitor's side: a command that waits for a flush, or is sent at once. */
MonitorReply *queue_command(const char *name, json_object *arguments);
MonitorReply *send_command(const char *name, json_object *arguments);
/* Until the fiber under test sets t.done. */
void run_until_done(void);
