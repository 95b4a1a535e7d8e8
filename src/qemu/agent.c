/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest agent's conversation.
 *
 * The socket is QEMU's: it stays connected whether or not an agent runs, and QEMU takes bytes from
 * it only while the guest's end is open. So requests to an absent agent pile up, and their answers
 * come when nobody waits. Hence the sync, and hence a sync that fails drops the connection with all
 * that is in it. */
#include "qemu/agent-internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#include "util/log.h"
#include "util/unix-socket.h"

#define QUEUE_USEC (30 * USEC_PER_SEC)

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

Agent *agent_ref(Agent *agent) {
    assert(agent->n_refs > 0);
    agent->n_refs++;
    return agent;
}

void agent_unref(Agent *agent) {
    assert(agent->n_refs > 0);
    if (--agent->n_refs > 0)
        return;
    fiber_cond_done(&agent->changed);
    json_object_put(agent->reply);
    output_done(&agent->output);
    free(agent->line);
    free(agent->path);
    free(agent->name);
    free(agent);
}

void agent_free(Agent *agent) {
    if (!agent)
        return;
    agent->closed = true;
    agent_channel_close(agent);
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
        agent_channel_close(agent);
}

bool agent_is_connected(const Agent *agent) {
    return agent->state == AGENT_CONNECTED;
}

void agent_set_response_timeout(Agent *agent, uint64_t usec) {
    agent->response_usec = usec ? usec : AGENT_DEFAULT_USEC;
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

static int try_sync(Agent *agent, uint64_t deadline) {
    char text[96];
    int len, r = 0;

    if (agent->fd < 0)
        r = agent_channel_open(agent, deadline);
    if (r < 0)
        return r;
    len = snprintf(text, sizeof(text),
                   "{\"execute\":\"guest-sync-delimited\",\"arguments\":{\"id\":%" PRId64 "}}",
                   ++agent->sync_id);
    r = agent_channel_send_sync(agent, text, (size_t)len);
    return r < 0 ? r : agent_channel_wait(agent, deadline);
}

static int synchronise(Agent *agent, Error **reterr) {
    uint64_t deadline = deadline_in(agent->response_usec);
    bool fresh = agent->fd < 0;
    int r = try_sync(agent, deadline);

    /* The connection of the conversation before may have ended unnoticed; a new one may do. */
    if (r < 0 && r != -ETIMEDOUT && !fresh && !agent->closed &&
        agent->state != AGENT_DISCONNECTED) {
        agent_channel_close(agent);
        r = try_sync(agent, deadline);
    }
    if (r >= 0) {
        if (agent->state == AGENT_UNKNOWN)
            set_state(agent, AGENT_CONNECTED);
        return 0;
    }
    agent_channel_close(agent);
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
    agent_channel_set_phase(agent, timeout == AGENT_NO_WAIT ? PHASE_IDLE : PHASE_COMMAND);
    r = agent_channel_send(agent, text, len);
    /* What is not sent yet is sent by the loop; the next sync waits behind it. */
    if (r < 0 || timeout == AGENT_NO_WAIT)
        return r < 0 ? report_command(agent, r, what, usec, reterr) : 0;
    r = agent_channel_wait(agent, deadline_in(usec));
    *ret = TAKE_PTR(agent->reply);
    if (r >= 0)
        return 0;
    /* Half a request, or an answer that went wrong, would be in the way of the next conversation.
     */
    if (r != -ETIMEDOUT || output_waiting(&agent->output) > 0)
        agent_channel_close(agent);
    agent_channel_set_phase(agent, PHASE_IDLE);
    return report_command(agent, r, what, usec, reterr);
}

/* The agent's refusal as an error. */
static int check_reply(json_object *reply, const char *what, Error **reterr) {
    json_object *error = json_member(reply, "error");
    const char *text = json_member_string(error, "desc");

    if (!json_object_object_get_ex(reply, "error", NULL))
        return 0;
    if (!text)
        text = json_member_string(error, "class");
    return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                        "unable to execute QEMU agent command '%s': %s", what,
                        text ? text : "unknown error");
}

/* *ret: the whole answer, NULL without one. */
static int converse(Agent *owner, json_object *request, int timeout, json_object **ret,
                    Error **reterr) {
    CLEANUP(agent_unrefp) Agent *agent = agent_ref(owner);
    CLEANUP_JSON json_object *reply = NULL;
    CLEANUP_FREE char *text = json_text(request);
    const char *what = json_member_string(request, "execute");
    Turn turn;
    int r;

    assert(fiber_self());
    if (!what)
        what = "<unknown>";
    if (!text)
        return error_no_memory(reterr);
    r = turn_begin(agent, &turn, what, reterr);
    if (r < 0)
        return r;
    r = talk(agent, what, text, strlen(text), timeout, &reply, reterr);
    agent_channel_trim(agent);
    turn_end(agent, &turn);
    if (r >= 0 && reply)
        r = check_reply(reply, what, reterr);
    if (r >= 0)
        *ret = TAKE_PTR(reply);
    return r;
}

/* `arguments` is consumed; NULL when out of memory. */
static json_object *make_request(const char *execute, json_object *arguments) {
    CLEANUP_JSON json_object *request = json_object_new_object(), *owned = arguments;

    if (!request || json_add_string(request, "execute", execute) < 0)
        return NULL;
    if (arguments && json_add(request, "arguments", TAKE_PTR(owned)) < 0)
        return NULL;
    return TAKE_PTR(request);
}

int agent_run(Agent *agent, const char *execute, json_object *arguments, int timeout,
              json_object **ret, Error **reterr) {
    CLEANUP_JSON json_object *request = make_request(execute, arguments), *reply = NULL;
    int r = request ? converse(agent, request, timeout, &reply, reterr) : error_no_memory(reterr);

    assert(execute);
    if (r >= 0 && ret)
        *ret = json_object_get(json_member(reply, "return"));
    return r;
}

int agent_command(Agent *agent, const char *json, int timeout, char **ret, Error **reterr) {
    CLEANUP_JSON json_object *request = NULL, *reply = NULL;
    size_t len = strlen(json);
    int r;

    assert(json && ret);
    if (timeout < AGENT_BLOCK)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "guest agent timeout '%d' is less than the minimum '%d'", timeout,
                            AGENT_BLOCK);
    r = len <= AGENT_COMMAND_MAX ? json_parse(json, len, &request) : -EMSGSIZE;
    if (r == -ENOMEM)
        return error_no_memory(reterr);
    if (r < 0 || !json_object_is_type(request, json_type_object))
        return error_report(reterr, FROM_QEMU, ERROR_INTERNAL,
                            "cannot parse the agent command: it is not one JSON object");
    r = converse(agent, request, timeout, &reply, reterr);
    if (r < 0)
        return r;
    *ret = reply ? json_text(reply) : strdup("{}");
    return *ret ? 0 : error_no_memory(reterr);
}
