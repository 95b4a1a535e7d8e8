/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program that is run for what it does and says: numad, qemu-img. On a fiber; the loop goes on
 * meanwhile, however long the program takes. */
#pragma once

#include "util/error.h"
#include "util/macro.h"

#define CHILD_OUTPUT_MAX ((size_t)1 << 20) /* bytes of each of the two texts */

typedef struct ChildResult {
    int status; /* as waitpid(2) gives it */
    char *out;  /* what it printed; NUL-terminated */
    char *err;  /* what it complained of */
} ChildResult;

void child_result_done(ChildResult *result);
#define CLEANUP_CHILD_RESULT CLEANUP(child_result_done)

/* Runs argv[0], found along PATH, with an empty standard input, no descriptor of ours, and a short
 * environment (our PATH, HOME=/, LC_ALL=C), in "/". Waits for its end, or for the deadline
 * (CLOCK_MONOTONIC, USEC_FOREVER for none), at which it is killed: -ETIMEDOUT. More output than
 * CHILD_OUTPUT_MAX is -EFBIG, and it is killed, too. -ENOENT when there is no such program. Who was
 * run and ended has 0, whatever its status. The caller frees *ret with child_result_done on
 * success. */
int child_run(const char *const *argv, uint64_t deadline, ChildResult *ret);

/* The same, and an exit status other than 0 is ERROR_OPERATION_FAILED with the last line of what it
 * complained of. `what` begins the sentence: "cannot create volume 'a'". A program that is not
 * there is ERROR_CONFIG_UNSUPPORTED and names the Debian package, `package`. *ret_out (may be NULL)
 * is its output; the caller frees. */
int child_run_checked(const char *const *argv, uint64_t deadline, const char *package,
                      const char *what, char **ret_out, Error **reterr);
