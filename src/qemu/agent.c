/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest agent's conversation.
 *
 * The socket is QEMU's: it stays connected whether or not an agent runs, and QEMU takes bytes from
 * it only while the guest's end is open. So requests to an absent agent pile up, and their answers
 * come when nobody waits. Hence the sync, and hence a sync that fails drops the connection with all
 * that is in it.
 *
 * Between conversations nothing is read: what a guest sends unasked fills the socket and stops
 * there. */
#include "qemu/agent.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "util/log.h"
#include "util/unix-socket.h"

#define DEPTH_MAX 64
#define READ_CHUNK 65536u
#define SYNC_LINE_MAX 256u /* a longer line is no answer to a sync */
#define QUEUE_USEC (30 * USEC_PER_SEC)
#define RETRY_USEC (5 * USEC_PER_MSEC)
#define SENTINEL 0xff

/* What the bytes that come are taken for. */
typedef enum Phase {
    PHASE_IDLE,      /* nothing: they are not read */
    PHASE_SYNC,      /* leftovers, up to the sentinel */
    PHASE_SYNC_LINE, /* the line after a sentinel: ours if the id is */
    PHASE_COMMAND,   /* the answer */
} Phase;

/* A place in the queue; lives on its fiber's stack. */
typedef struct Turn {
    const char *what;
    struct Turn *next;
} Turn;

struct Agent {
    unsigned n_refs; /* the owner's, and one per fiber inside */
    bool closed;
    char *path, *name;
    AgentState state;
    uint64_t response_usec;

    int fd; /* -1: not connected */
    sd_event_source *io;
    char *output;
    size_t output_used, output_sent;
    char *line; /* the line being read */
    size_t line_used, line_size;

    Turn *turns;
    FiberCond changed; /* the queue moved, an answer came, or the connection went */
    Phase phase;
    int64_t sync_id;
    bool answered;
    int error;          /* of the answer: -EBADMSG, -EMSGSIZE, -ENOMEM */
    json_object *reply; /* the whole answer object */
};

/* ---- life ---- */

int agent_new(const char *path, const char *name, Agent **ret) {
    Agent *agent;
    uint32_t seed = 0;

    if (strlen(path) > UNIX_SOCKET_PATH_MAX)
        return -ENAMETOOLONG;
    agent = calloc(1, sizeof(Agent));
    if (!agent)
        return -ENOMEM;
    agent->n_refs = 1;
    agent->fd = -1;
    agent->response_usec = AGENT_DEFAULT_USEC;
    agent->path = strdup(path);
    agent->name = strdup(name);
    if (!agent->path || !agent->name) {
        agent_free(agent);
        return -ENOMEM;
    }
    /* Ids of a daemon that ran before may still be answered: do not start where it did. */
    if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) < 0)
        seed = (uint32_t)now_usec();
    agent->sync_id = (int64_t)seed << 16;
    *ret = agent;
    return 0;
}

static void agent_unref(Agent *agent) {
    if (--agent->n_refs > 0)
        return;
    fiber_cond_done(&agent->changed);
    json_object_put(agent->reply);
    free(agent->output);
    free(agent->line);
    free(agent->path);
    free(agent->name);
    free(agent);
}
DEFINE_CLEANUP(Agent *, agent_unref)

static void disconnect(Agent *agent) {
    if (agent->fd < 0)
        return;
    agent->io = sd_event_source_disable_unref(agent->io);
    close(TAKE_FD(agent->fd));
    agent->output_used = agent->output_sent = 0;
    agent->phase = PHASE_IDLE;
    fiber_cond_broadcast(&agent->changed);
}

void agent_free(Agent *agent) {
    if (!agent)
        return;
    agent->closed = true;
    disconnect(agent);
    fiber_cond_broadcast(&agent->changed);
    agent_unref(agent);
}

static void set_state(Agent *agent, AgentState state) {
    static const char *const names[] = {"unknown", "connected", "disconnected"};

    if (agent->state != state)
        log_debug("agent '%s': %s, was %s", agent->name, names[state], names[agent->state]);
    agent->state = state;
}

void agent_set_connected(Agent *agent, bool open) {
    set_state(agent, open ? AGENT_CONNECTED : AGENT_DISCONNECTED);
    if (!open)
        disconnect(agent);
}

AgentState agent_state(const Agent *agent) {
    return agent->state;
}

