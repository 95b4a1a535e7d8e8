/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What follows when QEMU says something, or ends, or its monitor breaks. */
#pragma once

#include "domain/domain.h"
#include "domain/services.h"

extern const RunHooks run_watch_hooks;
/* Has it looked at, under a job, whether the domain's QEMU has ended, and what that means: the end
 * of the run, a restart, or a new connection. */
void run_watch_gone(Domain *domain);
