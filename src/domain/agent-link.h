/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's guest agent: found by the name of its channel, open or not by QEMU's word. Takes no
 * domain job: an agent that is stuck must not hold up a change, nor a change an agent. */
#pragma once

#include "domain/domain.h"
#include "qemu/agent-vcpu.h"

/* Connects to the agent of a definition that has a channel for one. On a fiber, when the monitor is
 * there. */
int agent_link_open(Domain *domain, Error **reterr);
/* QEMU's VSERPORT_CHANGE. */
void agent_link_event(Domain *domain, json_object *data);
/* The agent, borrowed until the next wait, of a domain whose guest can answer;
 * ERROR_ARGUMENT_UNSUPPORTED, ERROR_AGENT_UNRESPONSIVE, ERROR_OPERATION_INVALID. */
int agent_link_get(Domain *domain, struct Agent **ret, Error **reterr);
/* The guest's own list of its CPUs, and having it do what is marked there; these suspend. */
int agent_link_vcpus(Domain *domain, AgentVcpus *ret, Error **reterr);
int agent_link_change_vcpus(Domain *domain, AgentVcpus *vcpus, Error **reterr);
