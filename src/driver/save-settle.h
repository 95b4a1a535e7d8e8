/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Saves and restores that a daemon's end has interrupted (driver/save.h says how they end). */
#pragma once

#include "domain/domain.h"
#include "domain/services.h"

/* Looks, on a fiber of its own, where the guest of an interrupted save or restore is; again, less
 * and less often, until that is settled. Of one that is being looked for it looks at once. */
void save_settle_soon(Domain *domain);
/* Ends what QEMU still writes of an interrupted save out of here, and lets the guest run if it is
 * to; `reason` of RUNNING. Errors as of monitor_run. On a fiber, job held. */
int save_settle_back(Domain *domain, int reason, Error **reterr);
/* What is left of an interrupted save or migration, and what to do of it, in a sentence each; NULL:
 * nothing, or no memory. The caller frees the first, the second is a constant. */
char *save_settle_describe(const Domain *domain, const char **ret_advice);
/* Removes the files that an interrupted save has left in lib/save. */
void save_clean_up(const Services *services);
