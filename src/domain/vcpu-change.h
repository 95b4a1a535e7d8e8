/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What becomes of removals that nobody waits for any more: their evidence comes late, or never. */
#pragma once

#include "domain/domain.h"

/* An event of QEMU's. If it is evidence, whoever waits for it gets it, else a job of its own. */
void vcpu_change_event(Domain *domain, const char *name, json_object *data);
/* A change is over, its job still held: news that it left, and removals that nobody waits for, are
 * looked at later, the latter first after the domain's own deadline and then less and less often:
 * an event can be lost, or be one this QEMU does not send. */
void vcpu_change_watch_pending(Domain *domain);
