/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guest's own view of its CPUs, and the choice of those to change. Only agent_get_vcpus and
 * agent_set_vcpus talk to the agent; the rest is pure. */
#pragma once

#include "qemu/agent.h"
#include "util/bitmap.h"

#define AGENT_VCPUS_MAX 16384u

typedef struct AgentVcpu {
    unsigned id; /* the guest's number, below AGENT_VCPUS_MAX */
    bool online;
    bool offlinable;
    bool modified; /* `online` is a wish that agent_set_vcpus is to fulfil */
} AgentVcpu;

typedef struct AgentVcpus {
    AgentVcpu *items; /* in the agent's order, ids distinct */
    size_t n;
} AgentVcpus;

void agent_vcpus_done(AgentVcpus *vcpus);
#define CLEANUP_AGENT_VCPUS CLEANUP(agent_vcpus_done)

/* guest-get-vcpus; on a fiber. *ret is overwritten, the caller ends it with agent_vcpus_done. */
int agent_get_vcpus(Agent *agent, AgentVcpus *ret, Error **reterr);
/* guest-set-vcpus for the modified ones; on a fiber. The agent does as many as it can from the
 * front; what it left is asked for again, which either does it or gives the reason. On success
 * nothing is modified any more; on failure those not done still are. Nothing modified: 0, and
 * nothing is sent. */
int agent_set_vcpus(Agent *agent, AgentVcpus *vcpus, Error **reterr);

/* Marks what to change so that `target` CPUs are online: lowest ids first, up and down, as libvirt
 * does. If every online CPU could go, CPU 0 stays: guests that can do without it often cannot
 * suspend then. */
int agent_vcpus_plan(AgentVcpus *vcpus, unsigned target, Error **reterr);
/* Marks the listed CPUs to be online or offline. ERROR_INVALID_ARG for one the guest does not have,
 * or that cannot go offline. */
int agent_vcpus_select(AgentVcpus *vcpus, const Bitmap *ids, bool online, Error **reterr);
unsigned agent_vcpus_online(const AgentVcpus *vcpus);
/* The three sets of virDomainGetGuestVcpus; any ret may be NULL. -ENOMEM. */
int agent_vcpus_sets(const AgentVcpus *vcpus, Bitmap **ret_all, Bitmap **ret_online,
                     Bitmap **ret_offlinable);
