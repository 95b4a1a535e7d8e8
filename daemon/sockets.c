/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listening, in two steps. */
#include "sockets.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "util/tcp-socket.h"

#define ADMIN_SOCKET_MODE 0600u

/* A host may have it at libvirt's paths. */
static bool path_ends(int fd, const char *end) {
    struct sockaddr_un address = {.sun_family = AF_UNSPEC};
    socklen_t len = sizeof(address) - 1; /* a zero stays behind the path */
    size_t n;

    if (getsockname(fd, (struct sockaddr *)&address, &len) < 0 || address.sun_family != AF_UNIX)
        return false;
    n = strlen(address.sun_path);
    return n >= strlen(end) && streq(address.sun_path + n - strlen(end), end);
}

static DoorKind kind_of(const Config *config, int fd) {
    if (path_ends(fd, "admin-sock"))
        return DOOR_ADMIN;
    return path_ends(fd, "-sock-ro") ||
                   sd_is_socket_unix(fd, SOCK_STREAM, 1, config->socket_ro, 0) > 0
               ? DOOR_READONLY
               : DOOR_FULL;
}

static int take_activated(const Config *config, size_t n, Sockets *ret, Error **reterr) {
    ret->doors = calloc(n, sizeof(Door));
    if (!ret->doors)
        return error_no_memory(reterr);
    for (size_t i = 0; i < n; i++) {
        int fd = SD_LISTEN_FDS_START + (int)i;

        ret->doors[ret->n++] = (Door){.fd = fd, .kind = kind_of(config, fd)};
    }
    return 0;
}

static int bind_own(const Config *config, Sockets *ret, Error **reterr) {
    const struct {
        const char *path;
        unsigned mode;
        DoorKind kind;
    } own[] = {{config->socket, config->socket_mode, DOOR_FULL},
               {config->socket_ro, config->socket_ro_mode, DOOR_READONLY},
               {config->socket_admin, ADMIN_SOCKET_MODE, DOOR_ADMIN}};

    ret->doors = calloc(ARRAY_SIZE(own), sizeof(Door));
    if (!ret->doors)
        return error_no_memory(reterr);
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        int fd = -1, r = rpc_listen_unix(own[i].path, own[i].mode, &fd, reterr);

        if (r < 0)
            return r;
        ret->doors[ret->n++] = (Door){.fd = fd, .kind = own[i].kind};
        if (own[i].kind == DOOR_FULL && config->socket_gid != NO_SOCKET_GROUP &&
            chown(own[i].path, (uid_t)-1, config->socket_gid) < 0)
            return error_system(reterr, FROM_NONE, errno, "cannot give '%s' to group %u",
                                own[i].path, (unsigned)config->socket_gid);
    }
    return 0;
}

/* Beside the others; whoever is in the array stays. */
static int bind_tcp(const Config *config, Sockets *ret, Error **reterr) {
    Door *more;
    int fd = -1, r;

    if (!config->tcp_anybody && !tcp_socket_is_loopback(config->listen_addr))
        return error_report(reterr, FROM_RPC, ERROR_CONFIG_UNSUPPORTED,
                            "listen_addr = %s is no loopback address, and nobody could come from "
                            "another host: over TCP only root of this host is known. With "
                            "'tcp_auth = none' everybody who comes may do all",
                            config->listen_addr);
    more = reallocarray(ret->doors, ret->n + 1, sizeof(Door));
    if (!more)
        return error_no_memory(reterr);
    ret->doors = more;
    r = rpc_listen_tcp(config->listen_addr, config->tcp_port, &fd, reterr);
    if (r >= 0)
        ret->doors[ret->n++] = (Door){.fd = fd, .kind = DOOR_FULL};
    return r;
}

int sockets_bind(const Config *config, Sockets *ret, Error **reterr) {
    int n = sd_listen_fds(1);
    int r = n > 0 ? take_activated(config, (size_t)n, ret, reterr) : bind_own(config, ret, reterr);

    return r >= 0 && config->listen_tcp ? bind_tcp(config, ret, reterr) : r;
}

int sockets_serve(Sockets *sockets, RpcServer *server, RpcServer *admin, Error **reterr) {
    for (size_t i = 0; i < sockets->n; i++) {
        Door *door = &sockets->doors[i];
        int r = rpc_server_add_listener(door->kind == DOOR_ADMIN ? admin : server,
                                        TAKE_FD(door->fd), door->kind == DOOR_READONLY);

        if (r < 0)
            return error_system(reterr, FROM_RPC, r, "cannot serve clients");
    }
    return 0;
}

void sockets_done(Sockets *sockets) {
    for (size_t i = 0; i < sockets->n; i++)
        if (sockets->doors[i].fd >= 0)
            close(sockets->doors[i].fd);
    free(sockets->doors);
    *sockets = (Sockets){0};
}
