/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Definitions that are completed, and what is in them afterwards. */
#pragma once

#include <cmocka.h>

#include "conf/domain-fill.h"
#include "conf/domain-format.h"
#include "conf/domain-parse.h"

/* The text of the definition, completed for that machine; the caller's. */
static inline char *fill_text(const char *xml, const char *machine) {
    DomainParseParams params = {.default_arch = "x86_64"};
    DomainFillParams add = {.machine = machine};
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_ERROR Error *error = NULL;
    char *text = NULL;

    if (domain_parse(xml, strlen(xml), &params, &def, &error) < 0 ||
        domain_fill(def, &add, &error) < 0)
        fail_msg("%s\n%s", xml, error ? error_message(error) : "no memory");
    assert_int_equal(domain_format(def, &(DomainFormatParams){.secrets = true}, &text), 0);
    return text;
}

/* `wanted`: lines, each a part of the text, in their order; behind "!" one that is not in it. */
static inline void fill_check(size_t row, const char *text, const char *wanted) {
    CLEANUP_FREE char *lines = strdup(wanted);
    const char *at = text;

    for (char *save = NULL, *line = strtok_r(lines, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        if (*line == '!') {
            if (strstr(text, line + 1))
                fail_msg("row %zu: %s in\n%s", row, line + 1, text);
            continue;
        }
        at = strstr(at, line);
        if (!at)
            fail_msg("row %zu: no %s in its place in\n%s", row, line, text);
    }
}
