/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "driver/migrate-wire.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "util/file.h"
#include "util/log.h"
#include "util/tcp-socket.h"
#include "util/unix-socket.h"
#include "util/worker.h"

#define MAGIC "VireoMig"
#define MAGIC_SIZE 8u
#define HELLO_SIZE (MAGIC_SIZE + 1 + MIGRATE_TOKEN_SIZE)
#define ROLE_STATE 'S'
#define ROLE_WORDS 'W'
#define CONNECT_SEC 15
#define ARRIVALS_MAX 16u /* that have not shown the token; one more, and the oldest is closed */
#define BACKLOG 16
#define REFUSED 'N'
#define VCPU_MAX 65535u   /* a number that is larger is nobody's */
#define PORT_FIRST 49152u /* libvirt's, so that a firewall that lets these pass is right */
#define PORT_LAST 49215u

/* ---- words ---- */

static const struct {
    unsigned word;
    char byte;
} words[] = {{MIGRATE_READY, 'R'},
             {MIGRATE_YOURS, 'Y'},
             {MIGRATE_LANDED, 'D'},
             {MIGRATE_LOST, 'F'},
             {MIGRATE_KEPT, 'K'}};

static void hear_refused(MigrateLink *link, unsigned vcpu) {
    if (!link->refused)
        link->refused = bitmap_new();
    if (vcpu <= VCPU_MAX && (!link->refused || bitmap_set(link->refused, vcpu) < 0))
        log_warning("out of memory, ignoring: the guest keeps vCPU %u", vcpu);
}

static void hear(MigrateLink *link, char byte) {
    if (byte >= '0' && byte <= '9') {
        link->number = MIN_OF(link->number * 10 + (unsigned)(byte - '0'), VCPU_MAX + 1);
        return;
    }
    if (byte == REFUSED)
        hear_refused(link, link->number);
    link->number = 0;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (words[i].byte == byte)
            link->heard |= words[i].word;
}

static int on_word(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    MigrateLink *link = userdata;
    char byte;
    const ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n > 0) {
        hear(link, byte);
    } else {
        link->ended = true;
        sd_event_source_set_enabled(source, SD_EVENT_OFF);
    }
    fiber_cond_broadcast(link->news);
    return 0;
}

int migrate_link_open(MigrateLink *link, int fd, FiberCond *news) {
    *link = (MigrateLink){.fd = fd, .news = news};
    int r = sd_event_add_io(fiber_event(), &link->io, fd, EPOLLIN, on_word, link);

    if (r < 0)
        migrate_link_close(link);
    return r;
}

int migrate_link_say(MigrateLink *link, unsigned word) {
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (words[i].word == word && link->io)
            return send(link->fd, &words[i].byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1 ? 0 : -errno;
    return -ENOTCONN;
}

int migrate_link_say_refused(MigrateLink *link, const Bitmap *vcpus) {
    for (int id = bitmap_next(vcpus, 0); id >= 0; id = bitmap_next(vcpus, id + 1)) {
        char text[16];
        const int n = snprintf(text, sizeof(text), "%d%c", id, REFUSED);
        ssize_t sent;

        if (!link->io)
            return -ENOTCONN;
        sent = send(link->fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent != n)
            return sent < 0 ? -errno : -EAGAIN;
    }
    return 0;
}

void migrate_link_close(MigrateLink *link) {
    if (!link->news)
        return;
    bitmap_free(TAKE_PTR(link->refused));
    link->io = sd_event_source_disable_unref(link->io);
    if (link->fd >= 0)
        close(TAKE_FD(link->fd));
}

/* ---- places ---- */

/* Where a URI leads. */
typedef struct Place {
    char *path;     /* of a unix socket */
    char host[256]; /* of TCP; may be empty */
    char port[8];   /* empty: any */
} Place;

static int bad_uri(const char *uri, const char *what, Error **reterr) {
    return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                        "the migration URI '%.200s' %s; tcp://HOST[:PORT] and unix:///PATH can be "
                        "used",
                        uri, what);
}

