/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the element-*.c files share: access to an object by a row. */
#pragma once

#include <stdio.h>

#include "conf/element.h"

/* They are inline: a domain is written by thousands of rows, most of which are empty. */

/* The number (a bool's, an enum's), pointer or count in the object that the row is about. */
static inline uint64_t field_get(const Field *field, const void *object) {
    const char *at = (const char *)object + field->offset;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;

    switch (field->width) {
    case 1:
        memcpy(&u8, at, 1);
        return field->kind == FIELD_KIND_INT ? (uint64_t)(int8_t)u8 : u8;
    case 2:
        memcpy(&u16, at, 2);
        return field->kind == FIELD_KIND_INT ? (uint64_t)(int16_t)u16 : u16;
    case 4:
        memcpy(&u32, at, 4);
        return field->kind == FIELD_KIND_INT ? (uint64_t)(int32_t)u32 : u32;
    default:
        assert(field->width == 8);
        memcpy(&u64, at, 8);
        return u64;
    }
}

void field_set(const Field *field, void *object, uint64_t value);

static inline void **field_pointer(const Field *field, const void *object) {
    return (void **)((char *)(uintptr_t)object + field->offset);
}

static inline size_t *field_count(const Field *field, const void *object) {
    return (size_t *)((char *)(uintptr_t)object + field->other);
}

/* NULL when the row has none. */
static inline bool *field_given(const Field *field, const void *object) {
    return field->other ? (bool *)((char *)(uintptr_t)object + field->other - 1) : NULL;
}

/* The struct a group's rows are about. */
static inline void *field_part(const Field *field, const void *object) {
    return (char *)(uintptr_t)object + field->offset;
}

/* Is this item of a list one of the row's kind? */
static inline bool field_is_of_row(const Field *field, const void *item) {
    int tag;

    if (!field->tag)
        return true;
    memcpy(&tag, (const char *)item + field->tag - 1, sizeof(tag));
    return tag == field->tag_value;
}

/* The rows a switch chooses, or NULL. */
static inline const Field *field_choice(const Field *field, const void *object) {
    uint64_t value = field_get(field, object);

    return value < field->n_choices ? field->choice[value] : NULL;
}

/* Puts what the text says into the object, and that it was given. `node` is the one that errors
 * name; `unit` is that of a size, or NULL. ERROR_XML or ERROR_INVALID_ARG for a text that the row
 * does not take; the object is as it was then. -ENOMEM. */
int element_set_value(ElementReader *reader, xmlNodePtr node, const Field *field, const char *text,
                      const char *unit, void *object);
