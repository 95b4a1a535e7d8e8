/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting for events of the daemon, and what printed events have in common. One watch at a time:
 * Ctrl-C ends it. */
#pragma once

#include "vireo.h"

typedef struct Watch {
    Tool *tool;
    bool loop, timestamp, pretty;
    long long timeout_s; /* 0: none */
    unsigned seen;
    /* Prints one event; false when it is none of ours. Frees nothing. */
    bool (*print)(struct Watch *watch, const RpcEvent *event);
    void *userdata;
} Watch;

/* Options of commands that print events. */
#define FILTER_OPTION                                                                              \
    { "domain", OPTION_STRING, false, "filter by domain name, id or uuid", .value = VALUE_DOMAIN }
#define LOOP_OPTION                                                                                \
    { "loop", OPTION_FLAG, false, "loop until timeout or interrupt, rather than one-shot" }
#define TIMEOUT_OPTION                                                                             \
    { "timeout", OPTION_NUMBER, false, "timeout seconds" }
#define TIMESTAMP_OPTION                                                                           \
    { "timestamp", OPTION_FLAG, false, "show timestamp for each printed event" }

/* Takes --loop, --timestamp and --timeout. */
int watch_options(Watch *watch, Tool *tool, const Args *args);
/* Prints events and, for people, how the wait ended. Fails when no event came. */
int watch_events(Watch *watch);
/* Prints events until Ctrl-C or the end of the connection. */
int watch_follow(Watch *watch);

/* Sleeps; -EINTR when Ctrl-C ended it. */
int watch_pause(int ms);

/* "2026-11-21 10:00:00.000+0000" */
void watch_format_now(char ret[64]);
/* An object with the event's name, domain and time. */
json_object *watch_event_json(const char *name, const remote_domain *dom);
/* The same as the beginning of a line. */
void watch_print_head(const Watch *watch, const char *name, const remote_domain *dom);
/* Prints one JSON object as one line, so that a reader can follow, and frees it. */
void watch_print_json(json_object *object);
