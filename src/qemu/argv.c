/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An argv under construction, and as a line of text. */
#include "qemu/argv.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "util/json.h"
#include "util/text.h"

void argv_add(ArgvBuilder *builder, const char *text) {
    assert(text);
    if (builder->failed)
        return;
    if (builder->n + 2 > builder->size) {
        size_t size = MAX_OF(builder->size * 2, (size_t)64);
        char **bigger = realloc(builder->argv, size * sizeof(char *));

        if (!bigger) {
            builder->failed = true;
            return;
        }
        builder->argv = bigger;
        builder->size = size;
    }
    builder->argv[builder->n] = strdup(text);
    builder->failed = !builder->argv[builder->n];
    builder->argv[++builder->n] = NULL;
}

void argv_add_option(ArgvBuilder *builder, const char *option, const char *format, ...) {
    char *text = NULL;
    va_list args;
    int r;

    va_start(args, format);
    r = vasprintf(&text, format, args);
    va_end(args);
    if (r < 0) {
        builder->failed = true;
        return;
    }
    argv_add(builder, option);
    argv_add(builder, text);
    free(text);
}

void argv_add_json(ArgvBuilder *builder, const char *option, json_object *object) {
    CLEANUP_FREE char *text = object ? json_text(object) : NULL;

    if (text) {
        argv_add(builder, option);
        argv_add(builder, text);
    } else {
        builder->failed = true;
    }
    json_object_put(object);
}

char *argv_escape(const char *text) {
    CLEANUP_FREE char *out = malloc(strlen(text) * 2 + 1);
    char *to = out;

    if (!out)
        return NULL;
    for (; *text; text++) {
        if (*text == ',')
            *to++ = ',';
        *to++ = *text;
    }
    *to = '\0';
    return TAKE_PTR(out);
}

void qemu_argv_free(char **argv) {
    for (size_t i = 0; argv && argv[i]; i++)
        free(argv[i]);
    free(argv);
}

char *qemu_argv_format(char *const *argv) {
    char *text = NULL;
    FILE *out = text_open(&text);

    if (!out)
        return NULL;
    for (size_t i = 0; argv[i]; i++) {
        bool plain = *argv[i] != '\0';

        for (const char *c = argv[i]; *c; c++)
            plain = plain && (isalnum((unsigned char)*c) || strchr("-_=.,/:@+%", *c));
        fputs(i ? " " : "", out);
        if (plain) {
            fputs(argv[i], out);
            continue;
        }
        fputc('\'', out);
        for (const char *c = argv[i]; *c; c++)
            fputs(*c == '\'' ? "'\\''" : (char[]){*c, '\0'}, out);
        fputc('\'', out);
    }
    return fclose(out) == 0 ? text : NULL;
}
