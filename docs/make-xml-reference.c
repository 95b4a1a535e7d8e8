/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes the XML reference from the element tables: a row per field with its kind, its words and
 * whether it is acted on. */
#include <stdio.h>

#include "conf/domain-def.h"

#define DEPTH_MAX 12

static const char *kind_of(const Field *field) {
    switch (field->kind) {
    case FIELD_KIND_TEXT:
        return field->words ? "word" : "text";
    case FIELD_KIND_WORD:
        return "word";
    case FIELD_KIND_TRISTATE:
        return field->yes_no ? "yes, no" : "on, off";
    case FIELD_KIND_STATE:
        return "state='on', 'off'";
    case FIELD_KIND_PRESENT:
        return "present";
    case FIELD_KIND_UINT:
    case FIELD_KIND_INT:
        return "number";
    case FIELD_KIND_SIZE:
        return "size";
    case FIELD_KIND_BITMAP:
        return "list of numbers";
    case FIELD_KIND_UUID:
        return "uuid";
    case FIELD_KIND_LIST:
        return "elements";
    case FIELD_KIND_VERBATIM:
        return "as it is";
    default:
        return "element";
    }
}

static void put_words(const Field *field) {
    for (size_t i = 0; field->words && i < field->words->n; i++)
        if (*field->words->names[i])
            printf(" %s%s", field->words->names[i],
                   field->words->not_started & WORD_MASK(i) ? "*" : "");
}

static void put_row(const char *path, const Field *field) {
    const char *support = field->flags & FIELD_NOT_STARTED ? "kept, start refused"
                          : field->flags & FIELD_NOT_ACTED ? "kept"
                          : field->kind == FIELD_KIND_ALSO ? "read only"
                                                           : "acted on";

    printf("| `%s%s%s` | %s |", path, *field->path == '@' || *field->path == '.' ? "" : "/",
           *field->path == '.' ? "" : field->path, kind_of(field));
    put_words(field);
    printf(" | %s |\n", support);
}

static void put_fields(const char *path, const Field *fields, unsigned depth);

static void put_below(const char *path, const Field *field, const Field *rows, unsigned depth) {
    char below[512];

    if (!rows || depth >= DEPTH_MAX)
        return;
    snprintf(below, sizeof(below), "%s%s%s", path, field->path ? "/" : "",
             field->path ? field->path : "");
    put_fields(below, rows, depth + 1);
}

static void put_fields(const char *path, const Field *fields, unsigned depth) {
    for (const Field *field = fields; field->kind != FIELD_KIND_END; field++) {
        if (field->path && field->kind != FIELD_KIND_STORED &&
            !(field->kind == FIELD_KIND_CODE && !field->read))
            put_row(path, field);
        if (field->kind == FIELD_KIND_GROUP)
            put_below(path, field, field->fields, depth);
        if (field->kind == FIELD_KIND_LIST || field->kind == FIELD_KIND_ONE)
            put_below(path, field, field->element->fields,
                      streq(field->path, "backingStore") ? DEPTH_MAX : depth);
        for (size_t i = 0; field->kind == FIELD_KIND_SWITCH && i < field->n_choices; i++) {
            bool again = false;

            for (size_t k = 0; k < i; k++)
                again |= field->choice[k] == field->choice[i];
            if (!again)
                put_below(path, field, field->choice[i], depth);
        }
    }
}

int main(void) {
    printf("# The domain XML\n\nMade from the element tables by the build. A word with a star, and "
           "a row that says so, is kept in the\ndefinition and refuses the start by name and "
           "line.\n\n| path | kind | words | |\n|---|---|---|---|\n");
    put_fields("domain", domain_element.fields, 0);
    return ferror(stdout) ? 1 : 0;
}
