/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a text says, by the kind of its row. */
#include <ctype.h>

#include "conf/element-internal.h"
#include "conf/uuid.h"

static int bad_value(ElementReader *reader, xmlNodePtr node, const Field *field, const char *text) {
    const char *at = strchr(field->path, '@');

    if (at)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "Invalid value for attribute '%s' in element '%s': '%.80s' (line %ld)",
                            at + 1, (const char *)node->name, text, xmlGetLineNo(node));
    return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                        "Invalid value '%.80s' for element '%s' (line %ld)", text,
                        (const char *)node->name, xmlGetLineNo(node));
}

/* ---- sizes ---- */

/* Bytes in a unit, 0 for an unknown one (libvirt's formatdomain, "memory"; letters' case is
 * free). */
static uint64_t unit_bytes(const char *unit) {
    static const char letters[] = "KMGTPE";
    const char *letter = *unit ? strchr(letters, toupper((unsigned char)*unit)) : NULL;
    uint64_t binary = 1, decimal = 1;

    if (strcasecmp(unit, "b") == 0 || strcasecmp(unit, "bytes") == 0)
        return 1;
    if (!letter)
        return 0;
    for (const char *at = letters; at <= letter; at++) {
        binary *= 1024;
        decimal *= 1000;
    }
    if (!unit[1] || strcasecmp(unit + 1, "iB") == 0)
        return binary;
    return strcasecmp(unit + 1, "B") == 0 ? decimal : 0;
}

int element_parse_size(ElementReader *reader, xmlNodePtr node, const char *number, const char *unit,
                       uint64_t *ret) {
    uint64_t bytes = unit_bytes(unit), value;
    const char *text = number;
    char *end = NULL;

    if (!bytes)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_INVALID_ARG,
                            "unknown suffix '%.80s' in element '%s' (line %ld)", unit,
                            (const char *)node->name, xmlGetLineNo(node));
    while (isspace((unsigned char)*text))
        text++;
    errno = 0;
    value = strtoull(text, &end, 10);
    while (isspace((unsigned char)*end))
        end++;
    if (errno || *text == '-' || end == text || *end)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_XML,
                            "Invalid value '%.80s' for element '%s' (line %ld)", number,
                            (const char *)node->name, xmlGetLineNo(node));
    if (value > INT64_MAX / bytes)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_OVERFLOW,
                            "value too large: %.80s %.20s in element '%s' (line %ld), which is "
                            "%llu bytes at most",
                            number, unit, (const char *)node->name, xmlGetLineNo(node),
                            (unsigned long long)INT64_MAX);
    *ret = value * bytes;
    return 0;
}

/* ---- values ---- */

static int set_number(ElementReader *reader, xmlNodePtr node, const Field *field, const char *text,
                      void *object) {
    bool is_signed = field->kind == FIELD_KIND_INT, in_bounds;
    int base = field->flags & FIELD_ANY_BASE ? 0 : 10;
    const char *at = text;
    char *end = NULL;
    uint64_t value;

    while (isspace((unsigned char)*at))
        at++;
    errno = 0;
    value = is_signed ? (uint64_t)strtoll(at, &end, base) : strtoull(at, &end, base);
    while (isspace((unsigned char)*end))
        end++;
    in_bounds = is_signed
                    ? (int64_t)value >= (int64_t)field->min && (int64_t)value <= (int64_t)field->max
                    : value >= field->min && value <= field->max;
    if (errno || *end || !in_bounds ||
        !(isdigit((unsigned char)*at) ||
          (is_signed && *at == '-' && isdigit((unsigned char)at[1]))))
        return bad_value(reader, node, field, text);
    field_set(field, object, value);
    return 0;
}

static int set_size(ElementReader *reader, xmlNodePtr node, const Field *field, const char *text,
                    const char *unit, void *object) {
    uint64_t bytes = 0;
    int r = element_parse_size(reader, node, text,
                               unit                         ? unit
                               : field->bare_unit           ? field->bare_unit
                               : field->flags & FIELD_BYTES ? "B"
                                                            : "KiB",
                               &bytes);

    if (r >= 0)
        field_set(field, object, field->flags & FIELD_BYTES ? bytes : (bytes + 1023) / 1024);
    return r;
}

