/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Skips a test that this machine cannot run. cmocka leaves the test by a long jump, so that what
 * the test owns is never freed: after a skip the leak checker's answer means nothing, and it is
 * not asked. Included once per program. */
#pragma once

#include <stdio.h>

#include "util/macro.h"

static bool has_skipped;

/* LeakSanitizer's hook, asked at the program's end. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void) {
    return has_skipped;
}

static inline void skip_because(const char *why) {
    print_message("SKIP: %s\n", why);
    has_skipped = true;
    skip();
}

static inline void need(bool given, const char *why) {
    if (!given)
        skip_because(why);
}
