/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest agent: one virtio channel to one guest, which is not to be trusted to answer, to answer
 * in time, or to answer what was asked. Knows nothing of domains.
 *
 * One conversation at a time, in the order they were asked for; each begins with
 * guest-sync-delimited and a fresh id, so that answers to whoever gave up before are thrown away. A
 * stuck agent makes its own callers wait, up to their deadline, and nobody else.
 *
 * Errors: ERROR_AGENT_UNRESPONSIVE when the agent is not there or silent; ERROR_INTERNAL when it
 * refuses the command or answers nonsense; ERROR_OPERATION_TIMEOUT for a place in the queue that
 * never came. */
#pragma once

#include <json-c/json.h>

#include "util/error.h"
#include "util/fiber.h"

#define AGENT_COMMAND_MAX (4u << 20)
#define AGENT_REPLY_MAX (10u << 20)
#define AGENT_DEFAULT_USEC (5 * USEC_PER_SEC)

/* Timeouts in the unit of virDomainQemuAgentCommand: seconds if > 0, or one of these. */
enum {
    AGENT_BLOCK = -2,   /* wait for the answer without end (the sync still has its deadline) */
    AGENT_DEFAULT = -1, /* the response timeout, 5 s unless set */
    AGENT_NO_WAIT = 0,  /* send and do not wait for the answer */
};

typedef enum AgentState {
    AGENT_UNKNOWN,      /* nobody said: the next conversation finds out */
    AGENT_CONNECTED,    /* its end of the channel is open, or it answered a sync */
    AGENT_DISCONNECTED, /* its end of the channel is closed: commands fail at once */
} AgentState;

typedef struct Agent Agent;

/* For the unix socket of the channel; connects when first used, and again after a loss. `name` (for
 * logs and traces) and `path` are copied. Errors: -ENOMEM, -ENAMETOOLONG. */
int agent_new(const char *path, const char *name, Agent **ret);
/* Closes; conversations under way and in the queue fail. Takes NULL. */
void agent_free(Agent *agent);
DEFINE_CLEANUP(Agent *, agent_free)
#define CLEANUP_AGENT CLEANUP(agent_freep)

/* For a caller that talks more than once: between two conversations the owner may free the agent,
 * whose conversations then fail. */
Agent *agent_ref(Agent *agent);
void agent_unref(Agent *agent);
DEFINE_CLEANUP(Agent *, agent_unref)

/* What QEMU says about the guest's end: the event VSERPORT_CHANGE, or "frontend-open" of
 * query-chardev after a restart of the daemon. Closed ends the conversation under way. Never
 * suspends. */
void agent_set_connected(Agent *agent, bool open);
/* True in AGENT_CONNECTED. */
bool agent_is_connected(const Agent *agent);

/* The time for a sync and for commands with AGENT_DEFAULT, in microseconds. 0: the default. */
void agent_set_response_timeout(Agent *agent, uint64_t usec);

/* Runs one command; on a fiber. `arguments` may be NULL and is consumed in every case; *ret (may be
 * NULL) gets a reference on the return value, NULL with AGENT_NO_WAIT. */
int agent_run(Agent *agent, const char *execute, json_object *arguments, int timeout,
              json_object **ret, Error **reterr);
/* Passes one JSON text of a client through; on a fiber. *ret is the agent's whole answer, "{}" with
 * AGENT_NO_WAIT; an error answer is an error here. The caller frees *ret. */
int agent_command(Agent *agent, const char *json, int timeout, char **ret, Error **reterr);
