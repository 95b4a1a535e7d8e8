/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain-errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

void expect_refused(const char *xml, ErrorCode code, const char *words) {
    DomainParseParams params = {.default_arch = "x86_64"};
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_ERROR Error *error = NULL;
    int r = domain_parse(xml, strlen(xml), &params, &def, &error);

    if (r >= 0)
        fail_msg("accepted:\n%s", xml);
    assert_null(def);
    if (!error)
        fail_msg("no error for:\n%s", xml);
    if (error->code != code || !strstr(error->message, words))
        fail_msg("%s\n wanted: %d, ...%s...\n    got: %d, %s", xml, code, words, error->code,
                 error->message);
    /* Nobody has to want the sentence. */
    assert_true(domain_parse(xml, strlen(xml), &params, &def, NULL) < 0);
}

void expect_all_refused(const Bad *rows, size_t n) {
    for (size_t i = 0; i < n; i++)
        expect_refused(rows[i].xml, rows[i].code, rows[i].words);
}

void note_warning(const char *path, int line, void *userdata) {
    Warnings *warnings = userdata;
    size_t used = strlen(warnings->text);

    snprintf(warnings->text + used, sizeof(warnings->text) - used, "%s@%d ", path, line);
}
