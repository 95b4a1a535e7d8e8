/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Replaces borrowed pointers of a shallow copy by own ones. */
#include "conf/domain-copy.h"

void own_map(Bitmap **map, bool *ok) {
    if (!*map)
        return;
    *map = bitmap_copy(*map);
    *ok &= *map != NULL;
}

void own_array(void *array, size_t item, size_t *n, bool *ok) {
    void **p = array, *copy;

    if (*n == 0) {
        *p = NULL;
        return;
    }
    copy = malloc(*n * item);
    if (copy)
        memcpy(copy, *p, *n * item);
    else
        *n = 0;
    *ok &= copy != NULL;
    *p = copy;
}