/* "HOST", "HOST:PORT", "[v6]:PORT". */
static int read_host(const char *uri, const char *text, Place *ret, Error **reterr) {
    const size_t len = strcspn(text, "/?");
    const char *end = *text == '[' ? memchr(text, ']', len) : NULL;
    const char *colon = end ? (end[1] == ':' ? end + 1 : NULL) : memchr(text, ':', len);
    const char *from = end ? text + 1 : text;
    const size_t n_host = (size_t)((end ? end : colon ? colon : text + len) - from);
    const size_t n_port = colon ? (size_t)(text + len - colon - 1) : 0;

    if (n_host >= sizeof(ret->host) || n_port >= sizeof(ret->port) || (*text == '[' && !end))
        return bad_uri(uri, "names no host", reterr);
    memcpy(ret->host, from, n_host);
    memcpy(ret->port, colon ? colon + 1 : "", n_port);
    if (n_port &&
        (strspn(ret->port, "0123456789") != n_port || strtoul(ret->port, NULL, 10) > UINT16_MAX))
        return bad_uri(uri, "has no usable port", reterr);
    return 0;
}

static int read_place(const char *uri, Place *ret, Error **reterr) {
    *ret = (Place){0};
    if (strncmp(uri, "unix:", 5) == 0) {
        const char *path = strncmp(uri, "unix://", 7) == 0 ? uri + 7 : uri + 5;

        if (*path != '/')
            return bad_uri(uri, "has no absolute path", reterr);
        ret->path = strdup(path);
        return ret->path ? 0 : error_no_memory(reterr);
    }
    if (strncmp(uri, "tcp://", 6) == 0)
        return read_host(uri, uri + 6, ret, reterr);
    if (strncmp(uri, "tcp:", 4) == 0)
        return read_host(uri, uri + 4, ret, reterr);
    return bad_uri(uri, "is of another kind", reterr);
}

static void place_done(Place *place) {
    free(place->path);
}

/* ---- the door ---- */

struct MigrateArrival {
    MigrateDoor *door;
    struct MigrateArrival *next;
    int fd;
    sd_event_source *io;
    size_t n;
    uint8_t hello[HELLO_SIZE];
};

/* Out of the list; returns its fd. */
static int arrival_end(struct MigrateArrival *arrival) {
    MigrateDoor *door = arrival->door;
    struct MigrateArrival **at = &door->arrivals;
    int fd = arrival->fd;

    while (*at != arrival)
        at = &(*at)->next;
    *at = arrival->next;
    door->n_arrivals--;
    sd_event_source_disable_unref(arrival->io);
    free(arrival);
    return fd;
}

/* No hint in the time it takes at which byte it differs. */
static bool is_token(const uint8_t *a, const uint8_t *b) {
    unsigned differs = 0;

    for (size_t i = 0; i < MIGRATE_TOKEN_SIZE; i++)
        differs |= a[i] ^ b[i];
    return differs == 0;
}

/* The place of its role, if it has shown the token and nobody else has it. */
static int *seat_of(MigrateDoor *door, const uint8_t hello[HELLO_SIZE]) {
    const char role = (char)hello[MAGIC_SIZE];
    int *seat = role == ROLE_STATE ? &door->state : role == ROLE_WORDS ? &door->words : NULL;

    if (memcmp(hello, MAGIC, MAGIC_SIZE) != 0 || !is_token(&hello[MAGIC_SIZE + 1], door->token))
        return NULL;
    return seat && *seat < 0 ? seat : NULL;
}

static int on_arrival(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    struct MigrateArrival *arrival = userdata;
    MigrateDoor *door = arrival->door;
    const ssize_t n = recv(fd, &arrival->hello[arrival->n], HELLO_SIZE - arrival->n, MSG_DONTWAIT);
    int *seat;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        close(arrival_end(arrival));
        return 0;
    }
    arrival->n += (size_t)n;
    if (arrival->n < HELLO_SIZE)
        return 0;
    seat = seat_of(door, arrival->hello);
    if (!seat) {
        close(arrival_end(arrival));
        return 0;
    }
    *seat = arrival_end(arrival);
    if (seat == &door->words)
        tcp_socket_tune_impatient(*seat);
    fiber_cond_broadcast(door->news);
    return 0;
}

