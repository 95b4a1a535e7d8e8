/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The linker's --wrap puts these in the place of what reads: readers that take a path get the
 * bytes of the run, and no file, program or socket is touched. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The bytes that every read gets until the clear; borrowed. */
void stand_in_set(const uint8_t *data, size_t size);
/* Files are read again. */
void stand_in_clear(void);
