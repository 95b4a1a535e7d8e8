/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What commands print: errors, messages, tables, JSON. */
#include <stdarg.h>
#include <wchar.h>

#include "vireo.h"

void *out_of_memory(void) {
    fputs("error: out of memory\n", stderr);
    exit(EXIT_FAILURE);
}

char *text_format(const char *format, ...) {
    char *text = NULL;
    va_list ap;

    va_start(ap, format);
    if (vasprintf(&text, format, ap) < 0)
        out_of_memory();
    va_end(ap);
    return text;
}

int tool_fail(const Error *error, const char *format, ...) {
    va_list ap;

    fflush(stdout);
    fputs("error: ", stderr);
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
    if (error)
        fprintf(stderr, "error: %s\n", error_message(error));
    return -EIO;
}

int tool_failed(const Error *error) {
    return tool_fail(NULL, "%s", error ? error_message(error) : "unknown error");
}

void tool_say(const Tool *tool, const char *format, ...) {
    va_list ap;

    if (tool->quiet || tool->json)
        return;
    va_start(ap, format);
    vprintf(format, ap);
    va_end(ap);
}

void tool_print_json(json_object *object) {
    puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                    JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(object);
}

json_object *json_lines(const char *text) {
    json_object *list = json_object_new_array();

    while (*text) {
        size_t len = strcspn(text, "\n");

        json_object_array_add(list, json_object_new_string_len(text, (int)len));
        text += len + (text[len] == '\n');
    }
    return list;
}

/* ---- tables ---- */

void table_start(Table *table, size_t n_columns, const char *const *titles) {
    *table = (Table){.n_columns = n_columns};
    table_add(table, titles);
}

void table_add(Table *table, const char *const *cells) {
    if ((table->n_rows + 1) * table->n_columns > table->size) {
        table->size = table->size * 2 + 8 * table->n_columns;
        table->cells = reallocarray(table->cells, table->size, sizeof(*table->cells));
        if (!table->cells)
            out_of_memory();
    }
    for (size_t i = 0; i < table->n_columns; i++) {
        char *cell = strdup(cells[i]);

        if (!cell)
            out_of_memory();
        table->cells[table->n_rows * table->n_columns + i] = cell;
    }
    table->n_rows++;
}

/* Columns on a terminal; bytes when the text is not valid in the locale. */
static size_t text_width(const char *text) {
    size_t n = mbstowcs(NULL, text, 0);
    CLEANUP_FREE wchar_t *wide = NULL;
    int width;

    if (n == (size_t)-1)
        return strlen(text);
    wide = calloc(n + 1, sizeof(*wide));
    if (!wide)
        out_of_memory();
    mbstowcs(wide, text, n + 1);
    width = wcswidth(wide, n);
    return width < 0 ? strlen(text) : (size_t)width;
}

static void print_row(const Table *table, size_t row, const size_t *widths) {
    for (size_t i = 0; i < table->n_columns; i++) {
        const char *cell = table->cells[row * table->n_columns + i];

        printf(" %s", cell);
        if (i + 1 < table->n_columns)
            printf("%*s", (int)(widths[i] - text_width(cell) + 2), "");
    }
    putchar('\n');
}

void table_print(const Table *table, bool header) {
    CLEANUP_FREE size_t *widths = calloc(table->n_columns, sizeof(*widths));
    size_t total = 0;

    if (!widths)
        out_of_memory();
    for (size_t i = 0; i < table->n_columns; i++) {
        for (size_t row = header ? 0 : 1; row < table->n_rows; row++)
            widths[i] = MAX_OF(widths[i], text_width(table->cells[row * table->n_columns + i]));
        total += widths[i] + 3;
    }
    if (header) {
        print_row(table, 0, widths);
        for (size_t i = 0; i < total; i++)
            putchar('-');
        putchar('\n');
    }
    for (size_t row = 1; row < table->n_rows; row++)
        print_row(table, row, widths);
}

void table_done(Table *table) {
    for (size_t i = 0; i < table->n_rows * table->n_columns; i++)
        free(table->cells[i]);
    free(table->cells);
    *table = (Table){0};
}
