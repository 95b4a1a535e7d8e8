/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU measures when it is told to: how fast a guest writes its memory, and when it has
 * written a disk up to a point. All of it takes the domain's job, on a fiber. */
#pragma once

#include "domain/domain.h"
#include "util/error.h"

typedef enum DirtyRateMode {
    DIRTY_RATE_SAMPLING,
    DIRTY_RATE_BITMAP,
    DIRTY_RATE_RING,
    DIRTY_RATE_MODE_MAX_
} DirtyRateMode;

/* For 1 to 60 seconds; the result is asked of QEMU (driver/stats.h). ERROR_INVALID_ARG. */
int driver_start_dirty_rate(Domain *domain, DirtyRateMode mode, int seconds, Error **reterr);
/* An event comes when the disk, named by its target or path, or by its target with the number of
 * its source ("vda[1]"), is written at that byte or beyond; 0: never. */
int driver_set_threshold(Domain *domain, const char *disk, uint64_t bytes, Error **reterr);
/* QEMU's word that a disk was: once under its target, and once with the number of its source, as
 * libvirt does. False: it is about something else. */
bool driver_threshold_event(Domain *domain, const char *name, json_object *data);
