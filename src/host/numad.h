/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* numad's advice for placement='auto': on which host nodes a machine of that size is best put
 * (numad(8), -w). */
#pragma once

#include "util/bitmap.h"
#include "util/error.h"

/* Runs `numad -w VCPUS:MIB` on a worker, 30 s at most. ERROR_CONFIG_UNSUPPORTED when it is not
 * installed. On a fiber. */
int numad_advise(unsigned vcpus, uint64_t memory_mib, Bitmap **ret, Error **reterr);
/* The host CPUs of these nodes, from sysfs. ERROR_CONFIG_UNSUPPORTED when they have none. */
int numad_cpus_of(const Bitmap *nodes, Bitmap **ret, Error **reterr);
