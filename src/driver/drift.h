/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Noticing that what a domain's threads have is no more what was asked: a host CPU went or came,
 * somebody wrote to a file of its cgroups or removed one (limits/watch.h). A moment after the first
 * such sign the domain is reconciled (driver_reconcile), on a fiber of its own. A thread that
 * somebody moves to another group of v1 leaves no sign; `vireo reconcile` finds it. */
#pragma once

#include "driver/driver.h"

/* Listens for the kernel's CPU events (kobject uevents), and for writes to the domains' cgroups.
 * Not having them is no error; it is logged. */
void drift_watch_host(Driver *driver);
