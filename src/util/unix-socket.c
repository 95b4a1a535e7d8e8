/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Unix stream sockets by path. */
#include "util/unix-socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static int make_address(const char *path, struct sockaddr_un *ret) {
    size_t len = strlen(path);

    _Static_assert(sizeof(ret->sun_path) == UNIX_SOCKET_PATH_MAX + 1, "unix(7)");
    if (len > UNIX_SOCKET_PATH_MAX)
        return -ENAMETOOLONG;
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret->sun_path, path, len + 1);
    return 0;
}

int unix_socket_connect(const char *path, int flags, int *ret) {
    CLEANUP_CLOSE int fd = -1;
    struct sockaddr_un address;
    int r = make_address(path, &address);

    if (r < 0)
        return r;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    *ret = TAKE_FD(fd);
    return 0;
}

int unix_socket_listen(const char *path, mode_t mode, int backlog, int *ret) {
    CLEANUP_CLOSE int fd = -1;
    struct sockaddr_un address;
    int r = make_address(path, &address);

    if (r < 0)
        return r;
    unlink(path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        chmod(path, mode) < 0 || listen(fd, backlog) < 0)
        return -errno;
    *ret = TAKE_FD(fd);
    return 0;
}
