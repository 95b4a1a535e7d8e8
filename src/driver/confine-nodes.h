/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The nodes below /dev that a domain's QEMU opens. */
#pragma once

#include "driver/confinement.h"

/* Adds those of every machine, and with a definition (may be NULL) those of its devices. Blocks: on
 * a worker. plan->failed: out of memory. */
void confine_nodes_add(ConfinePlan *plan, const DomainDef *def);
/* One more: the node at that path, if there is one; given to QEMU's user. */
void confine_nodes_add_path(ConfinePlan *plan, const char *path);
