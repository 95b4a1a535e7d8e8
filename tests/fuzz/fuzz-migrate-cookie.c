/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the client of a migration carries from one vireod to the other. */
#include "conf/migrate-cookie.h"
#include "fuzz.h"

/* What is taken is written, and read back as the same. */
static void both_ways(const MigrateCookie *cookie) {
    CLEANUP_MIGRATE_COOKIE MigrateCookie again = {0};
    CLEANUP_FREE char *text = migrate_cookie_format(cookie), *second = NULL;

    if (!text || migrate_cookie_parse(text, strlen(text), &again, NULL) < 0)
        abort();
    second = migrate_cookie_format(&again);
    if (!second || strcmp(text, second) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    CLEANUP_MIGRATE_COOKIE MigrateCookie cookie = {0};
    CLEANUP_ERROR Error *error = NULL;
    const int r = migrate_cookie_parse((const char *)data, size, &cookie, &error);

    if (r < 0 ? !error || cookie.name : error || !cookie.name)
        abort();
    if (r >= 0)
        both_ways(&cookie);
    return 0;
}
