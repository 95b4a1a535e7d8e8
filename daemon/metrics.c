/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* As little of HTTP as a scrape takes: one request, one answer, the end of the connection. */
#include "metrics.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "metrics-text.h"
#include "rpc/listener.h"
#include "util/file.h"

#define REQUEST_MAX 4096u /* bytes */
#define CLIENT_USEC (5 * USEC_PER_SEC)
#define CLIENTS_MAX 8u /* one more is turned away */
#define SOCKET_MODE 0600u
#define BACKLOG 16

struct Metrics {
    Daemon *daemon;
    Listener *listener;
    Sampler *sampler;
    char *path; /* of a unix socket; or NULL */
    unsigned n_clients;
};

/* One connection; belongs to its fiber. */
typedef struct Scrape {
    Metrics *metrics;
    int fd;
} Scrape;

/* Until an empty line: 0, or -errno. */
static int read_request(int fd, uint64_t deadline, char request[REQUEST_MAX]) {
    size_t used = 0;

    for (;;) {
        int r = fiber_wait_fd(fd, EPOLLIN, deadline);
        ssize_t n = r < 0 ? -1 : recv(fd, request + used, REQUEST_MAX - 1 - used, MSG_DONTWAIT);

        if (r < 0)
            return r;
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -ECONNRESET;
        used += (size_t)n;
        request[used] = '\0';
        if (strstr(request, "\r\n\r\n") || strstr(request, "\n\n"))
            return 0;
        if (used == REQUEST_MAX - 1)
            return -EMSGSIZE;
    }
}

static int write_all(int fd, uint64_t deadline, const char *text, size_t len) {
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        int r = 0;

        if (n < 0 && errno == EAGAIN)
            r = fiber_wait_fd(fd, EPOLLOUT, deadline);
        else if (n < 0 && errno != EINTR)
            r = -errno;
        if (r < 0)
            return r;
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static void answer(int fd, uint64_t deadline, const char *status, const char *text, size_t len) {
    CLEANUP_FREE char *head = strf("HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4\r\n"
                                   "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                                   status, len);

    if (head && write_all(fd, deadline, head, strlen(head)) >= 0)
        write_all(fd, deadline, text, len);
}

static bool asks_for_metrics(const char *request) {
    static const char path[] = "GET /metrics";
    const char *after = request + strlen(path);

    return strncmp(request, path, strlen(path)) == 0 && (*after == ' ' || *after == '?');
}

static void serve(Scrape *scrape) {
    CLEANUP_FREE char *text = NULL, *request = malloc(REQUEST_MAX);
    uint64_t deadline = deadline_in(CLIENT_USEC);
    size_t len = 0;

    if (!request || read_request(scrape->fd, deadline, request) < 0)
        return;
    if (!asks_for_metrics(request))
        answer(scrape->fd, deadline, "404 Not Found", "ask for /metrics\n", 17);
    else if (metrics_text(scrape->metrics->daemon, scrape->metrics->sampler, &text, &len) < 0)
        answer(scrape->fd, deadline, "503 Service Unavailable", "out of memory\n", 14);
    else
        answer(scrape->fd, deadline, "200 OK", text, len);
}

static void run_scrape(void *userdata) {
    Scrape *scrape = userdata;

    serve(scrape);
    close(scrape->fd);
    scrape->metrics->n_clients--;
    free(scrape);
}

static void accepted(int fd, void *userdata) {
    Metrics *metrics = userdata;
    Scrape *scrape = metrics->n_clients < CLIENTS_MAX ? calloc(1, sizeof(Scrape)) : NULL;

    if (scrape) {
        *scrape = (Scrape){metrics, fd};
        metrics->n_clients++;
        if (task_start(&metrics->daemon->tasks, "scrape", run_scrape, scrape) >= 0)
            return;
        metrics->n_clients--;
    }
    free(scrape);
    close(fd);
}

/* ---- the socket ---- */

/* -EINVAL: it is no port of the loopback device. */
static int parse_port(const char *address, struct sockaddr_storage *ret, socklen_t *ret_len) {
    struct sockaddr_in *four = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
    const char *digits = strrchr(address, ':');
    unsigned port;
    char end;

    if (!digits || sscanf(digits + 1, "%5u%c", &port, &end) != 1 || port == 0 || port > UINT16_MAX)
        return -EINVAL;
    *ret = (struct sockaddr_storage){0};
    if (strncmp(address, "127.0.0.1:", 10) == 0 && digits == address + 9) {
        *four = (struct sockaddr_in){.sin_family = AF_INET,
                                     .sin_port = htons((uint16_t)port),
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        *ret_len = sizeof(*four);
        return 0;
    }
    if (strncmp(address, "[::1]:", 6) != 0 || digits != address + 5)
        return -EINVAL;
    *six = (struct sockaddr_in6){.sin6_family = AF_INET6,
                                 .sin6_port = htons((uint16_t)port),
                                 .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    *ret_len = sizeof(*six);
    return 0;
}

static int listen_port(const char *address, int *ret, Error **reterr) {
    struct sockaddr_storage at;
    CLEANUP_CLOSE int fd = -1;
    const int yes = 1;
    socklen_t len;

    if (parse_port(address, &at, &len) < 0)
        return error_report(reterr, FROM_NONE, ERROR_CONFIG_UNSUPPORTED,
                            "the setting 'metrics' is '%s'; it may be a path, 127.0.0.1:PORT or "
                            "[::1]:PORT",
                            address);
    fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0 ||
        bind(fd, (struct sockaddr *)&at, len) < 0 || listen(fd, BACKLOG) < 0)
        return error_system(reterr, FROM_NONE, errno, "cannot listen on '%s' (setting 'metrics')",
                            address);
    *ret = TAKE_FD(fd);
    return 0;
}

int metrics_new(Daemon *daemon, const char *address, Metrics **ret, Error **reterr) {
    Metrics *metrics = calloc(1, sizeof(Metrics));
    int fd = -1, r;

    if (!metrics)
        return error_no_memory(reterr);
    metrics->daemon = daemon;
    if (sampler_new(daemon, &metrics->sampler) < 0)
        r = error_no_memory(reterr);
    else if (*address == '/')
        r = rpc_listen_unix(address, SOCKET_MODE, &fd, reterr);
    else
        r = listen_port(address, &fd, reterr);
    if (r >= 0 && *address == '/')
        metrics->path = strdup(address);
    if (r >= 0 && listener_new(fd, accepted, metrics, &metrics->listener) < 0)
        r = error_no_memory(reterr);
    if (r < 0)
        metrics_free(metrics);
    else
        *ret = metrics;
    return r;
}

void metrics_free(Metrics *metrics) {
    if (!metrics)
        return;
    listener_free(metrics->listener);
    sampler_free(metrics->sampler);
    if (metrics->path)
        unlink(metrics->path);
    free(metrics->path);
    free(metrics);
}
