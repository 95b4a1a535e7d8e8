/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sizes for people. */
#pragma once

#include <stdint.h>

/* "1.500 GiB", in fresh memory. */
char *size_format(uint64_t bytes);
/* "1.50 GiB": with two digits behind the point. */
char *size_format_short(uint64_t bytes);
