/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A persistent domain's start. */
#pragma once

#include "domain/domain.h"

/* From its managed save when there is one, which START_FORCE_BOOT throws away; else it boots.
 * Flags: that, and start_locked's. Takes the job. On a fiber. */
int start_domain(Domain *domain, unsigned flags, Error **reterr);
