/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Removals that nobody waits for any more: when somebody looks at them. Their evidence comes late,
 * or never: an event can be lost, or be one this QEMU does not send. */
#pragma once

#include "domain/domain.h"

/* Has the evidence looked at by RunHooks.late_removal, unless that is about to be done. */
void removal_watch_late(Domain *domain);
/* A change is over, its job still held: news that it left, and removals that nobody waits for, are
 * looked at later, the latter first after the domain's own deadline and then less and less often. A
 * domain that has stopped is fine. */
void removal_watch_pending(Domain *domain);
