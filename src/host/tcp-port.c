/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A port is free when bind(2) says so: tables of the kernel do not know who may share one. */
#include "host/tcp-port.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "util/file.h"

typedef union SocketAddress {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
} SocketAddress;

/* The length of what was made. */
static socklen_t make_address(const char *address, unsigned port, SocketAddress *ret) {
    *ret = (SocketAddress){0};
    if (inet_pton(AF_INET6, address, &ret->six.sin6_addr) == 1) {
        ret->six.sin6_family = AF_INET6;
        ret->six.sin6_port = htons((uint16_t)port);
        return sizeof(ret->six);
    }
    if (inet_pton(AF_INET, address, &ret->four.sin_addr) != 1)
        ret->four.sin_addr.s_addr = htonl(INADDR_ANY);
    ret->four.sin_family = AF_INET;
    ret->four.sin_port = htons((uint16_t)port);
    return sizeof(ret->four);
}

int tcp_port_is_free(const char *address, unsigned port) {
    SocketAddress name;
    socklen_t len = make_address(address, port, &name);
    CLEANUP_CLOSE int fd = socket(name.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;

    if (fd < 0)
        return -errno;
    /* As the servers do it: what is left of closed connections keeps nobody out. */
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) < 0)
        return -errno;
    if (bind(fd, &name.any, len) == 0)
        return 1;
    return errno == EADDRINUSE ? 0 : -errno;
}