static int set_bitmap(ElementReader *reader, xmlNodePtr node, const Field *field, const char *text,
                      void *object) {
    void **to = field_pointer(field, object);
    CLEANUP_BITMAP Bitmap *map = NULL;
    const char *name = strchr(field->path, '@') ? strchr(field->path, '@') + 1 : field->path;
    int r = bitmap_parse(text, BITMAP_MAX_BITS, &map);

    if (r == -ENOMEM)
        return error_no_memory(reader->reterr);
    if (r < 0)
        return error_report(reader->reterr, FROM_DOMAIN, ERROR_INVALID_ARG,
                            "Failed to parse bitmap '%.200s': the '%s' of element '%s' (line %ld)",
                            text, name, (const char *)node->name, xmlGetLineNo(node));
    if (bitmap_is_empty(map) && !(field->flags & FIELD_EMPTY))
        return error_report(
            reader->reterr, FROM_DOMAIN, ERROR_CONFIG_UNSUPPORTED,
            "Invalid value of '%s': %.200s (element '%s' in line %ld): the list is empty", name,
            text, (const char *)node->name, xmlGetLineNo(node));
    bitmap_free(*to);
    *to = TAKE_PTR(map);
    return 0;
}

static int set_tristate(ElementReader *reader, xmlNodePtr node, const Field *field,
                        const char *text, void *object) {
    bool yes_no = field->yes_no;

    if (streq(text, yes_no ? "yes" : "on"))
        field_set(field, object, TRISTATE_YES);
    else if (streq(text, yes_no ? "no" : "off"))
        field_set(field, object, TRISTATE_NO);
    else
        return bad_value(reader, node, field, text);
    return 0;
}

static int set_word(ElementReader *reader, xmlNodePtr node, const Field *field, const char *text,
                    void *object) {
    int value = words_find(field->words, text);

    if (value < 0)
        return bad_value(reader, node, field, text);
    field_set(field, object, (uint64_t)value);
    return 0;
}

static int set_uuid(ElementReader *reader, xmlNodePtr node, const Field *field, const char *text,
                    void *object) {
    if (uuid_parse(text, (uint8_t *)field_part(field, object)) < 0)
        return bad_value(reader, node, field, text);
    return 0;
}

static int set_text(ElementReader *reader, xmlNodePtr node, const Field *field, const char *text,
                    void *object) {
    void **to = field_pointer(field, object);
    char *copy;

    if (field->words && words_find(field->words, text) < 0)
        return bad_value(reader, node, field, text);
    copy = strdup(text);
    if (!copy)
        return error_no_memory(reader->reterr);
    free(*to);
    *to = copy;
    return 0;
}

int element_set_value(ElementReader *reader, xmlNodePtr node, const Field *field, const char *text,
                      const char *unit, void *object) {
    bool *given = field_given(field, object);
    int r = 0;

    switch (field->kind) {
    case FIELD_KIND_TEXT:
        r = set_text(reader, node, field, text, object);
        break;
    case FIELD_KIND_WORD:
        r = set_word(reader, node, field, text, object);
        break;
    case FIELD_KIND_TRISTATE:
        r = set_tristate(reader, node, field, text, object);
        break;
    case FIELD_KIND_UINT:
    case FIELD_KIND_INT:
        r = set_number(reader, node, field, text, object);
        break;
    case FIELD_KIND_SIZE:
        r = set_size(reader, node, field, text, unit, object);
        break;
    case FIELD_KIND_BITMAP:
        r = set_bitmap(reader, node, field, text, object);
        break;
    case FIELD_KIND_UUID:
        r = set_uuid(reader, node, field, text, object);
        break;
    case FIELD_KIND_FIXED:
        r = streq(text, field->fixed) ? 0 : bad_value(reader, node, field, text);
        break;
    default:
        assert(false);
    }
    if (r >= 0 && given)
        *given = true;
    return r;
}
