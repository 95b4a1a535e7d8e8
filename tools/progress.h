/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The progress of a domain's job, while a call of the tool waits for its end, and what is done when
 * that takes too long. */
#pragma once

#include <pthread.h>

#include "vireo.h"

typedef struct Progress {
    const Tool *tool;
    remote_domain dom; /* borrowed */
    const char *label;
    bool shows;
    uint64_t hurry_at; /* USEC_FOREVER: never */
    int hurry;         /* the procedure that is called then */
    pthread_t thread;
    bool running;
    int stop[2]; /* a pipe whose closing ends the thread */
} Progress;

/* Shows "<label>: [ 42 %]" on stderr, from a thread with a connection of its own, when `wanted`. A
 * failure shows nothing. */
void progress_start(Progress *progress, const Tool *tool, const remote_domain *dom,
                    const char *label, bool wanted);
/* The same, and calls `procedure` (DOMAIN_SUSPEND, DOMAIN_MIGRATE_START_POST_COPY) once when
 * `seconds` have gone by; 0: never. */
void progress_start_until(Progress *progress, const Tool *tool, const remote_domain *dom,
                          const char *label, bool wanted, unsigned seconds, int procedure);
/* Ends it; with `done` the last that is shown is 100 %. */
void progress_stop(Progress *progress, bool done);
