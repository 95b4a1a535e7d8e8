/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of settings, row by row, for its test. */
#pragma once

#include "settings.h"

/* The name of the i-th setting; NULL after the last. */
const char *settings_name(size_t i);
