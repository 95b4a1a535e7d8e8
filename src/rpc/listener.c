/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Accepting clients. */
#include "rpc/listener.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "util/fiber.h"
#include "util/log.h"
#include "util/tcp-socket.h"
#include "util/unix-socket.h"

#define BACKLOG 128
#define PAUSE_USEC (200 * USEC_PER_MSEC)

struct Listener {
    int fd;
    int spare; /* given up to turn a client away */
    sd_event_source *io, *pause;
    ListenerFunc accepted;
    void *userdata;
};

static int accept_one(const Listener *listener) {
    return accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static int open_spare(void) {
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int on_pause_over(sd_event_source *source, uint64_t usec, void *userdata) {
    Listener *listener = userdata;

    if (listener->spare < 0)
        listener->spare = open_spare();
    return sd_event_source_set_enabled(listener->io, SD_EVENT_ON);
}

/* The client waits no longer than it must; the others wait in the backlog. */
static void turn_away(Listener *listener) {
    if (listener->spare < 0)
        return;
    close(TAKE_FD(listener->spare));
    CLEANUP_CLOSE int client = accept_one(listener);
}

static void pause_accepting(Listener *listener, int error) {
    log_limited(LOG_WARNING, "cannot accept clients for the moment: %s", strerror(error));
    if (error == EMFILE || error == ENFILE)
        turn_away(listener);
    if (listener->spare < 0)
        listener->spare = open_spare();
    sd_event_source_set_enabled(listener->io, SD_EVENT_OFF);
    sd_event_source_set_time_relative(listener->pause, PAUSE_USEC);
    sd_event_source_set_enabled(listener->pause, SD_EVENT_ONESHOT);
}

static int on_listener(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    Listener *listener = userdata;
    int client = accept_one(listener);

    if (client >= 0)
        listener->accepted(client, listener->userdata);
    else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
        pause_accepting(listener, errno);
    return 0;
}

int listener_new(int fd, ListenerFunc accepted, void *userdata, Listener **ret) {
    CLEANUP(listener_freep) Listener *listener = calloc(1, sizeof(Listener));
    int r;

    if (!listener) {
        close(fd);
        return -ENOMEM;
    }
    *listener = (Listener){
        .fd = fd, .spare = open_spare(), .accepted = accepted, .userdata = userdata};
    r = sd_event_add_io(fiber_event(), &listener->io, fd, EPOLLIN, on_listener, listener);
    if (r >= 0)
        r = sd_event_add_time_relative(fiber_event(), &listener->pause, CLOCK_MONOTONIC, 0, 0,
                                       on_pause_over, listener);
    if (r >= 0)
        r = sd_event_source_set_enabled(listener->pause, SD_EVENT_OFF);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(listener);
    return 0;
}

void listener_free(Listener *listener) {
    if (!listener)
        return;
    sd_event_source_disable_unref(listener->io);
    sd_event_source_disable_unref(listener->pause);
    close(listener->fd);
    if (listener->spare >= 0)
        close(listener->spare);
    free(listener);
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
    r = unix_socket_listen(path, mode, BACKLOG, &fd);
    if (r == -ENAMETOOLONG)
        return error_report(reterr, FROM_RPC, ERROR_INTERNAL,
                            "socket path '%s' is longer than %u bytes; use a shorter --root", path,
                            UNIX_SOCKET_PATH_MAX);
    if (r < 0)
        return error_system(reterr, FROM_RPC, r, "cannot listen on '%s'", path);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int rpc_listen_tcp(const char *address, unsigned port, int *ret_fd, Error **reterr) {
    int r = tcp_socket_listen(address, port, BACKLOG, ret_fd);

    if (r == -EINVAL)
        return error_report(reterr, FROM_RPC, ERROR_INTERNAL,
                            "'%.100s' is no numeric address to listen at", address);
    return r < 0 ? error_system(reterr, FROM_RPC, r, "cannot listen at '%s' port %u", address, port)
                 : 0;
}
