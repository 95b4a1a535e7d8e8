/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The <perf> events of a definition: kept, and not counted. */
#pragma once

#include "domain/domain.h"

#define PERF_EVENTS 22u
extern const char *const perf_events[PERF_EVENTS]; /* in libvirt's order */

typedef struct PerfChange {
    bool given[PERF_EVENTS], enabled[PERF_EVENTS];
} PerfChange;

/* `name` is one of perf_events. */
bool perf_event_enabled(const DomainDef *def, const char *name);
/* Of the definition only. Takes the domain's job, on a fiber. */
int driver_set_perf(Domain *domain, const PerfChange *change, unsigned flags, Error **reterr);
