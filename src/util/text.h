/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A text that is written by stdio's functions. glibc's open_memstream (seen with 2.36) goes on
 * without a part of it when its buffer cannot grow, and fclose says nothing of that. */
#pragma once

#include <stdio.h>

/* NULL: out of memory. *ret, which must live until fclose, is NULL until then. fclose returns 0 and
 * sets it to the whole text, the caller's to free; or it returns EOF and leaves NULL. */
FILE *text_open(char **ret);
