/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sizes for people. */
#include "size.h"

#include "vireo.h"

static double scale(uint64_t bytes, const char **ret_unit) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    size_t i = 0;

    while (value >= 1024 && i + 1 < ARRAY_SIZE(units)) {
        value /= 1024;
        i++;
    }
    *ret_unit = units[i];
    return value;
}

char *size_format(uint64_t bytes) {
    const char *unit;
    double value = scale(bytes, &unit);

    return text_format("%.3f %s", value, unit);
}

char *size_format_short(uint64_t bytes) {
    const char *unit;
    double value = scale(bytes, &unit);

    return text_format("%.2f %s", value, unit);
}
