/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Properties from structs. */
#include "qemu/property.h"

#include <stdarg.h>
#include <stdio.h>

Props props_new(void) {
    json_object *object = json_object_new_object();

    return (Props){.object = object, .failed = !object};
}

json_object *props_take(Props *props) {
    if (props->failed)
        json_object_put(TAKE_PTR(props->object));
    return TAKE_PTR(props->object);
}

void props_add(Props *props, const char *name, json_object *value) {
    assert(name);
    if (props->failed)
        json_object_put(value);
    else
        props->failed = json_add(props->object, name, value) < 0;
}

void props_null(Props *props, const char *name) {
    props->failed = props->failed || json_object_object_add(props->object, name, NULL) < 0;
}

void props_text(Props *props, const char *name, const char *value) {
    if (value)
        props_add(props, name, json_object_new_string(value));
}

void props_textf(Props *props, const char *name, const char *format, ...) {
    char *text = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    va_end(args);
    props_add(props, name, text ? json_object_new_string(text) : NULL);
    free(text);
}

void props_uint(Props *props, const char *name, uint64_t value) {
    props_add(props, name, json_object_new_uint64(value));
}

void props_int(Props *props, const char *name, int64_t value) {
    props_add(props, name, json_object_new_int64(value));
}

void props_bool(Props *props, const char *name, bool value) {
    props_add(props, name, json_object_new_boolean(value));
}

void props_tristate(Props *props, const char *name, Tristate value) {
    if (value != TRISTATE_ABSENT)
        props_bool(props, name, value == TRISTATE_YES);
}

static uint64_t read_uint(const void *at, size_t width) {
    return width == sizeof(uint64_t)   ? *(const uint64_t *)at
           : width == sizeof(unsigned) ? *(const unsigned *)at
                                       : *(const uint8_t *)at;
}

static void add_row(Props *props, const Property *row, const void *at) {
    uint64_t number = row->kind == PROPERTY_UINT || row->kind == PROPERTY_KIB
                          ? read_uint(at, row->width)
                          : 0;

    switch (row->kind) {
    case PROPERTY_TEXT:
        props_text(props, row->name, *(char *const *)at);
        break;
    case PROPERTY_UINT:
    case PROPERTY_KIB:
        if (number)
            props_uint(props, row->name, row->kind == PROPERTY_KIB ? number * 1024 : number);
        break;
    case PROPERTY_BOOL:
        props_tristate(props, row->name, *(const Tristate *)at);
        break;
    case PROPERTY_ON_OFF:
        if (*(const Tristate *)at != TRISTATE_ABSENT)
            props_text(props, row->name, *(const Tristate *)at == TRISTATE_YES ? "on" : "off");
        break;
    case PROPERTY_TRUE:
        if (*(const bool *)at)
            props_bool(props, row->name, true);
        break;
    case PROPERTY_END:
        break;
    }
}

void props_rows(Props *props, const Property *rows, const void *from) {
    for (; rows->kind != PROPERTY_END; rows++)
        add_row(props, rows, (const char *)from + rows->offset);
}
