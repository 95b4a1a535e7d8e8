/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Patterns: what they would cost is counted before they are compiled. */
#include "pattern-internal.h"

#include <ctype.h>

#include "util/worker.h"

/* Behind "[:alpha:]" and its like inside a bracket expression. */
static const char *skip_class(const char *at) {
    const char end[] = {at[1], ']', '\0'};
    const char *found = strstr(at + 2, end);

    return found ? found + 2 : at + strlen(at);
}

/* Behind a bracket expression that begins at `at`; or at the end. */
static const char *skip_bracket(const char *at) {
    at++;
    if (*at == '^')
        at++;
    if (*at == ']')
        at++;
    while (*at && *at != ']')
        at = *at == '[' && strchr(":.=", at[1]) && at[1] ? skip_class(at) : at + 1;
    return *at ? at + 1 : at;
}

/* The larger number of "{m,n}"; 1 when it is none. */
static unsigned repeat_of(const char *at) {
    unsigned long first = strtoul(at + 1, (char **)&at, 10), second = first;

    if (*at == ',')
        second = strtoul(at + 1, (char **)&at, 10);
    return (unsigned)MIN_OF(MAX_OF(MAX_OF(first, second), 1ul), PATTERN_COPIES_MAX + 1ul);
}

const char *pattern_refusal(const char *text) {
    unsigned depth = 0, copies = 1;

    if (strlen(text) > PATTERN_LENGTH_MAX)
        return "is longer than 256 bytes";
    for (const char *at = text; *at;) {
        if (*at == '\\') {
            if (isdigit((unsigned char)at[1]))
                return "refers back to what it has matched";
            at += at[1] ? 2 : 1;
            continue;
        }
        if (*at == '[') {
            at = skip_bracket(at);
            continue;
        }
        if (*at == '(' && ++depth > PATTERN_DEPTH_MAX)
            return "has more than 16 parentheses within each other";
        if (*at == ')' && depth > 0)
            depth--;
        if (*at == '{') {
            /* Whether they lie within each other is not looked at: their product is the worst. */
            copies = MIN_OF(copies * repeat_of(at), PATTERN_COPIES_MAX + 1);
            if (copies > PATTERN_COPIES_MAX)
                return "repeats its parts more than 256 times";
        }
        at++;
    }
    return NULL;
}

typedef struct Compile {
    const char *text;
    int how;
    regex_t *pattern;
} Compile;

static int compile(void *arg) {
    Compile *work = arg;

    return regcomp(work->pattern, work->text, work->how) == 0 ? 0 : -EINVAL;
}

int pattern_compile(const char *text, bool nocase, regex_t **ret, Error **reterr) {
    CLEANUP_FREE regex_t *pattern = calloc(1, sizeof(regex_t));
    Compile work = {text, REG_EXTENDED | REG_NOSUB | (nocase ? REG_ICASE : 0), pattern};
    const char *refusal = pattern_refusal(text);

    if (!pattern)
        return error_no_memory(reterr);
    if (refusal)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "the regular expression '%.60s' %s", text, refusal);
    if (worker_run(compile, &work) < 0)
        return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                            "cannot compile the regular expression '%s'", text);
    *ret = TAKE_PTR(pattern);
    return 0;
}

void pattern_free(regex_t *pattern) {
    if (!pattern)
        return;
    regfree(pattern);
    free(pattern);
}
