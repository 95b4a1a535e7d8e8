/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The list of sessions: who comes in, who has to go, who may go on. */
#include "rpc/server-internal.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include "rpc/connection.h"
#include "rpc/refusal.h"
#include "util/tcp-socket.h"

#define SWEEPS 4u /* looks at each session within the time it has */

/* A listening socket; `readonly` is what its clients are. */
typedef struct Door {
    struct Door *next;
    RpcServer *server;
    Listener *listener;
    bool readonly;
} Door;

/* Sessions whose next packet waits, by next_waiting. */
typedef struct Queue {
    RpcSession *first, *last;
} Queue;

struct RpcServer {
    RpcTable *table;
    Budget *budget;
    const RpcServerOps *ops;
    void *userdata;
    Door *doors;
    RpcSession *sessions;
    uint64_t n_came;
    unsigned n_sessions; /* listed, or with calls still running */
    /* Those that wait, in turn; while they are tried again those still to be tried, and those that
     * could not go on and keep their places. */
    Queue waiting, trying, kept;
    bool is_trying, try_again;
    sd_event_source *sweep;
    FiberCond drained;
};

/* ---- sessions that wait ---- */

static void queue_add(Queue *queue, RpcSession *session) {
    session->next_waiting = NULL;
    session->waiting = true;
    if (queue->last)
        queue->last->next_waiting = session;
    else
        queue->first = session;
    queue->last = session;
}

static RpcSession *queue_take(Queue *queue) {
    RpcSession *session = queue->first;

    if (!session)
        return NULL;
    queue->first = session->next_waiting;
    if (!queue->first)
        queue->last = NULL;
    session->waiting = false;
    return session;
}

static void queue_remove(Queue *queue, RpcSession *session) {
    Queue rest = *queue;
    RpcSession *at;

    *queue = (Queue){0};
    while ((at = queue_take(&rest)))
        if (at != session)
            queue_add(queue, at);
}

/* Whoever has been served goes behind the others; one that was asked again in between keeps its
 * place. */
static void on_stalled(RpcSession *session, bool further, void *userdata) {
    RpcServer *server = userdata;

    if (session->waiting)
        return;
    queue_add(server->is_trying && !further ? &server->kept : &server->waiting, session);
}

static void try_all(RpcServer *server) {
    RpcSession *at;

    server->trying = server->waiting;
    server->waiting = (Queue){0};
    while ((at = queue_take(&server->trying)))
        session_process_input(at);
    while ((at = queue_take(&server->waiting)))
        queue_add(&server->kept, at);
    server->waiting = server->kept;
    server->kept = (Queue){0};
}

/* Those whose next packet waited look again. A call may end while they do. */
static void on_released(RpcSession *session, void *userdata) {
    RpcServer *server = userdata;

    server->try_again = true;
    if (server->is_trying)
        return;
    server->is_trying = true;
    while (server->try_again && server->waiting.first) {
        server->try_again = false;
        try_all(server);
    }
    server->is_trying = false;
}

/* ---- sessions that end ---- */

static void on_closed(RpcSession *session, void *userdata) {
    RpcServer *server = userdata;
    RpcSession **at = &server->sessions;

    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
    if (!session->waiting)
        return;
    queue_remove(&server->waiting, session);
    queue_remove(&server->trying, session);
    queue_remove(&server->kept, session);
}

static void on_done(RpcSession *session, void *userdata) {
    RpcServer *server = userdata;

    if (server->ops && server->ops->session_closed)
        server->ops->session_closed(session, server->userdata);
    server->n_sessions--;
    fiber_cond_broadcast(&server->drained);
}

static void on_answered(RpcSession *session, const RpcCall *call, const Error *error,
                        void *userdata) {
    RpcServer *server = userdata;

    if (server->ops->call_answered)
        server->ops->call_answered(session, call, error, server->userdata);
}

static const SessionOps session_ops = {.closed = on_closed,
                                       .done = on_done,
                                       .stalled = on_stalled,
                                       .released = on_released,
                                       .answered = on_answered};

static bool is_overdue(const RpcSession *session, const RpcLimits *limits, uint64_t now) {
    if (!session->open && now - session->since > limits->open_usec)
        return true;
    return session->output && now - session->last_output > limits->stall_usec;
}

