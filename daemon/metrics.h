/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Readings for Prometheus (metrics-text.h), by HTTP on a unix socket or a port of the loopback
 * device. A scrape reads what the kernel counts of the domains' threads and what the daemon knows;
 * no QEMU is asked and no domain's job is waited for. */
#pragma once

#include "daemon.h"

typedef struct Metrics Metrics;

/* Listens at "/path", "127.0.0.1:PORT" or "[::1]:PORT"; serves on fibers of daemon->tasks.
 * ERROR_CONFIG_UNSUPPORTED for another address. */
int metrics_new(Daemon *daemon, const char *address, Metrics **ret, Error **reterr);
/* NULL is fine. */
void metrics_free(Metrics *metrics);
