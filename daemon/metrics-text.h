/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a scrape says, in Prometheus' text format (version 0.0.4). */
#pragma once

#include "daemon.h"

/* All of it. On a fiber: workers read the kernel's files. Caller frees. -ENOMEM. */
int metrics_text(Daemon *daemon, char **ret, size_t *ret_len);
/* Counts an operation that has ended, once. */
void metrics_count_operation(const Operation *operation);
