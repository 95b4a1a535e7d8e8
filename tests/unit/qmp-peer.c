/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The scripted QEMU. It ends the test by abort(): an assertion of cmocka would leave the loop's
 * callback by a jump. */
#include "qmp-peer.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "util/file.h"
#include "util/json.h"
#include "util/unix-socket.h"

#define GREETING "{'QMP':{'version':{'qemu':{'major':7,'minor':2,'micro':0}},'capabilities':[]}}"
#define INPUT_MAX (1u << 20)
#define WAIT_USEC (30 * USEC_PER_SEC)

typedef enum StepKind {
    STEP_EXPECT, /* text: the whole answer but for the id, or NULL: none */
    STEP_ANSWER,
    STEP_SAY,
    STEP_HANG_UP,
    STEP_PAUSE,
} StepKind;

typedef struct Step {
    struct Step *next;
    StepKind kind;
    char *execute, *text;
    size_t len;
} Step;

/* What is known of one command: its standing answer, and how often it came. */
typedef struct Command {
    struct Command *next;
    char *execute, *value, *arguments;
    QmpPeerFunc func;
    void *userdata;
    unsigned n;
} Command;

/* The id of a command that waits for its answer. */
typedef struct Waiting {
    struct Waiting *next;
    char *id;
} Waiting;

struct QmpPeer {
    int listener, fd;
    sd_event_source *accept, *io;
    Step *steps; /* the first is the one under way */
    Command *commands;
    Waiting *waiting; /* oldest first */
    char *input;
    size_t used;
    bool advancing;
    FiberCond moved;
};

static void *must(void *ptr) {
    if (!ptr)
        abort();
    return ptr;
}

/* JSON with its quotes. Caller frees. */
static char *quoted(const char *text) {
    char *copy = must(strdup(text));

    for (char *at = copy; *at; at++)
        if (*at == '\'')
            *at = '"';
    return copy;
}

static void say(QmpPeer *peer, const char *bytes, size_t len) {
    while (len > 0 && peer->fd >= 0) {
        ssize_t n = send(peer->fd, bytes, len, MSG_NOSIGNAL);

        if (n < 0)
            return; /* the other side has gone */
        bytes += n;
        len -= n;
    }
}

static void say_json(QmpPeer *peer, const char *text) {
    CLEANUP_FREE char *json = quoted(text), *line = must(strf("%s\r\n", json));

    say(peer, line, strlen(line));
}

static void forget_waiting(QmpPeer *peer) {
    Waiting *waiting;

    while ((waiting = peer->waiting)) {
        peer->waiting = waiting->next;
        free(waiting->id);
        free(waiting);
    }
}

static void hang_up(QmpPeer *peer) {
    peer->io = sd_event_source_disable_unref(peer->io);
    if (peer->fd >= 0)
        close(TAKE_FD(peer->fd));
    peer->used = 0;
    forget_waiting(peer);
}

/* `members` is the answer without braces and id: 'return':{}. */
static void answer(QmpPeer *peer, const char *id, const char *members) {
    CLEANUP_FREE char *text = must(strf("{'id':'%s',%s}", id, members));

    say_json(peer, text);
}

static void answer_oldest(QmpPeer *peer, const char *members) {
    Waiting *waiting = peer->waiting;

    if (!waiting) {
        fprintf(stderr, "qmp-peer: an answer, and no command waits for one\n");
        abort();
    }
    peer->waiting = waiting->next;
    answer(peer, waiting->id, members);
    free(waiting->id);
    free(waiting);
}

static void step_free(Step *step) {
    free(step->execute);
    free(step->text);
    free(step);
}

/* Takes the first step out of the script and frees it. */
static void step_done(QmpPeer *peer) {
    Step *step = peer->steps;

    peer->steps = step->next;
    step_free(step);
    fiber_cond_broadcast(&peer->moved);
}

/* Does the steps that wait for nothing but a connection. */
static void advance(QmpPeer *peer) {
    if (peer->advancing)
        return;
    peer->advancing = true;
    while (peer->fd >= 0 && peer->steps && peer->steps->kind != STEP_EXPECT &&
           peer->steps->kind != STEP_PAUSE) {
        if (peer->steps->kind == STEP_SAY)
            say(peer, peer->steps->text, peer->steps->len);
        else if (peer->steps->kind == STEP_ANSWER)
            answer_oldest(peer, peer->steps->text);
        else
            hang_up(peer);
        step_done(peer);
    }
    peer->advancing = false;
}

static void add_waiting(QmpPeer *peer, const char *id) {
    Waiting **tail = &peer->waiting, *waiting = must(calloc(1, sizeof(Waiting)));

    waiting->id = must(strdup(id));
    while (*tail)
        tail = &(*tail)->next;
    *tail = waiting;
}

