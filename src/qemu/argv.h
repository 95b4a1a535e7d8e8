/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An argv under construction. A failed allocation is remembered in `failed` and reported once, at
 * the end. */
#pragma once

#include "util/json.h"

typedef struct ArgvBuilder {
    char **argv; /* NULL-terminated */
    size_t n, size;
    bool failed;
} ArgvBuilder;

/* Copies the text. */
void argv_add(ArgvBuilder *builder, const char *text);
void argv_add_option(ArgvBuilder *builder, const char *option, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* Takes the object; NULL is a failed allocation. */
void argv_add_json(ArgvBuilder *builder, const char *option, json_object *object);
/* Doubles commas, as QEMU's option syntax wants it. NULL: out of memory. Caller frees. */
char *argv_escape(const char *text);

/* One line for the log, quoted for a shell. NULL: out of memory. Caller frees. */
char *qemu_argv_format(char *const *argv);
void qemu_argv_free(char **argv);