bool agent_is_connected(const Agent *agent) {
    return agent->state == AGENT_CONNECTED;
}

void agent_set_response_timeout(Agent *agent, uint64_t usec) {
    agent->response_usec = usec ? usec : AGENT_DEFAULT_USEC;
}

static void trace(Agent *agent, char direction, const char *text, size_t len) {
    const char *debug = getenv("VIREO_QMP_DEBUG");
    uint64_t now;

    if (!debug || !streq(debug, "1"))
        return;
    now = now_usec();
    fprintf(stderr, "%llu.%03llu %c %s agent %.*s\n", (unsigned long long)(now / USEC_PER_SEC),
            (unsigned long long)(now / 1000 % 1000), direction, agent->name, (int)len, text);
}

/* ---- bytes out ---- */

static int set_phase(Agent *agent, Phase phase) {
    uint32_t in = phase == PHASE_IDLE ? 0 : EPOLLIN;
    uint32_t out = agent->output_sent < agent->output_used ? EPOLLOUT : 0;

    agent->phase = phase;
    agent->line_used = 0;
    return agent->fd < 0 ? 0 : sd_event_source_set_io_events(agent->io, in | out);
}

static int flush(Agent *agent) {
    uint32_t in = agent->phase == PHASE_IDLE ? 0 : EPOLLIN;

    while (agent->output_sent < agent->output_used) {
        ssize_t n = send(agent->fd, agent->output + agent->output_sent,
                         agent->output_used - agent->output_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return sd_event_source_set_io_events(agent->io, in | EPOLLOUT);
        if (n < 0)
            return -errno;
        agent->output_sent += n;
    }
    agent->output_sent = agent->output_used = 0;
    return sd_event_source_set_io_events(agent->io, in);
}

/* One message and its newline, after `lead` (a sentinel) if that is not 0, behind what a command
 * without an answer may have left: no more than that, because each conversation waits for a sync
 * first. */
static int send_text(Agent *agent, int lead, const char *text, size_t len) {
    size_t used = agent->output_used - agent->output_sent;
    char *output = malloc(used + len + 2);
    int r;

    if (!output)
        return -ENOMEM;
    if (used > 0)
        memcpy(output, agent->output + agent->output_sent, used);
    if (lead)
        output[used++] = (char)lead;
    memcpy(output + used, text, len);
    used += len;
    output[used++] = '\n';
    free(agent->output);
    agent->output = output;
    agent->output_used = used;
    agent->output_sent = 0;
    agent->answered = false;
    agent->error = 0;
    trace(agent, '>', text, len);
    r = flush(agent);
    if (r < 0)
        disconnect(agent);
    return r;
}

/* ---- bytes in ---- */

static void answer(Agent *agent, int error) {
    agent->answered = true;
    agent->error = error;
    set_phase(agent, PHASE_IDLE);
    fiber_cond_broadcast(&agent->changed);
}

static json_object *parse(const char *text, size_t len) {
    json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
    json_object *object = NULL;

    if (!tokener)
        return NULL;
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    object = json_tokener_parse_ex(tokener, text, (int)len);
    if (json_tokener_get_error(tokener) != json_tokener_success ||
        json_tokener_get_parse_end(tokener) != len ||
        !json_object_is_type(object, json_type_object)) {
        json_object_put(object);
        object = NULL;
    }
    json_tokener_free(tokener);
    return object;
}

/* A line after a sentinel: ours ends the sync, another one is of somebody who gave up. */
static void on_sync_line(Agent *agent) {
    json_object *object = parse(agent->line, agent->line_used), *value = NULL;
    bool ours = object && json_object_object_get_ex(object, "return", &value) &&
                json_object_is_type(value, json_type_int) &&
                json_object_get_int64(value) == agent->sync_id;

    json_object_put(object);
    if (ours)
        answer(agent, 0);
    else
        set_phase(agent, PHASE_SYNC);
}

static void on_command_line(Agent *agent) {
    json_object *object;

    if (agent->line_used == 0)
        return;
    object = parse(agent->line, agent->line_used);
    if (object && (json_object_object_get_ex(object, "return", NULL) ||
                   json_object_object_get_ex(object, "error", NULL))) {
        agent->reply = object;
        answer(agent, 0);
        return;
    }
    json_object_put(object);
    answer(agent, -EBADMSG);
}

static int append(Agent *agent, const char *data, size_t len) {
    if (agent->line_used + len > agent->line_size) {
        size_t size = MAX_OF(agent->line_size * 2, agent->line_used + len + 512);
        char *bigger = realloc(agent->line, size);

        if (!bigger)
            return -ENOMEM;
        agent->line = bigger;
        agent->line_size = size;
    }
    memcpy(agent->line + agent->line_used, data, len);
    agent->line_used += len;
    return 0;
}

/* The length without white space at the end. */
static size_t trimmed(const char *text, size_t len) {
    while (len > 0 && memchr(" \r\n\t", text[len - 1], 4))
        len--;
    return len;
}

/* Takes what belongs to the line being read; the number of bytes used. */
static size_t take_line(Agent *agent, const char *data, size_t len) {
    bool sync = agent->phase == PHASE_SYNC_LINE;
    const char *end = memchr(data, '\n', len), *start;
    size_t used = end ? (size_t)(end - data) + 1 : len, take = end ? used - 1 : len;

    /* A sentinel is not part of any answer: what stands before it is a leftover. */
    start = memrchr(data, SENTINEL, take);
    if (start) {
        agent->line_used = 0;
        take -= start + 1 - data;
        data = start + 1;
    }
    if (agent->line_used + take > (sync ? SYNC_LINE_MAX : AGENT_REPLY_MAX)) {
        if (sync)
            set_phase(agent, PHASE_SYNC);
        else
            answer(agent, -EMSGSIZE);
        return used;
    }
    if (append(agent, data, take) < 0) {
        answer(agent, -ENOMEM);
        return used;
    }
    if (!end)
        return used;
    agent->line_used = trimmed(agent->line, agent->line_used);
    trace(agent, '<', agent->line, agent->line_used);
    if (sync)
        on_sync_line(agent);
    else
        on_command_line(agent);
    return used;
}

static void on_bytes(Agent *agent, const char *data, size_t len) {
    while (len > 0 && agent->phase != PHASE_IDLE) {
        size_t used;

        if (agent->phase == PHASE_SYNC) {
            const char *sentinel = memchr(data, SENTINEL, len);

            if (!sentinel)
                return;
            used = sentinel + 1 - data;
            set_phase(agent, PHASE_SYNC_LINE);
        } else {
            used = take_line(agent, data, len);
        }
        data += used;
        len -= used;
    }
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
    Agent *agent = userdata;
    char buffer[READ_CHUNK];
    ssize_t n;

    if ((revents & EPOLLOUT) && flush(agent) < 0) {
        disconnect(agent);
        return 0;
    }
    if (revents & EPOLLIN) {
        n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
        if (n > 0)
            on_bytes(agent, buffer, n);
        else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
            disconnect(agent);
    } else if (revents & (EPOLLHUP | EPOLLERR)) {
        disconnect(agent);
    }
    return 0;
}

/* ---- the queue ---- */

static int not_connected(Error **reterr) {
    return error_report(reterr, FROM_QEMU, ERROR_AGENT_UNRESPONSIVE,
                        "QEMU guest agent is not connected");
}

static void turn_end(Agent *agent, Turn *turn) {
    for (Turn **at = &agent->turns; *at; at = &(*at)->next)
        if (*at == turn) {
            *at = turn->next;
            break;
        }
    fiber_cond_broadcast(&agent->changed);
}

/* Lines up and waits to be the first. */
static int turn_begin(Agent *agent, Turn *turn, const char *what, Error **reterr) {
    uint64_t deadline = deadline_in(QUEUE_USEC);
    Turn **at = &agent->turns;

    *turn = (Turn){.what = what};
    while (*at)
        at = &(*at)->next;
    *at = turn;
    while (agent->turns != turn && !agent->closed) {
        if (fiber_cond_wait(&agent->changed, deadline) < 0 && agent->turns != turn) {
            const char *holder = agent->turns->what;

            turn_end(agent, turn);
            return error_report(reterr, FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                                "cannot send '%s' to the guest agent: '%s' is still under way",
                                what, holder);
        }
    }
    if (!agent->closed)
        return 0;
    turn_end(agent, turn);
    return not_connected(reterr);
}

/* ---- the conversation ---- */

/* A full backlog (EAGAIN) is a QEMU that is busy: tried again up to the deadline. */
static int open_socket(Agent *agent, uint64_t deadline) {
    CLEANUP_CLOSE int fd = -1;
    int r;

    while ((r = unix_socket_connect(agent->path, SOCK_NONBLOCK, &fd)) < 0) {
        if (r != -EAGAIN && r != -EINTR)
            return r;
        if (now_usec() >= deadline)
            return -ETIMEDOUT;
        fiber_sleep(RETRY_USEC);
        if (agent->closed || agent->state == AGENT_DISCONNECTED)
            return -ENOTCONN;
    }
    r = sd_event_add_io(fiber_event(), &agent->io, fd, 0, on_io, agent);
    if (r < 0)
        return r;
    agent->fd = TAKE_FD(fd);
    return 0;
}

static int wait_answer(Agent *agent, uint64_t deadline) {
    while (!agent->answered) {
        int r;

        if (agent->fd < 0)
            return -ENOTCONN;
        r = fiber_cond_wait(&agent->changed, deadline);
        if (r < 0 && !agent->answered)
            return r;
    }
    return agent->error;
}

static int try_sync(Agent *agent, uint64_t deadline) {
    char text[96];
    int len, r = 0;

    if (agent->fd < 0)
        r = open_socket(agent, deadline);
    if (r < 0)
        return r;
    len = snprintf(text, sizeof(text),
                   "{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":%" PRId64 "}}",
                   ++agent->sync_id);
    set_phase(agent, PHASE_SYNC);
    /* The sentinel in front makes the agent forget half a request that it may have got. */
    r = send_text(agent, SENTINEL, text, len);
    return r < 0 ? r : wait_answer(agent, deadline);
}

