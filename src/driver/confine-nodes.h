/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The nodes below /dev that a domain's QEMU opens. */
#pragma once

#include "conf/domain-def.h"
#include "qemu/confine.h"

/* What one QEMU gets. */
typedef struct ConfinePlan {
    QemuConfine confine;
    QemuNode *nodes; /* confine.nodes */
    size_t n_nodes;
    const char *sandbox; /* of -sandbox; NULL: none */
    gid_t *groups;       /* confine.groups, of a user that the definition names; or NULL */
    char *label;         /* confine.label's text, or NULL */
    bool failed;         /* out of memory, while it is made */
} ConfinePlan;

void confine_plan_done(ConfinePlan *plan);
#define CLEANUP_CONFINE_PLAN CLEANUP(confine_plan_done)

/* Adds those of every machine, and with a definition (may be NULL) those of its devices. Blocks: on
 * a worker. plan->failed: out of memory. */
void confine_nodes_add(ConfinePlan *plan, const DomainDef *def);
