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

#define SUPPORT (FIELD_NOT_DEFINED | FIELD_NOT_STARTED | FIELD_NOT_ACTED)

/* `flags`: SUPPORT of the row and of what it is in. */
static void put_row(const char *path, const Field *field, unsigned flags) {
    const char *support = flags & FIELD_NOT_DEFINED        ? "refused"
                          : flags & FIELD_NOT_STARTED      ? "kept, start refused"
                          : flags & FIELD_NOT_ACTED        ? "kept"
                          : field->kind == FIELD_KIND_ALSO ? "read only"
                                                           : "acted on";

    printf("| `%s%s%s` | %s |", path, *field->path == '@' || *field->path == '.' ? "" : "/",
           *field->path == '.' ? "" : field->path, kind_of(field));
    put_words(field);
    printf(" | %s |\n", support);
}

static void put_fields(const char *path, const Field *fields, unsigned depth, unsigned flags);

static void put_below(const char *path, const Field *field, const Field *rows, unsigned depth,
                      unsigned flags) {
    char below[512];

    if (!rows || depth >= DEPTH_MAX)
        return;
    snprintf(below, sizeof(below), "%s%s%s", path, field->path ? "/" : "",
             field->path ? field->path : "");
    put_fields(below, rows, depth + 1, flags);
}

/* Whether a word that refuses the start chooses these rows: that of the row before the switch that
 * is about the same member. */
static bool is_refused_choice(const Field *fields, const Field *choice, size_t value) {
    for (const Field *field = fields; field != choice; field++)
        if (field->kind == FIELD_KIND_WORD && field->words && field->offset == choice->offset)
            return field->words->not_started & WORD_MASK(value);
    return false;
}

/* Each list of rows once; it is refused when all words that choose it are. */
static void put_choices(const char *path, const Field *fields, const Field *field, unsigned depth,
                        unsigned flags) {
    for (size_t i = 0; i < field->n_choices; i++) {
        bool again = false, refused = true;

        for (size_t k = 0; k < field->n_choices; k++) {
            again |= k < i && field->choice[k] == field->choice[i];
            refused &= field->choice[k] != field->choice[i] || is_refused_choice(fields, field, k);
        }
        if (!again)
            put_below(path, field, field->choice[i], depth,
                      flags | (refused ? FIELD_NOT_STARTED : 0u));
    }
}

static void put_fields(const char *path, const Field *fields, unsigned depth, unsigned above) {
    for (const Field *field = fields; field->kind != FIELD_KIND_END; field++) {
        const unsigned flags = above | (field->flags & SUPPORT);

        if (field->path && field->kind != FIELD_KIND_STORED &&
            !(field->kind == FIELD_KIND_CODE && !field->read))
            put_row(path, field, flags);
        if (field->kind == FIELD_KIND_GROUP)
            put_below(path, field, field->fields, depth, flags);
        if (field->kind == FIELD_KIND_LIST || field->kind == FIELD_KIND_ONE)
            put_below(path, field, field->element->fields,
                      streq(field->path, "backingStore") ? DEPTH_MAX : depth, flags);
        if (field->kind == FIELD_KIND_SWITCH)
            put_choices(path, fields, field, depth, flags);
    }
}

int main(void) {
    printf("# The domain XML\n\nMade from the element tables by the build. A word with a star, and "
           "a row that says so, is kept in the\ndefinition and refuses the start by name and "
           "line. What is \"kept\" is said at define, where it\nmakes a difference; what is "
           "\"refused\" no definition can have.\n\n| path | kind | words | |\n|---|---|---|---|\n");
    put_fields("domain", domain_element.fields, 0, 0);
    return ferror(stdout) ? 1 : 0;
}
