/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The agent's channel (agent-channel.c), for the conversation on top of it (agent.c): one message
 * out, one answer in. */
#pragma once

#include "qemu/agent.h"
#include "util/json.h"
#include "util/output.h"

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
    Output output;
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

/* Tries up to the deadline, on a fiber; -ETIMEDOUT, -ENOTCONN when the agent went meanwhile. */
int agent_channel_open(Agent *agent, uint64_t deadline);
void agent_channel_close(Agent *agent);
int agent_channel_set_phase(Agent *agent, Phase phase);
/* A sync request: the answer that is waited for has agent->sync_id. */
int agent_channel_send_sync(Agent *agent, const char *text, size_t len);
/* A command; the answer is any one object. Closes the channel when it fails. */
int agent_channel_send(Agent *agent, const char *text, size_t len);
/* agent->reply is the answer of a command when this is 0. On a fiber. */
int agent_channel_wait(Agent *agent, uint64_t deadline);
/* Gives back what one long message has taken. */
void agent_channel_trim(Agent *agent);
