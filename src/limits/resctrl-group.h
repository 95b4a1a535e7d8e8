/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The resctrl groups of a domain, made before the first of their vCPUs comes and removed after the
 * last. On the loop; suspends. */
#pragma once

#include "limits/state.h"

/* Makes the groups that have one of these vCPUs and are not there yet; the first failure ends it.
 */
int limits_groups_make(Limits *limits, const LimitsSubject *subject, const Bitmap *vcpus,
                       Error **reterr);
/* Groups none of whose vCPUs is online; with `all` every one. */
void limits_groups_remove(Limits *limits, const LimitsSubject *subject, bool all);
