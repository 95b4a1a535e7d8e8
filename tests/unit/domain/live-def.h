/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The definition of a machine that runs, for tests that have no QEMU for it. */
#pragma once

#include "conf/domain-parse.h"

/* Behind <cmocka.h>: ends the test when the text is refused. The caller frees. */
static inline DomainDef *live_def(const char *xml) {
    const DomainParseParams params = {.default_arch = "x86_64", .live = true};
    CLEANUP_ERROR Error *error = NULL;
    DomainDef *def = NULL;

    if (domain_parse(xml, strlen(xml), &params, &def, &error) < 0)
        fail_msg("%s", error_message(error));
    return def;
}
