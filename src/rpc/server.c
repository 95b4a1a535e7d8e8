/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listening sockets, the list of sessions, the index of procedures. */
#include "rpc/server.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "rpc/session.h"
#include "util/log.h"
#include "util/unix-socket.h"

#define PROC_NUMBER_MAX 1024u
#define SESSIONS_MAX 1000u

typedef struct Listener {
    struct Listener *next;
    RpcServer *server;
    sd_event_source *io;
    int fd;
    bool readonly;
} Listener;

struct RpcServer {
    const RpcProgram *programs;
    const RpcProc *(*index)[PROC_NUMBER_MAX]; /* one row per program */
    size_t n_programs;
    const RpcServerOps *ops;
    void *userdata;
    Listener *listeners;
    RpcSession *sessions;
    unsigned n_sessions; /* listed, or with calls still running */
    FiberCond drained;
};

int rpc_server_new(const RpcProgram *programs, size_t n_programs, const RpcServerOps *ops,
                   void *userdata, RpcServer **ret) {
    RpcServer *server = calloc(1, sizeof(RpcServer));

    if (server)
        server->index = calloc(n_programs, sizeof(*server->index));
    if (!server || !server->index) {
        free(server);
        return -ENOMEM;
    }
    server->programs = programs;
    server->n_programs = n_programs;
    server->ops = ops;
    server->userdata = userdata;
    for (size_t i = 0; i < n_programs; i++)
        for (size_t k = 0; k < programs[i].n_procs; k++) {
            assert(programs[i].procs[k].number < PROC_NUMBER_MAX);
            server->index[i][programs[i].procs[k].number] = &programs[i].procs[k];
        }
    *ret = server;
    return 0;
}

const RpcProgram *server_find_program(const RpcServer *server, uint32_t program) {
    for (size_t i = 0; i < server->n_programs; i++)
        if (server->programs[i].program == program)
            return &server->programs[i];
    return NULL;
}

const RpcProc *server_find_proc(const RpcServer *server, const RpcProgram *program,
                                uint32_t number) {
    return number < PROC_NUMBER_MAX ? server->index[program - server->programs][number] : NULL;
}

void server_forget(RpcServer *server, RpcSession *session) {
    RpcSession **at = &server->sessions;

    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
}

void server_session_done(RpcServer *server, RpcSession *session) {
    if (server->ops && server->ops->session_closed)
        server->ops->session_closed(session, server->userdata);
    server->n_sessions--;
    fiber_cond_broadcast(&server->drained);
}

int rpc_server_add_connection(RpcServer *server, int fd, bool readonly) {
    RpcSession *session = NULL;
    int r;

    if (server->n_sessions >= SESSIONS_MAX) {
        log_warning("%u clients are connected, refusing another", server->n_sessions);
        close(fd);
        return -EMFILE;
    }
    r = session_new(server, fd, readonly, &session);
    if (r < 0)
        return r;
    session->next = server->sessions;
    server->sessions = session;
    server->n_sessions++;
    if (server->ops && server->ops->session_opened) {
        r = server->ops->session_opened(session, server->userdata);
        if (r < 0)
            session_close(session);
    }
    return r;
}

static int on_listener(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    Listener *listener = userdata;
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (client >= 0)
        rpc_server_add_connection(listener->server, client, listener->readonly);
    else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        log_warning("cannot accept a client, ignoring: %s", strerror(errno));
    return 0;
}

int rpc_server_add_listener(RpcServer *server, int fd, bool readonly) {
    Listener *listener = calloc(1, sizeof(Listener));
    int r;

    if (!listener) {
        close(fd);
        return -ENOMEM;
    }
    *listener = (Listener){.server = server, .fd = fd, .readonly = readonly};
    r = sd_event_add_io(fiber_event(), &listener->io, fd, EPOLLIN, on_listener, listener);
    if (r < 0) {
        close(fd);
        free(listener);
        return r;
    }
    listener->next = server->listeners;
    server->listeners = listener;
    return 0;
}

unsigned rpc_server_n_sessions(const RpcServer *server) {
    return server->n_sessions;
}

static void stop_listening(RpcServer *server) {
    while (server->listeners) {
        Listener *listener = server->listeners;

        server->listeners = listener->next;
        sd_event_source_disable_unref(listener->io);
        close(listener->fd);
        free(listener);
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
    free(server->index);
    free(server);
}

/* Somebody answers on that socket. */
static bool is_live(const char *path) {
    CLEANUP_CLOSE int fd = -1;
    int r = unix_socket_connect(path, SOCK_NONBLOCK, &fd);

    return r >= 0 || r == -EAGAIN;
}

int rpc_listen_unix(const char *path, unsigned mode, int *ret_fd, Error **reterr) {
    CLEANUP_CLOSE int fd = -1;
    int r;

    if (is_live(path)) {
        error_report(reterr, FROM_RPC, ERROR_INTERNAL, "another daemon is listening on '%s'", path);
        return -EADDRINUSE;
    }
    r = unix_socket_listen(path, mode, 128, &fd);
    if (r == -ENAMETOOLONG)
        return error_report(reterr, FROM_RPC, ERROR_INTERNAL,
                            "socket path '%s' is longer than %u bytes; use a shorter --root", path,
                            UNIX_SOCKET_PATH_MAX);
    if (r < 0)
        return error_system(reterr, FROM_RPC, r, "cannot listen on '%s'", path);
    *ret_fd = TAKE_FD(fd);
    return 0;
}