static int synchronise(Agent *agent, Error **reterr) {
    uint64_t deadline = deadline_in(agent->response_usec);
    bool fresh = agent->fd < 0;
    int r = try_sync(agent, deadline);

    /* The connection of the conversation before may have ended unnoticed; a new one may do. */
    if (r < 0 && r != -ETIMEDOUT && !fresh && !agent->closed &&
        agent->state != AGENT_DISCONNECTED) {
        disconnect(agent);
        r = try_sync(agent, deadline);
    }
    if (r >= 0) {
        if (agent->state == AGENT_UNKNOWN)
            set_state(agent, AGENT_CONNECTED);
        return 0;
    }
    disconnect(agent);
    if (r == -ETIMEDOUT)
        return error_report(reterr, FROM_QEMU, ERROR_AGENT_UNRESPONSIVE,
                            "no answer to the synchronisation within %g seconds",
                            (double)agent->response_usec / USEC_PER_SEC);
    return r == -ENOMEM ? error_no_memory(reterr) : not_connected(reterr);
}

static int report_command(Agent *agent, int r, const char *what, uint64_t usec, Error **reterr) {
    switch (r) {
    case -ETIMEDOUT:
        return error_report(reterr, FROM_QEMU, ERROR_AGENT_UNRESPONSIVE,
                            "no answer to the command '%s' within %g seconds", what,
                            (double)usec / USEC_PER_SEC);
    case -EBADMSG:
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                            "the guest agent's answer to '%s' is malformed", what);
    case -EMSGSIZE:
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                            "the guest agent's answer to '%s' is longer than %u bytes", what,
                            AGENT_REPLY_MAX);
    case -ENOMEM:
        return error_no_memory(reterr);
    default:
        return error_report(reterr, FROM_QEMU, ERROR_AGENT_UNRESPONSIVE,
                            "the agent was disconnected while the command '%s' was under way",
                            what);
    }
}

