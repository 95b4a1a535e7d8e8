/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The end of a run: process, cgroups, files, operations, state, records and events. */
#pragma once

#include "domain/domain.h"

/* Ends what runs; a transient domain is not listed any more afterwards. `reason`: of SHUTOFF;
 * `stopped_detail`: of the event. On a fiber, job held. */
void run_end(Domain *domain, int reason, int stopped_detail);
/* Undoes a start that failed. `elsewhere`: of a guest that another host still has (prepare_undo).
 * On a fiber, job held. */
void run_abandon(Domain *domain, bool elsewhere);
