/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a scrape says, in Prometheus' text format (version 0.0.4). */
#pragma once

#include "metrics-sample.h"

/* All of it, with what the sampler says of the domains. On a fiber; no QEMU is asked and no job is
 * waited for. Caller frees. -ENOMEM. */
int metrics_text(Daemon *daemon, Sampler *sampler, char **ret, size_t *ret_len);
/* Counts an operation that has ended, once. */
void metrics_count_operation(const Operation *operation);
