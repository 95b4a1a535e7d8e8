/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* All kinds of limit. */
#include "limits/plan.h"

const LimitKind *const limit_kinds[] = {&limit_pin,       &limit_memory,  &limit_bandwidth,
                                        &limit_scheduler, &limit_resctrl, NULL};

#define ALIGNMENT 16u

static size_t aligned(size_t size) {
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

size_t limit_parts_size(void) {
    size_t size = 0;

    for (size_t i = 0; limit_kinds[i]; i++)
        size += aligned(limit_kinds[i]->size);
    return size;
}

void *limit_part(const ThreadPlan *thread, size_t i) {
    char *part = thread->parts;

    for (size_t k = 0; k < i; k++)
        part += aligned(limit_kinds[k]->size);
    return part;
}
