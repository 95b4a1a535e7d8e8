/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel says of all domains at one time. Prometheus comes at an interval: whoever comes
 * as expected finds a sample that was taken shortly before, so that the scrape of a thousand
 * domains does not wait for ten thousand files. */
#pragma once

#include "daemon.h"
#include "driver/stats.h"

typedef struct Sample {
    DomainReading *readings; /* of all that are listed, in the store's order */
    size_t n;
    uint64_t taken; /* CLOCK_MONOTONIC, microseconds: when it began */
} Sample;

void sample_free(Sample *sample);
DEFINE_CLEANUP(Sample *, sample_free)

typedef struct Sampler Sampler;

/* Takes samples ahead on fibers of daemon->tasks. -ENOMEM, -errno. */
int sampler_new(Daemon *daemon, Sampler **ret);
/* None of its fibers runs any more. NULL is fine. */
void sampler_free(Sampler *sampler);
DEFINE_CLEANUP(Sampler *, sampler_free)
/* For a scrape that has come now, on a fiber: at most SAMPLE_MAX_USEC old, and as the domains are
 * now: what has begun or ended to run, or has other vCPUs or threads, makes a new one. Guesses when
 * the next scrape will come. The caller frees. -ENOMEM; -ETIMEDOUT: one that is being taken has not
 * come to its end in 10 s. */
#define SAMPLE_MAX_USEC (2 * USEC_PER_SEC)
int sampler_take(Sampler *sampler, Sample **ret);
