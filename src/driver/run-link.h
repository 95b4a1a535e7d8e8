/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A run's connections to its QEMU: the monitor and the watch on the process. What comes over them
 * goes to the services' RunHooks and to the listener. */
#pragma once

#include "domain/domain.h"

/* For monitor_connect, with the domain as userdata. */
extern const MonitorOps run_link_ops;
/* monitor_handshake on a domain's new monitor, traced when somebody wants that. */
int run_link_handshake(Domain *domain, uint64_t deadline, Error **reterr);
/* Watches the process. */
int run_link_watch(Domain *domain, Error **reterr);
/* Switches the reporting of its QMP conversation on or off. */
void run_link_set_trace(Domain *domain, bool on);
