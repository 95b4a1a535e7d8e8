/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Comparing plans with what there is, on a worker. */
#pragma once

#include <stdio.h>

#include "limits/plan.h"

/* Mends what differs and writes a line for each into `out`, and one for each set that somebody
 * else's bound clips. `came` (may be NULL): host CPUs that are online again. Returns how many it
 * mended. The first failure is the error; what comes after it is mended all the same. */
int limits_mend(const Limits *limits, LimitsPlan *plan, const Bitmap *came, FILE *out,
                Error **reterr);
/* Is something not as planned? Changes nothing. */
bool limits_differ(const Limits *limits, LimitsPlan *plan);
