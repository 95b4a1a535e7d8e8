/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What becomes of the evidence of a vCPU's removal. */
#pragma once

#include "domain/domain.h"

/* An event of QEMU's. If it is evidence, whoever waits for it gets it, else a job of its own. */
void vcpu_change_event(Domain *domain, const char *name, json_object *data);
/* RunHooks.late_removal: looks at the evidence under a job, and ends the operations it is of. */
void vcpu_change_late(void *userdata);
/* The guest has gone to another daemon, and its run is about to end: what it refused before is
 * told, as a refusal, and what it has not answered goes on there; `where` is for that sentence. Job
 * held.
 */
void vcpu_change_leaving(Domain *domain, const char *where);
/* Looks at the evidence that is there, if any is, and ends the operations it is of: before a change
 * is planned, so that it does not count what has gone. It runs. Job held; suspends. */
void vcpu_change_settle(Domain *domain);
/* The guest runs again: what it could not be asked for while it was paused, it is asked now, in the
 * background. */
void vcpu_change_resumed(Domain *domain);
