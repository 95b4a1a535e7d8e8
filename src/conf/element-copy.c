/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copy and free by tables. A copy begins as a shallow one; each row then replaces the borrowed
 * pointer by its own. A pointer that differs from the original's is owned already: rows may share
 * storage (the tables of a switch). */
#include "conf/element-internal.h"

static void done_fields(const Field *fields, void *object);

/* Most parts of most objects are as they were made: they own nothing, and have many rows. */
static bool is_zero_part(const Field *field, const void *object) {
    const char *part = field_part(field, object);

    return field->width && !*part && !memcmp(part, part + 1, field->width - 1);
}

/* Rows of several kinds may fill one list: the last of them frees it. */
static bool is_last_of_list(const Field *field) {
    for (const Field *later = field + 1; later->kind != FIELD_KIND_END; later++)
        if (later->kind == FIELD_KIND_LIST && later->offset == field->offset)
            return false;
    return true;
}

static void done_items(const Field *field, void *object) {
    void **items = field_pointer(field, object);
    size_t *n = field_count(field, object);

    if (!*items)
        return;
    for (size_t i = 0; i < *n; i++) {
        void *item = (char *)*items + i * field->element->size;

        if (field_is_of_row(field, item))
            done_fields(field->element->fields, item);
    }
    if (!is_last_of_list(field))
        return;
    free(TAKE_PTR(*items));
    *n = 0;
}

static void done_field(const Field *field, void *object) {
    void **pointer = field_pointer(field, object);

    switch (field->kind) {
    case FIELD_KIND_TEXT:
    case FIELD_KIND_VERBATIM:
    case FIELD_KIND_STORED:
        free(TAKE_PTR(*pointer));
        break;
    case FIELD_KIND_BITMAP:
        bitmap_free(TAKE_PTR(*pointer));
        break;
    case FIELD_KIND_LIST:
        done_items(field, object);
        break;
    case FIELD_KIND_ONE:
        if (*pointer)
            done_fields(field->element->fields, *pointer);
        free(TAKE_PTR(*pointer));
        break;
    case FIELD_KIND_GROUP:
        if (!is_zero_part(field, object))
            done_fields(field->fields, field_part(field, object));
        break;
    case FIELD_KIND_SWITCH:
        for (size_t i = 0; i < field->n_choices; i++)
            if (field->choice[i])
                done_fields(field->choice[i], object);
        break;
    case FIELD_KIND_CODE:
        if (field->done)
            field->done(object);
        break;
    default:
        break;
    }
}

static void done_fields(const Field *fields, void *object) {
    for (const Field *field = fields; field->kind != FIELD_KIND_END; field++)
        done_field(field, object);
}

void element_done(const Element *element, void *object) {
    done_fields(element->fields, object);
}

/* ---- copy ---- */

static void own_fields(const Field *fields, const void *from, void *to, bool *ok);

static void own_text(void **to, bool *ok) {
    *to = *ok ? strdup(*to) : NULL;
    *ok &= *to != NULL;
}

static void own_struct(const Field *field, void **to, bool *ok) {
    const void *from = *to;

    *to = *ok ? malloc(field->element->size) : NULL;
    *ok &= *to != NULL;
    if (!*to)
        return;
    memcpy(*to, from, field->element->size);
    own_fields(field->element->fields, from, *to, ok);
}

/* The items of this row's kind; the array itself is made by the first row that has it. */
static void own_items(const Field *field, const void *from_object, void *to_object, bool *ok) {
    const char *from = *field_pointer(field, from_object);
    void **to = field_pointer(field, to_object);
    size_t *n = field_count(field, to_object), size = field->element->size;

    if (!from)
        return;
    if (*to == from) {
        *to = *ok && *n ? malloc(*n * size) : NULL;
        *ok &= *to || !*n;
        if (!*to)
            *n = 0;
        else
            memcpy(*to, from, *n * size);
    }
    for (size_t i = 0; i < *n; i++)
        if (field_is_of_row(field, from + i * size))
            own_fields(field->element->fields, from + i * size, (char *)*to + i * size, ok);
}

/* A row that is one pointer. Several rows may share it: the first to come makes it its own. */
static void own_pointer(const Field *field, const void *from, void *to, bool *ok) {
    void **pointer = field_pointer(field, to), *borrowed = *field_pointer(field, from);

    if (!borrowed || *pointer != borrowed)
        return;
    switch (field->kind) {
    case FIELD_KIND_BITMAP:
        *pointer = *ok ? bitmap_copy(borrowed) : NULL;
        *ok &= *pointer != NULL;
        break;
    case FIELD_KIND_ONE:
        own_struct(field, pointer, ok);
        break;
    default:
        own_text(pointer, ok);
        break;
    }
}

static void own_field(const Field *field, const void *from, void *to, bool *ok) {
    switch (field->kind) {
    case FIELD_KIND_TEXT:
    case FIELD_KIND_VERBATIM:
    case FIELD_KIND_STORED:
    case FIELD_KIND_BITMAP:
    case FIELD_KIND_ONE:
        own_pointer(field, from, to, ok);
        break;
    case FIELD_KIND_LIST:
        own_items(field, from, to, ok);
        break;
    case FIELD_KIND_GROUP:
        if (!is_zero_part(field, from))
            own_fields(field->fields, field_part(field, from), field_part(field, to), ok);
        break;
    case FIELD_KIND_SWITCH:
        for (size_t i = 0; i < field->n_choices; i++)
            if (field->choice[i])
                own_fields(field->choice[i], from, to, ok);
        break;
    case FIELD_KIND_CODE:
        if (field->own)
            field->own(to, ok);
        break;
    default:
        break;
    }
}

static void own_fields(const Field *fields, const void *from, void *to, bool *ok) {
    for (const Field *field = fields; field->kind != FIELD_KIND_END; field++)
        own_field(field, from, to, ok);
}

int element_copy(const Element *element, const void *from, void *to) {
    bool ok = true;

    memcpy(to, from, element->size);
    own_fields(element->fields, from, to, &ok);
    if (ok)
        return 0;
    element_done(element, to);
    return -ENOMEM;
}
