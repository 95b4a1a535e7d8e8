/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the four parts of the element engine share. */
#include "conf/element-internal.h"

int words_find(const Words *words, const char *text) {
    if (!text || !*text)
        return -EINVAL;
    for (size_t i = 0; i < words->n; i++)
        if (streq(words->names[i], text))
            return (int)i;
    return -EINVAL;
}

const char *words_name(const Words *words, int value) {
    return value >= 0 && (size_t)value < words->n && words->names[value] ? words->names[value] : "";
}

uint64_t field_get(const Field *field, const void *object) {
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

void field_set(const Field *field, void *object, uint64_t value) {
    char *at = (char *)object + field->offset;
    uint8_t u8 = (uint8_t)value;
    uint16_t u16 = (uint16_t)value;
    uint32_t u32 = (uint32_t)value;

    switch (field->width) {
    case 1:
        memcpy(at, &u8, 1);
        break;
    case 2:
        memcpy(at, &u16, 2);
        break;
    case 4:
        memcpy(at, &u32, 4);
        break;
    default:
        assert(field->width == 8);
        memcpy(at, &value, 8);
    }
}

void **field_pointer(const Field *field, const void *object) {
    return (void **)((char *)(uintptr_t)object + field->offset);
}

size_t *field_count(const Field *field, const void *object) {
    return (size_t *)((char *)(uintptr_t)object + field->other);
}

bool *field_given(const Field *field, const void *object) {
    return field->other ? (bool *)((char *)(uintptr_t)object + field->other - 1) : NULL;
}

void *field_part(const Field *field, const void *object) {
    return (char *)(uintptr_t)object + field->offset;
}

bool field_is_of_row(const Field *field, const void *item) {
    int tag;

    if (!field->tag)
        return true;
    memcpy(&tag, (const char *)item + field->tag - 1, sizeof(tag));
    return tag == field->tag_value;
}

const Field *field_choice(const Field *field, const void *object) {
    uint64_t value = field_get(field, object);

    return value < field->n_choices ? field->choice[value] : NULL;
}

void *array_append(void *array, size_t *n, size_t size) {
    void **p = array, *bigger = reallocarray(*p, *n + 1, size);

    if (!bigger)
        return NULL;
    *p = bigger;
    memset((char *)bigger + *n * size, 0, size);
    return (char *)bigger + (*n)++ * size;
}
