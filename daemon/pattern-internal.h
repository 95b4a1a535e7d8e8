/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a unit test asks of patterns without compiling them. */
#pragma once

#include "pattern.h"

/* What of it is too much, as a sentence's end, or NULL. Pure. */
const char *pattern_refusal(const char *text);
