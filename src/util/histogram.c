/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/histogram.h"

void histogram_add(Histogram *histogram, double seconds) {
    assert(histogram->n_bounds <= HISTOGRAM_MAX);
    for (size_t i = 0; i < histogram->n_bounds; i++)
        histogram->counts[i] += seconds <= histogram->bounds[i];
    histogram->n++;
    histogram->sum += seconds;
}
