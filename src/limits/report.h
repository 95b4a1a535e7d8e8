/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A search for what is not as planned, and the lines that say so. */
#pragma once

#include <stdio.h>

#include "limits/kind.h"

struct LimitMending {
    FILE *out;
    int n;             /* lines of differences */
    const char *label; /* the thread's or "domain" */
    CgroupState state; /* of the target's group */
    bool has_state, read_state;
    const char *bound_name; /* whose bound a target's is */
};

/* Begins with another target. */
void limit_mending_next(LimitMending *mending, const char *label);
void limit_mending_done(LimitMending *mending);