static void arm_sweep(RpcServer *server) {
    const RpcLimits *limits = budget_limits(server->budget);

    sd_event_source_set_time_relative(server->sweep,
                                      MIN_OF(limits->open_usec, limits->stall_usec) / SWEEPS);
    sd_event_source_set_enabled(server->sweep, server->sessions ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

/* Ends those that never opened, and those that stopped reading. */
static int on_sweep(sd_event_source *source, uint64_t usec, void *userdata) {
    RpcServer *server = userdata;
    const uint64_t now = now_usec();
    RpcSession *next;

    for (RpcSession *at = server->sessions; at; at = next) {
        next = at->next;
        if (!is_overdue(at, budget_limits(server->budget), now))
            continue;
        log_limited(LOG_INFO, "a client (%s) %s, closing it", at->peer.text,
                    at->open ? "does not read its replies" : "has not opened");
        session_close(at);
    }
    arm_sweep(server);
    return 0;
}

/* ---- sessions that come ---- */

/* The one of that user that has been opening for the longest, or of all ordinary users. */
static RpcSession *oldest_opening(RpcServer *server, const RpcPeer *peer) {
    RpcSession *own = NULL, *any = NULL;

    for (RpcSession *at = server->sessions; at; at = at->next) {
        if (at->open)
            continue;
        if (account_is_of(at->account, peer->uid, peer_account_host(peer)) &&
            (!own || at->since < own->since))
            own = at;
        if (account_is_ordinary(at->account) && (!any || at->since < any->since))
            any = at;
    }
    return own ? own : any;
}

/* A newcomer takes the place of one that came and did nothing. */
static int add_session(RpcServer *server, int fd, bool readonly, RpcSession **ret) {
    CLEANUP_CLOSE int taken = fd;
    RpcPeer peer;
    int r = rpc_peer_look(fd, &peer);

    if (r < 0)
        return r;
    if (*peer.host)
        tcp_socket_tune(fd);
    r = session_new(server->table, server->budget, &session_ops, server, fd, &peer, readonly, ret);
    if (r == -EDQUOT) {
        RpcSession *oldest = oldest_opening(server, &peer);

        if (!oldest)
            return r;
        session_close(oldest);
        r = session_new(server->table, server->budget, &session_ops, server, fd, &peer, readonly,
                        ret);
    }
    if (r >= 0)
        TAKE_FD(taken);
    return r;
}

int rpc_server_add_connection(RpcServer *server, int fd, bool readonly) {
    RpcSession *session = NULL;
    int r = add_session(server, fd, readonly, &session);

    if (r < 0) {
        if (r == -EDQUOT)
            refusal_count(REFUSAL_LIMIT);
        log_limited(LOG_WARNING, "%u clients are connected, refusing another: %s",
                    server->n_sessions, strerror(-r));
        return r;
    }
    session->id = ++server->n_came;
    session->next = server->sessions;
    server->sessions = session;
    server->n_sessions++;
    if (!session->next)
        arm_sweep(server);
    if (server->ops && server->ops->session_opened) {
        r = server->ops->session_opened(session, server->userdata);
        if (r < 0)
            session_close(session);
    }
    return r;
}

static void on_accepted(int fd, void *userdata) {
    Door *door = userdata;

    rpc_server_add_connection(door->server, fd, door->readonly);
}

int rpc_server_add_listener(RpcServer *server, int fd, bool readonly) {
    Door *door = calloc(1, sizeof(Door));
    int r;

    if (!door) {
        close(fd);
        return -ENOMEM;
    }
    *door = (Door){.server = server, .readonly = readonly};
    r = listener_new(fd, on_accepted, door, &door->listener);
    if (r < 0) {
        free(door);
        return r;
    }
    door->next = server->doors;
    server->doors = door;
    return 0;
}

/* ---- life ---- */

static size_t fds_allowed(void) {
    struct rlimit limit = {.rlim_cur = 1024};

    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

int rpc_server_new(const RpcProgram *programs, size_t n_programs, const RpcServerOps *ops,
                   void *userdata, const RpcLimits *limits, RpcServer **ret) {
    const RpcLimits defaults = rpc_limits_default(fds_allowed());
    CLEANUP(rpc_server_freep) RpcServer *server = calloc(1, sizeof(RpcServer));
    int r;

    if (!server)
        return -ENOMEM;
    server->ops = ops;
    server->userdata = userdata;
    r = rpc_table_new(programs, n_programs, &server->table);
    if (r >= 0)
        r = budget_new(limits ? limits : &defaults, &server->budget);
    if (r >= 0)
        r = sd_event_add_time_relative(fiber_event(), &server->sweep, CLOCK_MONOTONIC, 0, 0,
                                       on_sweep, server);
    if (r >= 0)
        r = sd_event_source_set_enabled(server->sweep, SD_EVENT_OFF);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(server);
    return 0;
}

unsigned rpc_server_n_sessions(const RpcServer *server) {
    return server->n_sessions;
}

RpcSession *rpc_server_next_session(const RpcServer *server, const RpcSession *after) {
    return after ? after->next : server->sessions;
}

RpcSession *rpc_server_find_session(const RpcServer *server, uint64_t id) {
    RpcSession *at = server->sessions;

    while (at && at->id != id)
        at = at->next;
    return at;
}

uint64_t rpc_server_n_came(const RpcServer *server) {
    return server->n_came;
}

void rpc_server_close_session(RpcServer *server, RpcSession *session) {
    session_close(session);
}

Budget *rpc_server_budget(const RpcServer *server) {
    return server->budget;
}

static void stop_listening(RpcServer *server) {
    while (server->doors) {
        Door *door = server->doors;

        server->doors = door->next;
        listener_free(door->listener);
        free(door);
    }
}

int rpc_server_stop(RpcServer *server, uint64_t deadline) {
    stop_listening(server);
    while (server->sessions)
        session_close(server->sessions);
    while (server->n_sessions > 0) {
        int r = fiber_cond_wait(&server->drained, deadline);

        if (r < 0)
            return r;
    }
    return 0;
}

void rpc_server_free(RpcServer *server) {
    if (!server)
        return;
    stop_listening(server);
    while (server->sessions)
        session_close(server->sessions);
    sd_event_source_disable_unref(server->sweep);
    if (server->n_sessions > 0)
        return; /* calls that never returned still point to it */
    rpc_table_free(server->table);
    if (server->budget)
        budget_free(server->budget);
    free(server);
}
