/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One connection to the bus, attached to the loop. A question is its fiber's; the list of them is
 * for the end. */
#include "host/polkit.h"

#include <systemd/sd-bus.h>

#include "util/fiber.h"

#define POLKIT "org.freedesktop.PolicyKit1"
#define AUTHORITY POLKIT ".Authority"
#define AUTHORITY_PATH "/org/freedesktop/PolicyKit1/Authority"
#define ALLOW_USER_INTERACTION 1u
#define PATIENCE (UINT64_C(120) * 1000000) /* for somebody who types a password */

typedef struct Question {
    FiberCond answered;
    bool done;
    int r; /* 0: allowed */
    Error *error;
    struct Question *next;
} Question;

struct Polkit {
    const char *address;
    sd_bus *bus; /* NULL: not connected */
    Question *questions;
    bool stopped;
};

int polkit_new(const char *address, Polkit **ret) {
    Polkit *polkit = calloc(1, sizeof(Polkit));

    if (!polkit)
        return -ENOMEM;
    polkit->address = address;
    *ret = polkit;
    return 0;
}

static int unreachable(int r, const char *why, Error **reterr) {
    error_report(reterr, FROM_POLKIT, ERROR_AUTH_UNAVAILABLE,
                 "polkit cannot be asked: %s; see whether polkitd and the system bus run and "
                 "org.vireo.policy is among its actions",
                 why ? why : strerror(-r));
    return r;
}

static void answer(Question *question, int r) {
    question->r = r;
    question->done = true;
    fiber_cond_broadcast(&question->answered);
}

/* Nobody answers what was asked on a bus that is closed. */
static void disconnect(Polkit *polkit) {
    for (Question *question = polkit->questions; question; question = question->next)
        if (!question->done)
            answer(question, unreachable(-ECONNRESET, NULL, &question->error));
    if (polkit->bus)
        sd_bus_detach_event(polkit->bus);
    sd_bus_close_unref(TAKE_PTR(polkit->bus));
}

void polkit_stop(Polkit *polkit) {
    polkit->stopped = true;
    for (Question *question = polkit->questions; question; question = question->next)
        if (!question->done)
            answer(question, -ECANCELED);
}

void polkit_free(Polkit *polkit) {
    if (!polkit)
        return;
    assert(!polkit->questions);
    disconnect(polkit);
    free(polkit);
}

static int open_bus(const char *address, sd_bus **ret) {
    CLEANUP(sd_bus_close_unrefp) sd_bus *bus = NULL;
    int r = address ? sd_bus_new(&bus) : sd_bus_open_system(&bus);

    if (r >= 0 && address) {
        r = sd_bus_set_address(bus, address);
        if (r >= 0)
            r = sd_bus_set_bus_client(bus, true);
        if (r >= 0)
            r = sd_bus_start(bus);
    }
    if (r >= 0)
        r = sd_bus_attach_event(bus, fiber_event(), SD_EVENT_PRIORITY_NORMAL);
    if (r >= 0)
        *ret = TAKE_PTR(bus);
    return r;
}

/* A bus that was restarted is connected to anew. */
static int connect(Polkit *polkit, Error **reterr) {
    int r;

    if (polkit->bus && sd_bus_is_open(polkit->bus) > 0)
        return 0;
    disconnect(polkit);
    r = open_bus(polkit->address, &polkit->bus);
    return r < 0 ? unreachable(r, NULL, reterr) : 0;
}

/* CheckAuthorization's reply: (is authorized, is a challenge, details). */
static int on_reply(sd_bus_message *reply, void *userdata, sd_bus_error *unused) {
    Question *question = userdata;
    const sd_bus_error *error = sd_bus_message_get_error(reply);
    int allowed = 0, challenge, r;

    if (error) {
        r = -sd_bus_message_get_errno(reply);
        answer(question, unreachable(r < 0 ? r : -EIO, error->message, &question->error));
        return 0;
    }
    r = sd_bus_message_enter_container(reply, 'r', "bba{ss}");
    if (r >= 0)
        r = sd_bus_message_read(reply, "bb", &allowed, &challenge);
    if (r < 0)
        answer(question, unreachable(r, "its answer cannot be read", &question->error));
    else
        answer(question, allowed ? 0 : -EACCES);
    return 0;
}

static int append_subject(sd_bus_message *message, const PolkitSubject *subject) {
    return sd_bus_message_append(message, "(sa{sv})", "unix-process", 3, "pid", "u",
                                 (uint32_t)subject->pid, "start-time", "t", subject->start, "uid",
                                 "i", (int32_t)subject->uid);
}

static int append_details(sd_bus_message *message, const PolkitDetail *details, size_t n) {
    int r = sd_bus_message_open_container(message, 'a', "{ss}");

    for (size_t i = 0; r >= 0 && i < n; i++)
        r = sd_bus_message_append(message, "{ss}", details[i].key, details[i].value);
    return r < 0 ? r : sd_bus_message_close_container(message);
}

/* CheckAuthorization(subject, action, details, flags, cancellation id). */
static int make_message(sd_bus *bus, const PolkitSubject *subject, const char *action,
                        const PolkitDetail *details, size_t n, bool interactive,
                        sd_bus_message **ret) {
    CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL;
    int r = sd_bus_message_new_method_call(bus, &message, POLKIT, AUTHORITY_PATH, AUTHORITY,
                                           "CheckAuthorization");

    if (r >= 0)
        r = append_subject(message, subject);
    if (r >= 0)
        r = sd_bus_message_append(message, "s", action);
    if (r >= 0)
        r = append_details(message, details, n);
    if (r >= 0)
        r = sd_bus_message_append(message, "us", interactive ? ALLOW_USER_INTERACTION : 0, "");
    if (r >= 0)
        *ret = TAKE_PTR(message);
    return r;
}

static void forget(Polkit *polkit, Question *question) {
    Question **at = &polkit->questions;

    while (*at != question)
        at = &(*at)->next;
    *at = question->next;
    fiber_cond_done(&question->answered);
}

/* The question is on this fiber's stack: its slot ends before it does. */
static int ask(Polkit *polkit, sd_bus_message *message, Error **reterr) {
    CLEANUP(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
    Question question = {.next = polkit->questions};
    int r = sd_bus_call_async(polkit->bus, &slot, message, on_reply, &question, PATIENCE);

    if (r < 0)
        return unreachable(r, NULL, reterr);
    polkit->questions = &question;
    while (!question.done)
        fiber_cond_wait(&question.answered, USEC_FOREVER);
    forget(polkit, &question);
    if (question.error)
        error_propagate(reterr, question.error);
    else if (question.r == -ECANCELED)
        return unreachable(-ECANCELED, "vireod is being stopped", reterr);
    return question.r;
}

int polkit_check(Polkit *polkit, const PolkitSubject *subject, const char *action,
                 const PolkitDetail *details, size_t n_details, bool interactive, Error **reterr) {
    CLEANUP(sd_bus_message_unrefp) sd_bus_message *message = NULL;
    int r;

    assert(polkit && subject && action && (details || n_details == 0));
    if (polkit->stopped)
        return unreachable(-ECANCELED, "vireod is being stopped", reterr);
    r = connect(polkit, reterr);
    if (r < 0)
        return r;
    r = make_message(polkit->bus, subject, action, details, n_details, interactive, &message);
    return r < 0 ? unreachable(r, NULL, reterr) : ask(polkit, message, reterr);
}