/* Strangers who say nothing keep nobody out. */
static void make_room(MigrateDoor *door) {
    struct MigrateArrival *oldest = door->arrivals;

    if (door->n_arrivals < ARRIVALS_MAX)
        return;
    while (oldest->next)
        oldest = oldest->next;
    close(arrival_end(oldest));
}

static int on_door(sd_event_source *source, int listener, uint32_t revents, void *userdata) {
    MigrateDoor *door = userdata;
    CLEANUP_CLOSE int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    struct MigrateArrival *arrival = fd >= 0 ? calloc(1, sizeof(*arrival)) : NULL;

    if (!arrival)
        return 0;
    *arrival = (struct MigrateArrival){.door = door, .fd = fd};
    if (sd_event_add_io(fiber_event(), &arrival->io, fd, EPOLLIN, on_arrival, arrival) < 0) {
        free(arrival);
        return 0;
    }
    tcp_socket_tune(fd); /* a host that is gone is noticed; of a unix socket it changes nothing */
    TAKE_FD(fd);
    make_room(door);
    arrival->next = door->arrivals;
    door->arrivals = arrival;
    door->n_arrivals++;
    return 0;
}

/* Listens at an address; -errno. */
static int listen_at(const struct addrinfo *at, int *ret) {
    const int yes = 1, no = 0;
    CLEANUP_CLOSE int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (at->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
    if (bind(fd, at->ai_addr, at->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
        return -errno;
    *ret = TAKE_FD(fd);
    return 0;
}

static int listen_port(const char *address, const char *port, int *ret) {
    const struct addrinfo wanted = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
                                    .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int r = -EADDRNOTAVAIL;

    if (getaddrinfo(address, port, &wanted, &list) != 0)
        return -EINVAL;
    for (int family = 0; family < 2 && r < 0 && r != -EADDRINUSE; family++) /* IPv6 takes both */
        for (const struct addrinfo *at = list; at && r < 0; at = at->ai_next)
            if ((at->ai_family == AF_INET6) == (family == 0))
                r = listen_at(at, ret);
    freeaddrinfo(list);
    return r;
}

/* The port of the place, or the first free one. */
static int listen_tcp(MigrateDoor *door, const char *address, const Place *place, Error **reterr) {
    char port[8];
    int r = -EADDRINUSE;

    snprintf(port, sizeof(port), "%s", place->port);
    if (*port)
        r = listen_port(address, port, &door->fd);
    for (unsigned i = PORT_FIRST; !*place->port && i <= PORT_LAST && r == -EADDRINUSE; i++) {
        snprintf(port, sizeof(port), "%u", i);
        r = listen_port(address, port, &door->fd);
    }
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot listen for a migration at '%s' port %s",
                            address ? address : "any address", port);
    door->uri = strchr(place->host, ':') ? strf("tcp://[%s]:%s", place->host, port)
                                         : strf("tcp://%s:%s", place->host, port);
    return door->uri ? 0 : error_no_memory(reterr);
}

static int listen_unix(MigrateDoor *door, const char *path, Error **reterr) {
    int r;

    door->path = strdup(path);
    door->uri = strf("unix://%s", path);
    if (!door->path || !door->uri)
        return error_no_memory(reterr);
    r = unix_socket_listen(path, 0600, BACKLOG, &door->fd);
    return r < 0 ? error_system(reterr, FROM_QEMU, r, "cannot listen for a migration at '%s'", path)
                 : 0;
}

static int listen_somewhere(MigrateDoor *door, const MigrateDoorParams *params, Error **reterr) {
    CLEANUP(place_done) Place place = {0};
    int r = params->uri ? read_place(params->uri, &place, reterr) : 0;

    if (r < 0)
        return r;
    if (params->uri ? place.path != NULL : params->path != NULL)
        return listen_unix(door, params->uri ? place.path : params->path, reterr);
    if (!*place.host && gethostname(place.host, sizeof(place.host) - 1) < 0)
        return error_system(reterr, FROM_QEMU, errno, "this host has no name");
    return listen_tcp(door, params->address, &place, reterr);
}

int migrate_door_open(MigrateDoor *door, const MigrateDoorParams *params, Error **reterr) {
    int r;

    *door = (MigrateDoor)MIGRATE_DOOR_CLOSED;
    door->news = params->news;
    if (getrandom(door->token, sizeof(door->token), 0) != (ssize_t)sizeof(door->token))
        return error_system(reterr, FROM_QEMU, errno, "no random numbers");
    r = listen_somewhere(door, params, reterr);
    if (r >= 0 && sd_event_add_io(fiber_event(), &door->io, door->fd, EPOLLIN, on_door, door) < 0)
        r = error_no_memory(reterr);
    if (r < 0)
        migrate_door_close(door);
    return r;
}

void migrate_door_close(MigrateDoor *door) {
    door->io = sd_event_source_disable_unref(door->io);
    while (door->arrivals)
        close(arrival_end(door->arrivals));
    if (door->fd >= 0)
        close(TAKE_FD(door->fd));
    if (door->state >= 0)
        close(TAKE_FD(door->state));
    if (door->words >= 0)
        close(TAKE_FD(door->words));
    if (door->path)
        unlink(door->path);
    free(TAKE_PTR(door->path));
    free(TAKE_PTR(door->uri));
}

/* ---- the way there ---- */

typedef struct Connecting {
    const char *uri;
    const uint8_t *token;
    int state, words;
    Error *error;
} Connecting;

static int say_hello(int fd, char role, const uint8_t *token) {
    uint8_t hello[HELLO_SIZE];
    ssize_t n;

    memcpy(hello, MAGIC, MAGIC_SIZE);
    hello[MAGIC_SIZE] = (uint8_t)role;
    memcpy(&hello[MAGIC_SIZE + 1], token, MIGRATE_TOKEN_SIZE);
    n = send(fd, hello, sizeof(hello), MSG_NOSIGNAL);
    return n == (ssize_t)sizeof(hello) ? 0 : n < 0 ? -errno : -EPIPE;
}

static int connect_tcp(const Place *place, int *ret, Error **reterr) {
    const char *why = NULL;
    int r = tcp_socket_connect(place->host, place->port, CONNECT_SEC, ret, &why);

    if (why)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_FAILED,
                            "cannot find the host '%s' of the migration: %s; give an address with "
                            "--migrateuri",
                            place->host, why);
    return r < 0 ? error_system(reterr, FROM_QEMU, r,
                                "cannot connect to port %s of '%s' for the migration", place->port,
                                place->host)
                 : 0;
}

static int connect_once(const Connecting *work, const Place *place, char role, int *ret,
                        Error **reterr) {
    CLEANUP_CLOSE int fd = -1;
    int r;

    if (place->path) {
        r = unix_socket_connect(place->path, 0, &fd);
        if (r < 0)
            return error_system(reterr, FROM_QEMU, r, "cannot connect to '%s' for the migration",
                                place->path);
    } else {
        r = connect_tcp(place, &fd, reterr);
        if (r < 0)
            return r;
    }
    if (role == ROLE_WORDS) /* of a unix socket it changes nothing */
        tcp_socket_tune_impatient(fd);
    r = say_hello(fd, role, work->token);
    if (r < 0)
        return error_system(reterr, FROM_QEMU, r, "cannot write to '%.200s' for the migration",
                            work->uri);
    *ret = TAKE_FD(fd);
    return 0;
}

static int run_connect(void *arg) {
    Connecting *work = arg;
    CLEANUP(place_done) Place place = {0};
    int r = read_place(work->uri, &place, &work->error);

    if (r >= 0 && !place.path && (!*place.host || !*place.port))
        r = bad_uri(work->uri, "names no host and port", &work->error);
    if (r >= 0)
        r = connect_once(work, &place, ROLE_WORDS, &work->words, &work->error);
    if (r >= 0)
        r = connect_once(work, &place, ROLE_STATE, &work->state, &work->error);
    return r;
}

int migrate_wire_connect(const char *uri, const uint8_t token[MIGRATE_TOKEN_SIZE], int *ret_state,
                         int *ret_words, Error **reterr) {
    Connecting work = {.uri = uri, .token = token, .state = -1, .words = -1};
    int r = worker_run(run_connect, &work);

    if (r < 0) {
        if (work.words >= 0)
            close(work.words);
        return error_propagate(reterr, work.error);
    }
    *ret_state = work.state;
    *ret_words = work.words;
    return 0;
}
