/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arguments of QEMU's -device, -blockdev, -object, -netdev and of the commands that add the same
 * later, made from structs: by rows where a property is a field, by hand elsewhere. A failed
 * allocation is remembered and comes out once, when the object is taken. */
#pragma once

#include "conf/element.h"
#include "util/json.h"

typedef enum PropertyKind {
    PROPERTY_END,
    PROPERTY_TEXT,   /* char *; NULL: left out */
    PROPERTY_UINT,   /* unsigned of any width; 0: left out */
    PROPERTY_KIB,    /* the same in KiB, given in bytes */
    PROPERTY_BOOL,   /* Tristate as a JSON boolean; absent: left out */
    PROPERTY_ON_OFF, /* Tristate as QEMU's OnOffAuto, a word */
    PROPERTY_TRUE,   /* bool; false: left out */
} PropertyKind;

typedef struct Property {
    PropertyKind kind;
    const char *name;
    size_t offset, width;
} Property;

#define PROPERTY_ROW_(k, n, Type, member)                                                          \
    { .kind = k, .name = n, .offset = offsetof(Type, member), .width = FIELD_WIDTH_(Type, member) }
#define PROP_TEXT(n, Type, member) PROPERTY_ROW_(PROPERTY_TEXT, n, Type, member)
#define PROP_UINT(n, Type, member) PROPERTY_ROW_(PROPERTY_UINT, n, Type, member)
#define PROP_KIB(n, Type, member) PROPERTY_ROW_(PROPERTY_KIB, n, Type, member)
#define PROP_BOOL(n, Type, member) PROPERTY_ROW_(PROPERTY_BOOL, n, Type, member)
#define PROP_ON_OFF(n, Type, member) PROPERTY_ROW_(PROPERTY_ON_OFF, n, Type, member)
#define PROP_TRUE(n, Type, member) PROPERTY_ROW_(PROPERTY_TRUE, n, Type, member)
#define PROP_END                                                                                   \
    { .kind = PROPERTY_END }

typedef struct Props {
    json_object *object;
    bool failed;
} Props;

Props props_new(void);
/* The object, the caller's; NULL when something failed. Props is empty afterwards. */
json_object *props_take(Props *props);

/* Nothing for a NULL value. */
void props_text(Props *props, const char *name, const char *value);
void props_textf(Props *props, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);
void props_uint(Props *props, const char *name, uint64_t value);
void props_int(Props *props, const char *name, int64_t value);
void props_bool(Props *props, const char *name, bool value);
/* Nothing for an absent one. */
void props_tristate(Props *props, const char *name, Tristate value);
/* A JSON null, which says something: a chain of images that ends here. */
void props_null(Props *props, const char *name);
/* Consumes the value; NULL is a failure. */
void props_add(Props *props, const char *name, json_object *value);
void props_rows(Props *props, const Property *rows, const void *from);
