/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The answer alone, for tests that have no agent. */
#pragma once

#include "qemu/agent-vcpu.h"

/* The answer of guest-get-vcpus as a struct; bounds, types and duplicates checked. */
int agent_vcpus_parse(json_object *value, AgentVcpus *ret, Error **reterr);
