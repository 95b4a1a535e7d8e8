/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Facts and rows, as text or JSON. */
#include "report.h"

#include <inttypes.h>

/* ---- facts ---- */

void facts_start(Facts *facts, const Tool *tool, int width) {
    *facts = (Facts){
        .tool = tool, .json = tool->json ? json_object_new_object() : NULL, .width = width};
}

void facts_text(Facts *facts, const char *title, const char *key, const char *value) {
    if (facts->json)
        json_object_object_add(facts->json, key, json_object_new_string(value));
    else
        printf("%-*s %s\n", facts->width, title, value);
}

void facts_number(Facts *facts, const char *title, const char *key, uint64_t value,
                  const char *unit) {
    if (facts->json)
        json_object_object_add(facts->json, key, json_object_new_uint64(value));
    else
        printf("%-*s %" PRIu64 "%s%s\n", facts->width, title, value, unit ? " " : "",
               unit ? unit : "");
}

void facts_bool(Facts *facts, const char *title, const char *key, bool value, const char *yes,
                const char *no) {
    if (facts->json)
        json_object_object_add(facts->json, key, json_object_new_boolean(value));
    else
        printf("%-*s %s\n", facts->width, title, value ? yes : no);
}

void facts_print(Facts *facts) {
    if (facts->json)
        tool_print_json(facts->json);
    *facts = (Facts){0};
}

/* ---- rows ---- */

void rows_start(Rows *rows, const Tool *tool, size_t n, const char *const *titles,
                const char *const *keys) {
    *rows = (Rows){.tool = tool, .keys = keys};
    table_start(&rows->table, n, titles);
}

void rows_add(Rows *rows, const char *const *cells) {
    table_add(&rows->table, cells);
}

static json_object *rows_json(const Rows *rows) {
    json_object *list = json_object_new_array();

    for (size_t row = 1; row < rows->table.n_rows; row++) {
        json_object *object = json_object_new_object();

        for (size_t i = 0; i < rows->table.n_columns; i++) {
            const char *cell = rows->table.cells[row * rows->table.n_columns + i];

            json_object_object_add(object, rows->keys[i],
                                   streq(cell, "-") ? NULL : json_object_new_string(cell));
        }
        json_object_array_add(list, object);
    }
    return list;
}

void rows_print(Rows *rows) {
    if (rows->tool->json)
        tool_print_json(rows_json(rows));
    else
        table_print(&rows->table, !rows->tool->quiet);
    table_done(&rows->table);
}

void report_text(const Tool *tool, const char *key, const char *text) {
    json_object *object;

    if (!tool->json) {
        puts(text);
        return;
    }
    object = json_object_new_object();
    json_object_object_add(object, key, json_object_new_string(text));
    tool_print_json(object);
}
