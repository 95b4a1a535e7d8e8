/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/run-helpers.h"

#include <stdlib.h>
#include <string.h>

RunHelper *run_helper_find(RunHelper *first, const char *alias) {
    while (first && !streq(first->alias, alias))
        first = first->next;
    return first;
}

RunHelper *run_helper_add(RunHelper **first, Domain *domain, const char *alias) {
    RunHelper *helper = calloc(1, sizeof(RunHelper));
    char *copy = strdup(alias);

    if (!helper || !copy) {
        free(helper);
        free(copy);
        return NULL;
    }
    *helper = (RunHelper){.next = *first, .domain = domain, .alias = copy};
    *first = helper;
    return helper;
}

void run_helper_remove(RunHelper **first, RunHelper *helper) {
    while (*first != helper)
        first = &(*first)->next;
    *first = helper->next;
    sd_event_source_disable_unref(helper->end);
    free(helper->alias);
    free(helper);
}

void run_helpers_free(RunHelper **first) {
    while (*first)
        run_helper_remove(first, *first);
}
