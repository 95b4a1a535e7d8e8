/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Comparing by tables: what the guest sees. */
#include "conf/element-internal.h"

typedef struct Path {
    char *text; /* ELEMENT_PATH_SIZE bytes */
    size_t len;
} Path;

static Path below(Path path, const char *name, long index) {
    int n = snprintf(path.text + path.len, ELEMENT_PATH_SIZE - path.len,
                     index < 0 ? "%s%s" : "%s%s[%ld]", *name == '@' || !path.len ? "" : "/", name,
                     index + 1);

    path.len += (size_t)n;
    if (path.len >= ELEMENT_PATH_SIZE)
        path.len = ELEMENT_PATH_SIZE - 1;
    return path;
}

static bool equal_fields(const Field *fields, const void *a, const void *b, Path path);

static bool equal_lists(const Field *field, const void *a, const void *b, Path path) {
    const char *left = *field_pointer(field, a), *right = *field_pointer(field, b);
    size_t n_left = *field_count(field, a), n_right = *field_count(field, b);
    size_t size = field->element->size;

    for (size_t i = 0; i < n_left && i < n_right; i++) {
        bool of_row = field_is_of_row(field, left + i * size);
        Path item = below(path, field->path, (long)i);

        if (of_row != field_is_of_row(field, right + i * size) ||
            (of_row &&
             !equal_fields(field->element->fields, left + i * size, right + i * size, item)))
            return false;
    }
    below(path, field->path, (long)MIN_OF(n_left, n_right));
    return n_left == n_right;
}

static bool equal_ones(const Field *field, const void *a, const void *b, Path path) {
    const void *left = *field_pointer(field, a), *right = *field_pointer(field, b);
    Path item = below(path, field->path, -1);

    if (!left || !right)
        return left == right;
    return equal_fields(field->element->fields, left, right, item);
}

static bool equal_values(const Field *field, const void *a, const void *b) {
    bool *left = field_given(field, a), *right = field_given(field, b);

    if (left && *left != *right)
        return false;
    switch (field->kind) {
    case FIELD_KIND_TEXT:
    case FIELD_KIND_VERBATIM:
    case FIELD_KIND_STORED:
        return streq_ptr(*field_pointer(field, a), *field_pointer(field, b));
    case FIELD_KIND_WORD:
    case FIELD_KIND_TRISTATE:
    case FIELD_KIND_STATE:
    case FIELD_KIND_PRESENT:
    case FIELD_KIND_UINT:
    case FIELD_KIND_INT:
    case FIELD_KIND_SIZE:
        return field_get(field, a) == field_get(field, b);
    case FIELD_KIND_BITMAP: {
        const Bitmap *x = *field_pointer(field, a), *y = *field_pointer(field, b);

        return x && y ? bitmap_equal(x, y) : x == y;
    }
    case FIELD_KIND_UUID:
        return memcmp(field_part(field, a), field_part(field, b), 16) == 0;
    case FIELD_KIND_CODE:
        return !field->equal || field->equal(a, b);
    default:
        return true;
    }
}

static bool equal_field(const Field *field, const void *a, const void *b, Path path) {
    bool *left = NULL, *right = NULL;
    const Field *rows;

    if (field->flags & (FIELD_UNCOMPARED | FIELD_LIVE))
        return true;
    switch (field->kind) {
    case FIELD_KIND_LIST:
        return equal_lists(field, a, b, path);
    case FIELD_KIND_ONE:
        return equal_ones(field, a, b, path);
    case FIELD_KIND_GROUP:
        path = field->path ? below(path, field->path, -1) : path;
        left = field_given(field, a);
        right = field_given(field, b);
        return (!left || *left == *right) &&
               equal_fields(field->fields, field_part(field, a), field_part(field, b), path);
    case FIELD_KIND_SWITCH:
        path = field->path ? below(path, field->path, -1) : path;
        rows = field_choice(field, a);
        return rows == field_choice(field, b) && (!rows || equal_fields(rows, a, b, path));
    default:
        below(path, field->path ? field->path : "", -1);
        return equal_values(field, a, b);
    }
}

static bool equal_fields(const Field *fields, const void *a, const void *b, Path path) {
    for (const Field *field = fields; field->kind != FIELD_KIND_END; field++)
        if (!equal_field(field, a, b, path))
            return false;
    return true;
}

bool element_equal(const Element *element, const void *a, const void *b,
                   char path[ELEMENT_PATH_SIZE]) {
    Path root = {.text = path};

    *path = '\0';
    return equal_fields(element->fields, a, b, root);
}
