/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest agent's channel: bytes to and from its socket.
 *
 * Between conversations nothing is read: what a guest sends unasked fills the socket and stops
 * there. */
#include "qemu/agent-internal.h"

#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "util/log.h"
#include "util/unix-socket.h"

#define READ_CHUNK 65536u
#define SYNC_LINE_MAX 256u /* a longer line is no answer to a sync */
#define RETRY_USEC (5 * USEC_PER_MSEC)
#define SENTINEL 0xff

static void trace(Agent *agent, char direction, const char *text, size_t len) {
    const char *debug = getenv("VIREO_QMP_DEBUG");
    uint64_t now;

    if (!debug || !streq(debug, "1"))
        return;
    now = now_usec();
    fprintf(stderr, "%llu.%03llu %c %s agent %.*s\n", (unsigned long long)(now / USEC_PER_SEC),
            (unsigned long long)(now / 1000 % 1000), direction, agent->name, (int)len, text);
}

void agent_channel_close(Agent *agent) {
    if (agent->fd < 0)
        return;
    agent->io = sd_event_source_disable_unref(agent->io);
    close(TAKE_FD(agent->fd));
    output_clear(&agent->output);
    agent->phase = PHASE_IDLE;
    fiber_cond_broadcast(&agent->changed);
}

/* ---- bytes out ---- */

int agent_channel_set_phase(Agent *agent, Phase phase) {
    uint32_t in = phase == PHASE_IDLE ? 0 : EPOLLIN;
    uint32_t out = output_waiting(&agent->output) > 0 ? EPOLLOUT : 0;

    agent->phase = phase;
    agent->line_used = 0;
    return agent->fd < 0 ? 0 : sd_event_source_set_io_events(agent->io, in | out);
}

static int flush(Agent *agent) {
    uint32_t in = agent->phase == PHASE_IDLE ? 0 : EPOLLIN;
    int r = output_flush(&agent->output, agent->fd);

    return r < 0 ? r : sd_event_source_set_io_events(agent->io, in | (r > 0 ? EPOLLOUT : 0));
}

/* One message and its newline, after `lead`, behind what a command without an answer may have left:
 * no more than that, because each conversation waits for a sync first. */
static int send_text(Agent *agent, const char *lead, const char *text, size_t len) {
    int r = output_append(&agent->output, lead, strlen(lead));

    if (r >= 0)
        r = output_append(&agent->output, text, len);
    if (r >= 0)
        r = output_append(&agent->output, "\n", 1);
    agent->answered = false;
    agent->error = 0;
    if (r >= 0) {
        trace(agent, '>', text, len);
        r = flush(agent);
    }
    /* Half a message may be in the output. */
    if (r < 0)
        agent_channel_close(agent);
    return r;
}

int agent_channel_send_sync(Agent *agent, const char *text, size_t len) {
    static const char lead[] = {(char)SENTINEL, '\0'};

    agent_channel_set_phase(agent, PHASE_SYNC);
    /* The sentinel in front makes the agent forget half a request that it may have got. */
    return send_text(agent, lead, text, len);
}

int agent_channel_send(Agent *agent, const char *text, size_t len) {
    return send_text(agent, "", text, len);
}

/* ---- bytes in ---- */

static void answer(Agent *agent, int error) {
    agent->answered = true;
    agent->error = error;
    agent_channel_set_phase(agent, PHASE_IDLE);
    fiber_cond_broadcast(&agent->changed);
}

/* One object, or NULL. */
static json_object *parse(const char *text, size_t len) {
    json_object *object = NULL;

    if (json_parse(text, len, &object) < 0 || json_object_is_type(object, json_type_object))
        return object;
    json_object_put(object);
    return NULL;
}

/* A line after a sentinel: ours ends the sync, another one is of somebody who gave up. */
static void on_sync_line(Agent *agent) {
    CLEANUP_JSON json_object *object = parse(agent->line, agent->line_used);
    bool ours = json_member_int(object, "return", -1) == agent->sync_id;

    if (ours)
        answer(agent, 0);
    else
        agent_channel_set_phase(agent, PHASE_SYNC);
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
    if (len == 0) /* there may be no line yet */
        return 0;
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
            agent_channel_set_phase(agent, PHASE_SYNC);
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
            agent_channel_set_phase(agent, PHASE_SYNC_LINE);
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
        agent_channel_close(agent);
        return 0;
    }
    if (revents & EPOLLIN) {
        n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);
        if (n > 0)
            on_bytes(agent, buffer, n);
        else if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
            agent_channel_close(agent);
    } else if (revents & (EPOLLHUP | EPOLLERR)) {
        agent_channel_close(agent);
    }
    return 0;
}

/* ---- the connection ---- */

/* A full backlog (EAGAIN) is a QEMU that is busy: tried again up to the deadline. */
int agent_channel_open(Agent *agent, uint64_t deadline) {
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

int agent_channel_wait(Agent *agent, uint64_t deadline) {
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

/* One long answer must not be memory for ever. */
void agent_channel_trim(Agent *agent) {
    if (agent->line_size > READ_CHUNK) {
        free(TAKE_PTR(agent->line));
        agent->line_size = agent->line_used = 0;
    }
    if (output_waiting(&agent->output) == 0)
        output_done(&agent->output);
}
