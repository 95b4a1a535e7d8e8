/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/client-address.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

#include "util/fiber.h"
#include "util/file.h"
#include "util/tcp-socket.h"
#include "util/unix-socket.h"
#include "util/worker.h"

#define DEFAULT_SOCKET "/run/vireo/vireo-sock"
#define DEFAULT_SOCKET_RO "/run/vireo/vireo-sock-ro"
#define DEFAULT_URI "qemu:///system"
#define CONNECT_SEC 15u

static int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The value at text up to '&' or '#', percent-decoded, in fresh memory. */
static char *decode_value(const char *text) {
    size_t len = strcspn(text, "&#"), n = 0;
    char *value = malloc(len + 1);

    if (!value)
        return NULL;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '%' && i + 2 < len && hex_value(text[i + 1]) >= 0 &&
            hex_value(text[i + 2]) >= 0) {
            value[n++] = (char)(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
            i += 2;
        } else {
            value[n++] = text[i];
        }
    }
    value[n] = '\0';
    return value;
}

/* The value of socket= in the URI's query; NULL without one. */
static const char *find_socket(const char *uri) {
    const char *query = strchr(uri, '?');

    while (query) {
        query++;
        if (strncmp(query, "socket=", 7) == 0)
            return query + 7;
        query = strchr(query, '&');
    }
    return NULL;
}

static bool is_of_unix(const char *uri) {
    static const char *const heads[] = {"qemu:///system", "qemu+unix:///system", "vireo:///",
                                        "vireo:///system", "vireo+unix:///"};
    size_t len = strcspn(uri, "?#");

    for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
        if (strlen(heads[i]) == len && strncmp(uri, heads[i], len) == 0)
            return true;
    return false;
}

/* What follows "qemu+tcp://"; NULL: it is of another kind. */
static const char *after_tcp(const char *uri) {
    static const char *const heads[] = {"qemu+tcp://", "vireo+tcp://"};

    for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
        if (strncmp(uri, heads[i], strlen(heads[i])) == 0)
            return uri + strlen(heads[i]);
    return NULL;
}

static int refuse(const char *uri, const char *what, Error **reterr) {
    return error_report(reterr, FROM_RPC, ERROR_INVALID_ARG,
                        "unsupported connection URI '%.200s'%s: use qemu:///system, "
                        "qemu+unix:///system?socket=PATH, qemu+tcp://HOST[:PORT]/system or a "
                        "socket path",
                        uri, what);
}

static bool is_port(const char *text) {
    const size_t n = strlen(text);

    return n > 0 && n < 6 && strspn(text, "0123456789") == n && strtoul(text, NULL, 10) > 0 &&
           strtoul(text, NULL, 10) <= UINT16_MAX;
}

/* "HOST/system", "HOST:PORT/system", "[v6]:PORT/system". */
static int read_tcp(const char *uri, const char *text, ClientAddress *ret, Error **reterr) {
    const size_t len = strcspn(text, "/?#");
    const char *end = *text == '[' ? memchr(text, ']', len) : NULL;
    const char *colon = end ? (end[1] == ':' ? end + 1 : NULL) : memchr(text, ':', len);
    const char *from = end ? text + 1 : text;
    const char *to = end ? end : colon ? colon : text + len;
    const char *rest = text + len;
    const size_t n_path = strcspn(rest, "?#");

    if (from == to || (*text == '[' && !end) || memchr(from, '@', (size_t)(to - from)))
        return refuse(uri, " (it names no host)", reterr);
    if (find_socket(uri))
        return refuse(uri, " (TCP leads to no socket)", reterr);
    if (n_path > 1 && (n_path != strlen("/system") || strncmp(rest, "/system", n_path) != 0))
        return refuse(uri, "", reterr);
    ret->host = strndup(from, (size_t)(to - from));
    ret->port = colon ? strndup(colon + 1, (size_t)(text + len - colon - 1))
                      : strf("%u", RPC_TCP_PORT);
    if (!ret->host || !ret->port)
        return error_no_memory(reterr);
    return is_port(ret->port) ? 0 : refuse(uri, " (it has no usable port)", reterr);
}

int client_address_read(const char *uri, bool readonly, ClientAddress *ret, Error **reterr) {
    const char *value, *tcp;

    *ret = (ClientAddress){0};
    if (!uri)
        uri = getenv("VIREO_DEFAULT_URI");
    if (!uri || !*uri)
        uri = DEFAULT_URI;
    ret->uri = *uri == '/' ? strf("qemu+unix:///system?socket=%s", uri) : strdup(uri);
    if (!ret->uri)
        return error_no_memory(reterr);
    tcp = after_tcp(uri);
    if (tcp)
        return read_tcp(uri, tcp, ret, reterr);
    if (*uri != '/' && !is_of_unix(uri))
        return refuse(uri, "", reterr);
    value = *uri == '/' ? NULL : find_socket(uri);
    ret->path = *uri == '/' ? strdup(uri)
                : value     ? decode_value(value)
                            : strdup(readonly ? DEFAULT_SOCKET_RO : DEFAULT_SOCKET);
    return ret->path ? 0 : error_no_memory(reterr);
}

void client_address_done(ClientAddress *address) {
    free(address->uri);
    free(address->path);
    free(address->host);
    free(address->port);
}

/* ---- the way there ---- */

static int connect_failed(const char *place, int errnum, Error **reterr) {
    CLEANUP_FREE char *sentence = strf("cannot connect to vireod at %s: %s; is vireod running?",
                                       place, strerror(errnum));

    if (!sentence)
        return error_no_memory(reterr);
    error_set_raw(reterr, FROM_RPC, ERROR_SYSTEM, sentence);
    return -errnum;
}

static int connect_unix(const char *path, int *ret_fd, Error **reterr) {
    int r = unix_socket_connect(path, fiber_self() ? SOCK_NONBLOCK : 0, ret_fd);

    if (r == -ENAMETOOLONG)
        return error_report(reterr, FROM_RPC, ERROR_INVALID_ARG, "socket path is too long: %.200s",
                            path);
    return r < 0 ? connect_failed(path, -r, reterr) : 0;
}

typedef struct Connecting {
    const ClientAddress *address;
    int fd;
    const char *why;
} Connecting;

static int run_connect(void *userdata) {
    Connecting *work = userdata;

    return tcp_socket_connect(work->address->host, work->address->port, CONNECT_SEC, &work->fd,
                              &work->why);
}

/* On a worker when there is a loop: a host has to be looked up. */
static int connect_tcp(const ClientAddress *address, int *ret_fd, Error **reterr) {
    Connecting work = {.address = address, .fd = -1};
    int r = worker_run(run_connect, &work);
    CLEANUP_FREE char *place = strf("'%s' port %s", address->host, address->port);

    if (r >= 0) {
        *ret_fd = work.fd;
        return 0;
    }
    if (work.why)
        return error_report(reterr, FROM_RPC, ERROR_OPERATION_FAILED, "cannot find host '%s': %s",
                            address->host, work.why);
    return place ? connect_failed(place, -r, reterr) : error_no_memory(reterr);
}

int client_address_connect(const ClientAddress *address, int *ret_fd, Error **reterr) {
    CLEANUP_CLOSE int fd = -1;
    int r = address->path ? connect_unix(address->path, &fd, reterr)
                          : connect_tcp(address, &fd, reterr);

    if (r < 0)
        return r;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
        return error_system(reterr, FROM_RPC, errno, "cannot set up the socket");
    *ret_fd = TAKE_FD(fd);
    return 0;
}
