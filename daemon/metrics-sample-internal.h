/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What metrics-sample.c shows its unit test. */
#pragma once

#include "metrics-sample.h"

/* When the next one will come, if those whose `gaps` (newest first, n of them) are given go on as
 * they did: what came after the last gap of about that length. 0: nobody knows. */
uint64_t sampler_guess(const uint64_t *gaps, size_t n);
