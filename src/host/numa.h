/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The host's memory nodes, from sysfs ("/sys" when NULL). A kernel without NUMA has node 0 alone.
 */
#pragma once

#include "util/bitmap.h"
#include "util/error.h"

/* Does the host have all of them? ERROR_CONFIG_UNSUPPORTED "NUMA node 3 is unavailable". */
int numa_check_nodes(const char *sysfs, const Bitmap *nodes, Error **reterr);
