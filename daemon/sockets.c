/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Listening, in two steps. */
#include "sockets.h"

#include <systemd/sd-daemon.h>
#include <unistd.h>

static int take_activated(const Config *config, size_t n, Sockets *ret, Error **reterr) {
    ret->doors = calloc(n, sizeof(Door));
    if (!ret->doors)
        return error_no_memory(reterr);
    for (size_t i = 0; i < n; i++) {
        int fd = SD_LISTEN_FDS_START + (int)i;

        ret->doors[ret->n++] = (Door){
            .fd = fd, .readonly = sd_is_socket_unix(fd, SOCK_STREAM, 1, config->socket_ro, 0) > 0};
    }
    return 0;
}

static int bind_own(const Config *config, Sockets *ret, Error **reterr) {
    const struct {
        const char *path;
        unsigned mode;
        bool readonly;
    } own[] = {{config->socket, config->socket_mode, false},
               {config->socket_ro, config->socket_ro_mode, true}};

    ret->doors = calloc(ARRAY_SIZE(own), sizeof(Door));
    if (!ret->doors)
        return error_no_memory(reterr);
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        int fd = -1, r = rpc_listen_unix(own[i].path, own[i].mode, &fd, reterr);

        if (r < 0)
            return r;
        ret->doors[ret->n++] = (Door){.fd = fd, .readonly = own[i].readonly};
        if (!own[i].readonly && config->socket_gid != NO_SOCKET_GROUP &&
            chown(own[i].path, (uid_t)-1, config->socket_gid) < 0)
            return error_system(reterr, FROM_NONE, errno, "cannot give '%s' to group %u",
                                own[i].path, (unsigned)config->socket_gid);
    }
    return 0;
}

int sockets_bind(const Config *config, Sockets *ret, Error **reterr) {
    int n = sd_listen_fds(1);

    return n > 0 ? take_activated(config, (size_t)n, ret, reterr) : bind_own(config, ret, reterr);
}

int sockets_serve(Sockets *sockets, RpcServer *server, Error **reterr) {
    for (size_t i = 0; i < sockets->n; i++) {
        int r = rpc_server_add_listener(server, TAKE_FD(sockets->doors[i].fd),
                                        sockets->doors[i].readonly);

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
