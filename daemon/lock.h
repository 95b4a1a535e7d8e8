/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One daemon for one set of directories. */
#pragma once

#include "util/error.h"

/* Locks "vireod.lock" in each directory for as long as this process lives: in the run directory,
 * and in the one for state, which a clean-up of /run leaves alone. ERROR_OPERATION_INVALID names
 * the process that has one. The locks are fcntl's: a child does not inherit them, the kernel knows
 * whose they are, and they end with the process. Call it once. */
int lock_directories(const char *const *directories, size_t n, Error **reterr);
