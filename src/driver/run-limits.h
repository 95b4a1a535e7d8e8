/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the threads of a run are held to, as seen by the verbs. */
#pragma once

#include "domain/domain.h"

/* Finds the cgroups of a QEMU that an earlier daemon placed. */
int run_limits_resume(Domain *domain, Error **reterr);
/* Counts, logs and reports that `n` differences were mended; `text` has a line for each. */
void run_limits_tell_drift(Domain *domain, unsigned n, const char *text);