static Command *command_of(const QmpPeer *peer, const char *execute) {
    for (Command *command = peer->commands; command; command = command->next)
        if (streq(command->execute, execute))
            return command;
    return NULL;
}

static Command *command_make(QmpPeer *peer, const char *execute) {
    Command *command = command_of(peer, execute);

    if (command)
        return command;
    command = must(calloc(1, sizeof(Command)));
    command->execute = must(strdup(execute));
    command->next = peer->commands;
    peer->commands = command;
    return command;
}

static void answer_standing(QmpPeer *peer, Command *command, const char *id,
                            json_object *arguments) {
    CLEANUP_FREE char *value = NULL, *members = NULL;

    if (!command->func && !command->value) {
        fprintf(stderr, "qmp-peer: nobody expected the command '%s'; the script waits for '%s'\n",
                command->execute,
                !peer->steps           ? "nothing"
                : peer->steps->execute ? peer->steps->execute
                                       : "qmp_peer_go");
        abort();
    }
    value = command->func ? command->func(peer, arguments, command->userdata)
                          : must(strdup(command->value));
    members = value ? must(strf("'return':%s", value)) : NULL;
    if (members)
        answer(peer, id, members);
}

static void on_command(QmpPeer *peer, json_object *message) {
    const char *execute = json_member_string(message, "execute"),
               *id = json_member_string(message, "id");
    json_object *arguments = json_member(message, "arguments");
    Step *step = peer->steps;
    Command *command;

    if (!execute || !id) {
        fprintf(stderr, "qmp-peer: no command: %s\n", json_object_to_json_string(message));
        abort();
    }
    command = command_make(peer, execute);
    command->n++;
    free(command->arguments);
    command->arguments = arguments ? must(json_text(arguments)) : NULL;
    if (step && step->kind == STEP_EXPECT && streq(step->execute, execute)) {
        if (step->text)
            answer(peer, id, step->text);
        else
            add_waiting(peer, id);
        step_done(peer);
    } else {
        answer_standing(peer, command, id, arguments);
    }
    fiber_cond_broadcast(&peer->moved);
    advance(peer);
}

static void take_lines(QmpPeer *peer) {
    char *end;

    while (peer->fd >= 0 && (end = memmem(peer->input, peer->used, "\r\n", 2))) {
        size_t len = (size_t)(end - peer->input);
        CLEANUP_JSON json_object *message = NULL;

        if (json_parse(peer->input, len, &message) < 0)
            abort();
        peer->used -= len + 2;
        memmove(peer->input, end + 2, peer->used);
        on_command(peer, message);
    }
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    QmpPeer *peer = userdata;
    ssize_t n = recv(fd, peer->input + peer->used, INPUT_MAX - peer->used, MSG_DONTWAIT);

    if (n <= 0) {
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            hang_up(peer);
        fiber_cond_broadcast(&peer->moved);
        return 0;
    }
    peer->used += (size_t)n;
    take_lines(peer);
    return 0;
}

static void connected(QmpPeer *peer, int fd) {
    peer->fd = fd;
    if (sd_event_add_io(fiber_event(), &peer->io, fd, EPOLLIN, on_io, peer) < 0)
        abort();
}

static int on_accept(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    QmpPeer *peer = userdata;
    int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

    if (connection < 0)
        return 0;
    hang_up(peer);
    connected(peer, connection);
    say_json(peer, GREETING);
    fiber_cond_broadcast(&peer->moved);
    advance(peer);
    return 0;
}

static QmpPeer *peer_new(void) {
    QmpPeer *peer = must(calloc(1, sizeof(QmpPeer)));

    peer->input = must(malloc(INPUT_MAX));
    peer->listener = peer->fd = -1;
    qmp_peer_always(peer, "qmp_capabilities", "{}");
    return peer;
}

QmpPeer *qmp_peer_new(int *ret_fd) {
    QmpPeer *peer = peer_new();
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        abort();
    connected(peer, fds[0]);
    *ret_fd = fds[1];
    return peer;
}

QmpPeer *qmp_peer_listen(const char *path) {
    QmpPeer *peer = peer_new();

    if (unix_socket_listen(path, 0600, 8, &peer->listener) < 0 ||
        sd_event_add_io(fiber_event(), &peer->accept, peer->listener, EPOLLIN, on_accept, peer) < 0)
        abort();
    return peer;
}

void qmp_peer_free(QmpPeer *peer) {
    Command *command;

    if (peer->steps) {
        fprintf(stderr, "qmp-peer: the script still waits for '%s'\n",
                peer->steps->execute ? peer->steps->execute : "qmp_peer_go");
        abort();
    }
    hang_up(peer);
    sd_event_source_disable_unref(peer->accept);
    if (peer->listener >= 0)
        close(peer->listener);
    while ((command = peer->commands)) {
        peer->commands = command->next;
        free(command->execute);
        free(command->value);
        free(command->arguments);
        free(command);
    }
    fiber_cond_done(&peer->moved);
    free(peer->input);
    free(peer);
}

