/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TCP stream sockets. */
#include "util/tcp-socket.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

#define IDLE_SEC 60
#define PROBE_SEC 10
#define N_PROBES 6
#define IMPATIENT_SEC 5 /* idle, and between two probes; libvirt's keepalive is the same */

static void tune(int fd, int idle, int probe, int unanswered) {
    const struct {
        int level, name, value;
    } rows[] = {{IPPROTO_TCP, TCP_NODELAY, 1},        {SOL_SOCKET, SO_KEEPALIVE, 1},
                {IPPROTO_TCP, TCP_KEEPIDLE, idle},    {IPPROTO_TCP, TCP_KEEPINTVL, probe},
                {IPPROTO_TCP, TCP_KEEPCNT, N_PROBES}, {IPPROTO_TCP, TCP_USER_TIMEOUT, unanswered}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        setsockopt(fd, rows[i].level, rows[i].name, &rows[i].value, sizeof(rows[i].value));
}

void tcp_socket_tune(int fd) {
    tune(fd, IDLE_SEC, PROBE_SEC, 0);
}

void tcp_socket_tune_impatient(int fd) {
    tune(fd, IMPATIENT_SEC, IMPATIENT_SEC, IMPATIENT_SEC * (N_PROBES - 1) * 1000);
}

static int look_up(const char *address, const char *port, struct addrinfo **ret) {
    const struct addrinfo wanted = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
                                    .ai_socktype = SOCK_STREAM};

    return getaddrinfo(address, port, &wanted, ret) == 0 ? 0 : -EINVAL;
}

bool tcp_socket_is_loopback(const char *address) {
    struct addrinfo *list = NULL;
    bool is = false;

    if (look_up(address, "1", &list) < 0)
        return false;
    if (list->ai_family == AF_INET)
        is = ntohl(((struct sockaddr_in *)list->ai_addr)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    else if (list->ai_family == AF_INET6)
        is = IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)list->ai_addr)->sin6_addr);
    freeaddrinfo(list);
    return is;
}

static int listen_at(const struct addrinfo *at, int backlog, int *ret) {
    const int yes = 1, no = 0;
    CLEANUP_CLOSE int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (at->ai_family == AF_INET6) /* "::" is every address */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
    if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, backlog) < 0)
        return -errno;
    *ret = TAKE_FD(fd);
    return 0;
}

int tcp_socket_listen(const char *address, unsigned port, int backlog, int *ret) {
    struct addrinfo *list = NULL;
    char number[12];
    int r;

    snprintf(number, sizeof(number), "%u", port);
    r = look_up(address, number, &list);
    if (r < 0)
        return r;
    r = listen_at(list, backlog, ret);
    freeaddrinfo(list);
    return r;
}

static int connect_at(const struct addrinfo *at, unsigned seconds, int *ret) {
    const struct timeval limit = {.tv_sec = seconds}, none = {0};
    CLEANUP_CLOSE int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)); /* of connect, too */
    if (connect(fd, at->ai_addr, at->ai_addrlen) < 0)
        return errno == EINPROGRESS ? -ETIMEDOUT : -errno;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none));
    tcp_socket_tune(fd);
    *ret = TAKE_FD(fd);
    return 0;
}

int tcp_socket_connect(const char *host, const char *port, unsigned seconds, int *ret,
                       const char **ret_why) {
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    int r = getaddrinfo(host, port, &wanted, &list);

    if (r != 0) {
        *ret_why = gai_strerror(r);
        return -EADDRNOTAVAIL;
    }
    *ret_why = NULL;
    r = -ECONNREFUSED;
    for (const struct addrinfo *at = list; at && r < 0; at = at->ai_next)
        r = connect_at(at, seconds, ret);
    freeaddrinfo(list);
    return r;
}