/* One long answer must not be memory for ever. */
static void trim_buffers(Agent *agent) {
    if (agent->line_size > READ_CHUNK) {
        free(TAKE_PTR(agent->line));
        agent->line_size = agent->line_used = 0;
    }
    if (agent->output_used == 0)
        free(TAKE_PTR(agent->output));
}

static int talk(Agent *agent, const char *what, const char *text, size_t len, int timeout,
                json_object **ret, Error **reterr) {
    uint64_t usec = timeout == AGENT_BLOCK ? USEC_FOREVER
                    : timeout > 0          ? (uint64_t)timeout * USEC_PER_SEC
                                           : agent->response_usec;
    int r;

    if (agent->state == AGENT_DISCONNECTED)
        return not_connected(reterr);
    r = synchronise(agent, reterr);
    if (r < 0)
        return r;
    set_phase(agent, timeout == AGENT_NO_WAIT ? PHASE_IDLE : PHASE_COMMAND);
    r = send_text(agent, 0, text, len);
    /* What is not sent yet is sent by the loop; the next sync waits behind it. */
    if (r < 0 || timeout == AGENT_NO_WAIT)
        return r < 0 ? report_command(agent, r, what, usec, reterr) : 0;
    r = wait_answer(agent, deadline_in(usec));
    *ret = TAKE_PTR(agent->reply);
    if (r >= 0)
        return 0;
    /* Half a request, or an answer that went wrong, would be in the way of the next conversation.
     */
    if (r != -ETIMEDOUT || agent->output_sent < agent->output_used)
        disconnect(agent);
    set_phase(agent, PHASE_IDLE);
    return report_command(agent, r, what, usec, reterr);
}