/* ---- the script ---- */

/* Takes the texts. */
static void add_step(QmpPeer *peer, StepKind kind, const char *execute, char *text, size_t len) {
    Step **tail = &peer->steps, *step = must(calloc(1, sizeof(Step)));

    *step = (Step){.kind = kind, .text = text, .len = len};
    if (execute)
        step->execute = must(strdup(execute));
    while (*tail)
        tail = &(*tail)->next;
    *tail = step;
    advance(peer);
}

void qmp_peer_expect(QmpPeer *peer, const char *execute, const char *value) {
    add_step(peer, STEP_EXPECT, execute, must(strf("'return':%s", value)), 0);
}

void qmp_peer_expect_error(QmpPeer *peer, const char *execute, const char *class,
                           const char *desc) {
    add_step(peer, STEP_EXPECT, execute,
             must(strf("'error':{'class':'%s','desc':'%s'}", class, desc)), 0);
}

void qmp_peer_expect_silent(QmpPeer *peer, const char *execute) {
    add_step(peer, STEP_EXPECT, execute, NULL, 0);
}

void qmp_peer_answer(QmpPeer *peer, const char *value) {
    add_step(peer, STEP_ANSWER, NULL, must(strf("'return':%s", value)), 0);
}

static char *event_text(const char *name, const char *data) {
    CLEANUP_FREE char *text = must(
        strf("{'timestamp':{'seconds':1,'microseconds':2},'event':'%s'%s%s}\r\n", name,
             data ? ",'data':" : "", data ? data : ""));

    return quoted(text);
}

void qmp_peer_event(QmpPeer *peer, const char *name, const char *data) {
    char *text = event_text(name, data);

    add_step(peer, STEP_SAY, NULL, text, strlen(text));
}

void qmp_peer_raw(QmpPeer *peer, const char *bytes, size_t len) {
    char *copy = must(malloc(len + 1));

    memcpy(copy, bytes, len);
    add_step(peer, STEP_SAY, NULL, copy, len);
}

void qmp_peer_hang_up(QmpPeer *peer) {
    add_step(peer, STEP_HANG_UP, NULL, NULL, 0);
}

void qmp_peer_pause(QmpPeer *peer) {
    add_step(peer, STEP_PAUSE, NULL, NULL, 0);
}

void qmp_peer_go(QmpPeer *peer) {
    if (!peer->steps || peer->steps->kind != STEP_PAUSE)
        abort();
    step_done(peer);
    advance(peer);
}

void qmp_peer_always(QmpPeer *peer, const char *execute, const char *value) {
    Command *command = command_make(peer, execute);

    free(command->value);
    command->value = must(strdup(value));
    command->func = NULL;
}

void qmp_peer_compute(QmpPeer *peer, const char *execute, QmpPeerFunc func, void *userdata) {
    Command *command = command_make(peer, execute);

    command->func = func;
    command->userdata = userdata;
}

void qmp_peer_event_now(QmpPeer *peer, const char *name, const char *data) {
    CLEANUP_FREE char *text = event_text(name, data);

    say(peer, text, strlen(text));
}

void qmp_peer_hang_up_now(QmpPeer *peer) {
    hang_up(peer);
}

/* ---- what happened ---- */

unsigned qmp_peer_count(const QmpPeer *peer, const char *execute) {
    const Command *command = command_of(peer, execute);

    return command ? command->n : 0;
}

const char *qmp_peer_arguments(const QmpPeer *peer, const char *execute) {
    const Command *command = command_of(peer, execute);

    return command ? command->arguments : NULL;
}

bool qmp_peer_is_connected(const QmpPeer *peer) {
    return peer->fd >= 0;
}

bool qmp_peer_is_done(const QmpPeer *peer) {
    return !peer->steps;
}

static void wait_moved(QmpPeer *peer, uint64_t deadline, const char *what) {
    if (fiber_cond_wait(&peer->moved, deadline) < 0) {
        fprintf(stderr, "qmp-peer: '%s' did not come\n", what);
        abort();
    }
}

void qmp_peer_wait(QmpPeer *peer) {
    uint64_t deadline = deadline_in(WAIT_USEC);

    while (peer->steps)
        wait_moved(peer, deadline, peer->steps->execute ? peer->steps->execute : "qmp_peer_go");
}

void qmp_peer_wait_count(QmpPeer *peer, const char *execute, unsigned n) {
    uint64_t deadline = deadline_in(WAIT_USEC);

    while (qmp_peer_count(peer, execute) < n)
        wait_moved(peer, deadline, execute);
}
