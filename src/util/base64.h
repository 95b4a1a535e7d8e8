/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes as text and back: RFC 4648, with padding. */
#pragma once

#include "util/macro.h"

/* Fresh memory; NULL when there is none. */
char *base64_encode(const void *bytes, size_t n);
/* The bytes in fresh memory, a zero behind them. Blanks and ends of lines are passed over. -EINVAL:
 * it is none; -ENOMEM. */
int base64_decode(const char *text, uint8_t **ret, size_t *ret_n);
