/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the guest's own agent is asked for: file systems, time, name. All suspend, hold no job, and
 * say ERROR_AGENT_UNRESPONSIVE when nobody is behind the channel. Names and members of the commands
 * are those of QEMU's qga/qapi-schema.json. */
#pragma once

#include "domain/domain.h"

/* Freezes the file systems mounted at these places, or all when there are none. *ret: how many. */
int driver_fs_freeze(Domain *domain, char *const *mountpoints, size_t n, unsigned *ret,
                     Error **reterr);
int driver_fs_thaw(Domain *domain, unsigned *ret, Error **reterr);
/* Discards free ranges of at least `minimum` bytes. */
int driver_fs_trim(Domain *domain, uint64_t minimum, Error **reterr);
/* Since 1970, UTC. */
int driver_guest_time(Domain *domain, int64_t *ret_seconds, unsigned *ret_nanoseconds,
                      Error **reterr);
/* The caller frees *ret. */
int driver_guest_hostname(Domain *domain, char **ret, Error **reterr);
