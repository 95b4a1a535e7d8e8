/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The I/O errors of a run that clients were told of. A guest that goes on in spite of them
 * (error_policy 'report' or 'ignore') may have thousands a second; the same one again within
 * IO_ERROR_REPEAT_USEC is held back, and told once at the end of that time. Pure: no clock, no
 * domain. */
#pragma once

#include "util/macro.h"

#define IO_ERROR_REPEAT_USEC USEC_PER_SEC

typedef struct IoError {
    char *alias;     /* of the disk, or "" */
    int action;      /* libvirt's number of what was done about it */
    bool no_space;   /* the reason */
    uint64_t told;   /* when, last */
    unsigned n_held; /* since then */
} IoError;

typedef struct IoErrors {
    IoError *list;
    size_t n;
    bool due; /* a fiber tells what is held */
} IoErrors;

void io_errors_done(IoErrors *errors);
/* Whether it is held back, and counted. Without memory it is not. */
bool io_errors_hold(IoErrors *errors, const char *alias, int action, bool no_space, uint64_t now);
/* The next that is held for long enough, from then on told; or NULL. Borrowed until the next call.
 */
const IoError *io_errors_next(IoErrors *errors, uint64_t now, unsigned *ret_n_held);
/* Whether any is held. */
bool io_errors_any(const IoErrors *errors);
