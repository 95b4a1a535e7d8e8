/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Answers of polkit that are kept for a while, and events that wait for one. */
#include "access-view.h"

#include "access.h"
#include "conf/uuid.h"
#include "rpc/frame.h"
#include "util/log.h"
#include "util/task.h"

#define FORGET_USEC (60 * USEC_PER_SEC) /* a list may take as long */
#define HELD_MAX 1000u                  /* events of one client that wait */
#define HELD_BYTES_MAX (4u << 20)

/* What polkit said of a domain. */
typedef struct Said {
    uint8_t uuid[16];
    bool yes;
    uint64_t until;
} Said;

typedef struct Held {
    struct Held *next;
    char *name;
    uint8_t uuid[16];
    uint32_t program, version;
    int32_t procedure;
    uint8_t *frame;
    size_t len;
} Held;

typedef struct AccessView {
    unsigned n_refs;
    Client *client; /* NULL: it has gone */
    Daemon *daemon;
    PolkitSubject subject;
    Said *said; /* ascending by uuid */
    size_t n_said;
    Held *first, **last;
    size_t n_held, held_bytes;
    unsigned n_looking; /* lists that wait for answers */
    bool telling;       /* a fiber works on them */
} AccessView;

static void held_free(Held *held) {
    if (!held)
        return;
    free(held->name);
    free(held->frame);
    free(held);
}

static Held *take_first(AccessView *view) {
    Held *held = view->first;

    if (!held)
        return NULL;
    view->first = held->next;
    if (!view->first)
        view->last = &view->first;
    view->n_held--;
    view->held_bytes -= held->len;
    return held;
}

static void drop_held(AccessView *view) {
    while (view->first)
        held_free(take_first(view));
}

static void view_unref(AccessView *view) {
    assert(view->n_refs > 0);
    if (--view->n_refs > 0)
        return;
    drop_held(view);
    free(view->said);
    free(view);
}

AccessView *access_view_new(Client *client) {
    AccessView *view = calloc(1, sizeof(AccessView));

    if (!view)
        return NULL;
    *view = (AccessView){
        .n_refs = 1, .client = client, .daemon = client->daemon, .subject = client->subject};
    view->last = &view->first;
    return view;
}

void access_view_end(AccessView *view) {
    if (!view)
        return;
    view->client = NULL;
    drop_held(view);
    view_unref(view);
}

/* ---- answers ---- */

