/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What of changes is for this room alone. */
#pragma once

#include "limits/limits.h"

/* The first change of a process that limits_begin places. */
int limits_tune_newborn(Limits *limits, const LimitsSubject *subject, Error **reterr);
