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

void *array_append(void *array, size_t *n, size_t size) {
    void **p = array, *bigger = reallocarray(*p, *n + 1, size);

    if (!bigger)
        return NULL;
    *p = bigger;
    memset((char *)bigger + *n * size, 0, size);
    return (char *)bigger + (*n)++ * size;
}
