/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How often something took how long. */
#pragma once

#include "util/macro.h"

#define HISTOGRAM_MAX 16u

/* `bounds`: the upper bounds of its buckets, in seconds, ascending; at most HISTOGRAM_MAX. Zero
 * otherwise is empty. */
typedef struct Histogram {
    const double *bounds;
    size_t n_bounds;
    uint64_t counts[HISTOGRAM_MAX]; /* of those that took at most the bound, as Prometheus counts */
    uint64_t n;
    double sum; /* seconds */
} Histogram;

void histogram_add(Histogram *histogram, double seconds);