/* Where it is, or would be. */
static size_t place_of(const AccessView *view, const uint8_t uuid[16], bool *ret_there) {
    size_t low = 0, high = view->n_said;

    *ret_there = false;
    while (low < high && !*ret_there) {
        const size_t middle = low + (high - low) / 2;
        const int order = memcmp(view->said[middle].uuid, uuid, sizeof(view->said->uuid));

        *ret_there = order == 0;
        if (order == 0)
            low = middle;
        else if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const Said *find(const AccessView *view, const uint8_t uuid[16]) {
    bool there;
    const size_t at = place_of(view, uuid, &there);

    return there ? &view->said[at] : NULL;
}

static int keep(AccessView *view, const uint8_t uuid[16], bool yes) {
    bool there;
    const size_t at = place_of(view, uuid, &there);

    if (!there) {
        Said *grown = reallocarray(view->said, view->n_said + 1, sizeof(Said));

        if (!grown)
            return -ENOMEM;
        view->said = grown;
        memmove(&grown[at + 1], &grown[at], (view->n_said++ - at) * sizeof(Said));
        memcpy(grown[at].uuid, uuid, sizeof(grown[at].uuid));
    }
    view->said[at].yes = yes;
    view->said[at].until = now_usec() + VIEW_USEC;
    return 0;
}

/* Those that nobody believes any more: domains come and go. */
static void forget_old(AccessView *view) {
    const uint64_t now = now_usec();
    size_t n = 0;

    for (size_t i = 0; i < view->n_said; i++)
        if (view->said[i].until + FORGET_USEC > now)
            view->said[n++] = view->said[i];
    view->n_said = n;
}

static bool is_known(const AccessView *view, const uint8_t uuid[16]) {
    const Said *said = find(view, uuid);

    return said && said->until > now_usec();
}

/* Asks, unless it is known. */
static int learn(AccessView *view, const uint8_t uuid[16], const char *name, Error **reterr) {
    char text[UUID_TEXT_SIZE];
    const PolkitDetail details[] = {
        {"connect_driver", "QEMU"}, {"domain_name", name}, {"domain_uuid", text}};
    int r;

    if (is_known(view, uuid))
        return 0;
    uuid_format(uuid, text);
    r = polkit_check(view->daemon->polkit, &view->subject, "org.vireo.read", details,
                     ARRAY_SIZE(details), false, reterr);
    if (r < 0 && r != -EACCES)
        return r;
    return keep(view, uuid, r >= 0) < 0 ? error_no_memory(reterr) : 0;
}

/* ---- lists ---- */

typedef struct Listed {
    uint8_t uuid[16];
    char *name;
} Listed;

typedef struct ListedDomains {
    Listed *list;
    size_t n;
} ListedDomains;

static void listed_done(ListedDomains *domains) {
    for (size_t i = 0; i < domains->n; i++)
        free(domains->list[i].name);
    free(domains->list);
}

/* Domains may go while polkit is asked. */
static int list_all(const Driver *driver, ListedDomains *ret) {
    ret->list = calloc(driver_n_domains(driver) + 1, sizeof(Listed));
    if (!ret->list)
        return -ENOMEM;
    for (const Domain *domain = driver_domains(driver); domain && ret->n < driver_n_domains(driver);
         domain = domain->next) {
        Listed *to = &ret->list[ret->n];

        memcpy(to->uuid, domain_def(domain)->uuid, sizeof(to->uuid));
        to->name = strdup(domain_name(domain));
        if (!to->name)
            return -ENOMEM;
        ret->n++;
    }
    return 0;
}

int access_look(Client *client, Error **reterr) {
    CLEANUP(listed_done) ListedDomains domains = {0};
    AccessView *view = client->view;
    int r = 0;

    if (!view)
        return 0;
    if (view->n_looking == 0)
        forget_old(view);
    if (list_all(client->daemon->driver, &domains) < 0)
        return error_no_memory(reterr);
    view->n_refs++;
    view->n_looking++;
    for (size_t i = 0; i < domains.n && r >= 0; i++)
        r = learn(view, domains.list[i].uuid, domains.list[i].name, reterr);
    view->n_looking--;
    view_unref(view);
    return r;
}

bool access_sees(const Client *client, const uint8_t uuid[16]) {
    const Said *said = client->view ? find(client->view, uuid) : NULL;

    return !client->view || (said && said->yes);
}

/* ---- events ---- */

/* What was encoded goes out as it is. */
static bool_t put_held(XDR *xdr, Held *held, ...) {
    return xdr_opaque(xdr, (char *)held->frame + FRAME_HEADER_SIZE,
                      (u_int)(held->len - FRAME_HEADER_SIZE));
}

static void tell(AccessView *view, Held *held) {
    const Said *said = find(view, held->uuid);

    if (view->client && said && said->yes)
        rpc_session_send_event(view->client->session, held->program, held->version, held->procedure,
                               (xdrproc_t)put_held, held);
}

/* The fiber that asks; it has a reference. */
static void tell_all(void *userdata) {
    AccessView *view = userdata;
    Held *held;

    while ((held = take_first(view))) {
        CLEANUP_ERROR Error *error = NULL;

        if (learn(view, held->uuid, held->name, &error) < 0)
            log_limited(LOG_WARNING, "user %u is not told of an event of domain '%s': %s",
                        (unsigned)view->subject.uid, held->name, error_message(error));
        else
            tell(view, held);
        held_free(held);
    }
    view->telling = false;
    view_unref(view);
}

static Held *hold(const AccessEvent *event) {
    Held *held = calloc(1, sizeof(Held));
    const FrameHeader header = {.program = event->program,
                                .version = event->version,
                                .procedure = event->procedure,
                                .type = FRAME_MESSAGE};

    if (!held)
        return NULL;
    held->program = event->program;
    held->version = event->version;
    held->procedure = event->procedure;
    memcpy(held->uuid, event->uuid, sizeof(held->uuid));
    held->name = strdup(event->name);
    if (held->name &&
        frame_encode(&header, event->xdr, event->payload, &held->frame, &held->len) >= 0)
        return held;
    held_free(held);
    return NULL;
}

static void send_later(AccessView *view, const AccessEvent *event) {
    const bool room = view->n_held < HELD_MAX && view->held_bytes < HELD_BYTES_MAX;
    Held *held = room ? hold(event) : NULL;

    if (!held) {
        log_limited(LOG_WARNING, "user %u is not told of an event of domain '%s': %s",
                    (unsigned)view->subject.uid, event->name,
                    room ? "out of memory" : "too many wait for polkit");
        return;
    }
    *view->last = held;
    view->last = &held->next;
    view->n_held++;
    view->held_bytes += held->len;
    if (view->telling)
        return;
    view->n_refs++;
    view->telling = true;
    if (task_start(&view->daemon->tasks, "events", tell_all, view) >= 0)
        return;
    view->telling = false;
    drop_held(view);
    view_unref(view);
}

void access_send_event(Client *client, const AccessEvent *event) {
    AccessView *view = client->view;

    if (view && (view->telling || !is_known(view, event->uuid)))
        send_later(view, event);
    else if (access_sees(client, event->uuid))
        rpc_session_send_event(client->session, event->program, event->version, event->procedure,
                               event->xdr, event->payload);
}
