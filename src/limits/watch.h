/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Signs that what threads have is no more what was asked: somebody wrote to a file of their
 * cgroups, or a host CPU came. One inotify watches the groups of all domains: a write costs log2 of
 * all directories. Our own writes are told apart by whose turn it is: what is written to a group
 * that a change under way does not touch is somebody else's, and what the change did write is read
 * once more after it (limits/change.c). On the loop. */
#pragma once

#include "limits/limits.h"

/* Readable when there is something to read; -1: this host gave none. */
int limits_host_fd(const LimitsHost *host);
/* Whom to tell; `owner` is of the LimitsSubject that began or resumed. */
void limits_host_listen(LimitsHost *host, void (*written)(void *owner));
/* Reads what there is and tells. */
void limits_host_read(LimitsHost *host);
/* A host CPU is online again: v1 leaves it out of every group, and what the machines had of it is
 * given back at the next reconcile. */
void limits_host_cpu_came(LimitsHost *host, unsigned cpu);
