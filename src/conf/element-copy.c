/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copy and free by tables. A copy begins as a shallow one; each row then replaces the borrowed
 * pointer by its own. A pointer that differs from the original's is owned already: rows may share
 * storage (the tables of a switch). */
#include "conf/element-internal.h"

static void done_fields(const Field *fields, void *object);

static void done_items(const Field *field, void *object) {
    void **items = field_pointer(field, object);
    size_t *n = field_count(field, object);

    for (size_t i = 0; *items && i < *n; i++)
        done_fields(field->element->fields, (char *)*items + i * field->element->size);
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

static void own_structs(const Field *field, void **to, size_t n, bool *ok) {
    const char *from = *to;
    size_t size = field->element->size;

    *to = *ok ? malloc(n * size) : NULL;
    *ok &= *to != NULL;
    if (!*to)
        return;
    memcpy(*to, from, n * size);
    for (size_t i = 0; i < n; i++)
        own_fields(field->element->fields, from + i * size, (char *)*to + i * size, ok);
}

static void own_field(const Field *field, const void *from, void *to, bool *ok) {
    void **pointer = field_pointer(field, to), *borrowed = *field_pointer(field, from);

    switch (field->kind) {
    case FIELD_KIND_TEXT:
    case FIELD_KIND_VERBATIM:
    case FIELD_KIND_STORED:
        if (borrowed && *pointer == borrowed)
            own_text(pointer, ok);
        break;
    case FIELD_KIND_BITMAP:
        if (borrowed && *pointer == borrowed) {
            *pointer = *ok ? bitmap_copy(borrowed) : NULL;
            *ok &= *pointer != NULL;
        }
        break;
    case FIELD_KIND_LIST:
        if (borrowed && *pointer == borrowed) {
            size_t *n = field_count(field, to);

            if (*n)
                own_structs(field, pointer, *n, ok);
            else
                *pointer = NULL;
            if (!*pointer)
                *n = 0;
        }
        break;
    case FIELD_KIND_ONE:
        if (borrowed && *pointer == borrowed)
            own_structs(field, pointer, 1, ok);
        break;
    case FIELD_KIND_GROUP:
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
