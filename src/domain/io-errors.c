/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/io-errors.h"

#include "conf/element.h"
#include "util/text.h"

void io_errors_done(IoErrors *errors) {
    while (errors->n)
        free(errors->list[--errors->n].alias);
    free(TAKE_PTR(errors->list));
}

static IoError *find(IoErrors *errors, const char *alias, int action, bool no_space) {
    for (size_t i = 0; i < errors->n; i++) {
        IoError *at = &errors->list[i];

        if (at->action == action && at->no_space == no_space && streq(at->alias, alias))
            return at;
    }
    return NULL;
}

static void add(IoErrors *errors, const char *alias, int action, bool no_space, uint64_t now) {
    char *name = strdup(alias);
    IoError *at = name ? array_append(&errors->list, &errors->n, sizeof(IoError)) : NULL;

    if (at)
        *at = (IoError){.alias = name, .action = action, .no_space = no_space, .told = now};
    else
        free(name);
}

bool io_errors_hold(IoErrors *errors, const char *alias, int action, bool no_space, uint64_t now) {
    IoError *at = find(errors, alias, action, no_space);

    if (!at)
        add(errors, alias, action, no_space, now);
    else if (now - at->told < IO_ERROR_REPEAT_USEC)
        return ++at->n_held > 0;
    else
        at->told = now;
    return false;
}

const IoError *io_errors_next(IoErrors *errors, uint64_t now, unsigned *ret_n_held) {
    for (size_t i = 0; i < errors->n; i++) {
        IoError *at = &errors->list[i];

        if (at->n_held == 0 || now - at->told < IO_ERROR_REPEAT_USEC)
            continue;
        *ret_n_held = at->n_held;
        at->n_held = 0;
        at->told = now;
        return at;
    }
    return NULL;
}

bool io_errors_any(const IoErrors *errors) {
    for (size_t i = 0; i < errors->n; i++)
        if (errors->list[i].n_held > 0)
            return true;
    return false;
}
