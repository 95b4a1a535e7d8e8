/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Regular expressions that clients send. The C library compiles them by recursion and keeps copies
 * of what is repeated: long, deep and often repeated ones are refused, the others are compiled on a
 * worker, whose stack is large. */
#pragma once

#include <regex.h>

#include "util/error.h"

#define PATTERN_LENGTH_MAX 256u
#define PATTERN_DEPTH_MAX 16u   /* parentheses within each other */
#define PATTERN_COPIES_MAX 256u /* of one part, by counted repeats within each other */

/* An extended POSIX expression, for matching only; on a fiber. ERROR_INVALID_ARG names what is
 * wrong. */
int pattern_compile(const char *text, bool nocase, regex_t **ret, Error **reterr);
void pattern_free(regex_t *pattern);
DEFINE_CLEANUP(regex_t *, pattern_free)