/* The agent's refusal as an error. */
static int check_reply(json_object *reply, const char *what, Error **reterr) {
    json_object *error = NULL, *text = NULL;

    if (!json_object_object_get_ex(reply, "error", &error))
        return 0;
    if (!json_object_object_get_ex(error, "desc", &text) ||
        !json_object_is_type(text, json_type_string))
        json_object_object_get_ex(error, "class", &text);
    return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                        "unable to execute QEMU agent command '%s': %s", what,
                        json_object_is_type(text, json_type_string) ? json_object_get_string(text)
                                                                    : "unknown error");
}

/* *ret: the whole answer, NULL without one. */
static int converse(Agent *owner, json_object *request, int timeout, json_object **ret,
                    Error **reterr) {
    CLEANUP(agent_unrefp) Agent *agent = owner;
    json_object *execute = NULL, *reply = NULL;
    const char *what, *text;
    size_t len;
    Turn turn;
    int r;

    assert(fiber_self());
    agent->n_refs++;
    json_object_object_get_ex(request, "execute", &execute);
    what = json_object_is_type(execute, json_type_string) ? json_object_get_string(execute)
                                                          : "<unknown>";
    text = json_object_to_json_string_length(
        request, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    if (!text)
        return error_no_memory(reterr);
    r = turn_begin(agent, &turn, what, reterr);
    if (r < 0)
        return r;
    r = talk(agent, what, text, len, timeout, &reply, reterr);
    trim_buffers(agent);
    turn_end(agent, &turn);
    if (r >= 0 && reply)
        r = check_reply(reply, what, reterr);
    if (r >= 0)
        *ret = TAKE_PTR(reply);
    json_object_put(reply);
    return r;
}

int agent_run(Agent *agent, const char *execute, json_object *arguments, int timeout,
              json_object **ret, Error **reterr) {
    json_object *request = json_object_new_object(), *reply = NULL, *value = NULL;
    int r;

    if (!request) {
        json_object_put(arguments);
        return error_no_memory(reterr);
    }
    json_object_object_add(request, "execute", json_object_new_string(execute));
    if (arguments)
        json_object_object_add(request, "arguments", arguments);
    r = converse(agent, request, timeout, &reply, reterr);
    json_object_put(request);
    if (r < 0)
        return r;
    if (ret) {
        if (reply)
            json_object_object_get_ex(reply, "return", &value);
        *ret = json_object_get(value);
    }
    json_object_put(reply);
    return 0;
}

int agent_command(Agent *agent, const char *json, int timeout, char **ret, Error **reterr) {
    json_object *request, *reply = NULL;
    size_t len = trimmed(json, strlen(json));
    char *text;
    int r;

    if (timeout < AGENT_BLOCK)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "guest agent timeout '%d' is less than the minimum '%d'", timeout,
                            AGENT_BLOCK);
    request = len <= AGENT_COMMAND_MAX ? parse(json, len) : NULL;
    if (!request)
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                            "cannot parse the agent command: it is not one JSON object");
    r = converse(agent, request, timeout, &reply, reterr);
    json_object_put(request);
    if (r < 0)
        return r;
    text = strdup(reply ? json_object_to_json_string_ext(reply, JSON_C_TO_STRING_PLAIN |
                                                                    JSON_C_TO_STRING_NOSLASHESCAPE)
                        : "{}");
    json_object_put(reply);
    if (!text)
        return error_no_memory(reterr);
    *ret = text;
    return 0;
}
