/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* trace: a domain's QMP conversation. */
#include <inttypes.h>

#include "rpc/frame.h"
#include "tables.h"
#include "watch.h"

typedef struct Trace {
    uint64_t first; /* microseconds */
} Trace;

/* "2.106 > 0x5 {...}": seconds since the first line, direction, the domain's id, the JSON. */
static bool print_trace(Watch *watch, const RpcEvent *event) {
    Trace *trace = watch->userdata;
    vireo_trace_msg msg = {0};
    bool ok = event->program == VIREO_PROGRAM && event->procedure == VIREO_PROC_EVENT_TRACE &&
              frame_decode(event->payload, event->len, (xdrproc_t)xdr_vireo_trace_msg, &msg) == 0;

    if (ok) {
        uint64_t at;

        if (!trace->first)
            trace->first = msg.usec;
        at = msg.usec > trace->first ? msg.usec - trace->first : 0;
        printf("%3" PRIu64 ".%03" PRIu64 " %c 0x%x %s\n", at / USEC_PER_SEC, at / 1000 % 1000,
               (char)msg.direction, (unsigned)msg.dom.id, msg.text);
    }
    xdr_free((xdrproc_t)xdr_vireo_trace_msg, (char *)&msg);
    return ok;
}

static int cmd_trace(Tool *tool, const Args *args) {
    CLEANUP_DOMAIN remote_domain dom = {0};
    CLEANUP_ERROR Error *error = NULL;
    vireo_event_register_args call = {.kinds = 2, .dom = &dom};
    Trace trace = {0};
    Watch watch = {.tool = tool, .print = print_trace, .userdata = &trace};

    if (tool_domain(tool, args, &dom) < 0)
        return -EIO;
    if (VIREO_CALL_VOID(tool, EVENT_REGISTER, vireo_event_register_args, &call, &error) < 0)
        return tool_fail(error, "Failed to trace domain '%s'", dom.name);
    return watch_follow(&watch);
}

/* ---- tables ---- */

static const Option trace_options[] = {OPTION_DOMAIN, OPTION_END};

const Command commands_trace[] = {
    {.name = "trace",
     .help = "follow a domain's QMP conversation",
     .description =
         "Prints each line of QMP as it goes: > sent, < answered, ! event. Ends with Ctrl-C.",
     .options = trace_options,
     .run = cmd_trace},
    {0}};
