/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a command reports, as text for people or as JSON: facts about one thing, or rows of a
 * table. */
#pragma once

#include "vireo.h"

/* Titles and values, one on each line, or the members of an object. */
typedef struct Facts {
    const Tool *tool;
    json_object *json; /* NULL: text */
    int width;         /* of the titles */
} Facts;

void facts_start(Facts *facts, const Tool *tool, int width);
void facts_text(Facts *facts, const char *title, const char *key, const char *value);
/* `unit` (may be NULL) stands behind the number in the text. */
void facts_number(Facts *facts, const char *title, const char *key, uint64_t value,
                  const char *unit);
/* "yes" and "no", or the two words given. */
void facts_bool(Facts *facts, const char *title, const char *key, bool value, const char *yes,
                const char *no);
/* Prints the object and frees. */
void facts_print(Facts *facts);

/* A table, or an array of objects whose members are named by `keys`; a cell "-" is null there. */
typedef struct Rows {
    const Tool *tool;
    const char *const *keys;
    Table table;
    json_object *json;
} Rows;

void rows_start(Rows *rows, const Tool *tool, size_t n, const char *const *titles,
                const char *const *keys);
void rows_add(Rows *rows, const char *const *cells);
/* Prints and frees. */
void rows_print(Rows *rows);

/* One text on a line of its own, or an object with it as member `key`. */
void report_text(const Tool *tool, const char *key, const char *text);
