/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* How a deep copy is made of a shallow one: each helper replaces a borrowed pointer by its own. On
 * failure *ok turns false and the pointer NULL (an array's count 0), so that the half-built copy
 * can be freed. */
#pragma once

#include "util/bitmap.h"

void own_map(Bitmap **map, bool *ok);
void own_array(void *array, size_t item, size_t *n, bool *ok);
