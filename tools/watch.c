/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waits for events, and says how the wait ended. */
#include "watch.h"

#include <poll.h>
#include <signal.h>
#include <time.h>

#include "util/fiber.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
    interrupted = 1;
}

static int64_t now_ms(void) {
    return (int64_t)(now_usec() / USEC_PER_MSEC);
}

/* 0 when an event was seen, 1 interrupted, 2 at the timeout, negative: lost. */
static int wait_events(Watch *watch, Error **reterr) {
    int64_t deadline = watch->timeout_s ? now_ms() + watch->timeout_s * 1000 : -1;

    while (watch->loop || watch->seen == 0) {
        int64_t left = deadline < 0 ? -1 : MAX_OF(deadline - now_ms(), (int64_t)0);
        RpcEvent event;
        int r;

        r = interrupted
                ? -EINTR
                : rpc_client_next_event(watch->tool->client,
                                        left > INT32_MAX ? INT32_MAX : (int)left, &event, reterr);
        if (r == -EINTR && interrupted)
            return 1;
        if (r == -EINTR)
            continue;
        if (r < 0)
            return r;
        if (r == 0 && deadline >= 0 && now_ms() >= deadline)
            return 2;
        if (r == 0)
            continue;
        if (watch->print(watch, &event))
            watch->seen++;
        free(event.payload);
        fflush(stdout);
    }
    return 0;
}

/* The same, while Ctrl-C only ends the wait. */
static int wait_interruptibly(Watch *watch, Error **reterr) {
    struct sigaction action = {.sa_handler = on_interrupt}, before;
    int r;

    interrupted = 0;
    sigaction(SIGINT, &action, &before);
    r = wait_events(watch, reterr);
    sigaction(SIGINT, &before, NULL);
    return r;
}

int watch_events(Watch *watch) {
    CLEANUP_ERROR Error *error = NULL;
    int r = wait_interruptibly(watch, &error);

    if (r < 0)
        return tool_failed(error);
    if (watch->tool->json)
        return watch->seen ? 0 : -ENOENT;
    if (r == 1)
        printf("event loop interrupted\n");
    if (r == 2)
        printf("event loop timed out\n");
    printf("events received: %u\n", watch->seen);
    return watch->seen ? 0 : -ENOENT;
}

int watch_follow(Watch *watch) {
    CLEANUP_ERROR Error *error = NULL;
    int r;

    watch->loop = true;
    r = wait_interruptibly(watch, &error);
    return r < 0 ? tool_failed(error) : 0;
}

int watch_pause(int ms) {
    struct sigaction action = {.sa_handler = on_interrupt}, before;

    interrupted = 0;
    sigaction(SIGINT, &action, &before);
    poll(NULL, 0, ms);
    sigaction(SIGINT, &before, NULL);
    return interrupted ? -EINTR : 0;
}

void watch_format_now(char ret[64]) {
    struct timespec ts;
    struct tm tm;
    size_t n;

    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    n = strftime(ret, 40, "%Y-%m-%d %H:%M:%S", &tm);
    snprintf(ret + n, 64 - n, ".%03ld+0000", ts.tv_nsec / 1000000);
}

int watch_options(Watch *watch, Tool *tool, const Args *args) {
    *watch = (Watch){
        .tool = tool, .loop = args_has(args, "loop"), .timestamp = args_has(args, "timestamp")};
    if (args_number(args, "timeout", 1, INT32_MAX / 1000, &watch->timeout_s) < 0)
        return tool_bad_number(args, "timeout");
    return 0;
}

void watch_print_json(json_object *object) {
    puts(json_object_to_json_string_ext(object,
                                        JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(object);
}

json_object *watch_event_json(const char *name, const remote_domain *dom) {
    json_object *object = json_object_new_object();
    char when[64];

    watch_format_now(when);
    json_object_object_add(object, "event", json_object_new_string(name));
    json_object_object_add(object, "domain", json_object_new_string(dom->name));
    json_object_object_add(object, "time", json_object_new_string(when));
    return object;
}

void watch_print_head(const Watch *watch, const char *name, const remote_domain *dom) {
    char when[64];

    watch_format_now(when);
    if (watch->timestamp)
        printf("%s: ", when);
    printf("event '%s' for domain '%s'", name, dom->name);
}
