/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Allocations that fail. A test that links this has malloc, calloc, realloc and strdup of its own,
 * which pass on to the C library's, or to those of AddressSanitizer.
 *
 * What is tried is tried without a failure first, then with its first allocation failing, then its
 * second, until none is left that fails. Each time it says -ENOMEM, or it does the whole of its
 * work all the same; it never crashes, and leaks nothing under AddressSanitizer. */
#pragma once

#include <stdbool.h>

/* Makes the n-th allocation of this thread from here on fail, and no other; n > 0. */
void failing_arm(unsigned n);
/* Ends that; true: it has come to pass. */
bool failing_disarm(void);

/* What is tried: 0 and a text that shows all that came of it, or -errno. It calls failing_begin
 * when all has been prepared and failing_end before it makes the text; what is outside of the two
 * does not fail. */
typedef int (*FailingFunc)(void *userdata, char **ret);
void failing_begin(void);
void failing_end(void);

/* Fails the cmocka test, naming each failed allocation that was not noticed, with its stack. */
void failing_sweep(const char *what, FailingFunc func, void *userdata);
