/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writing by tables. libvirt's form: two spaces, single quotes, its escapes in text and attributes,
 * raw UTF-8. libxml2's writer is not used: with single quotes it leaves apostrophes raw, which is
 * not well-formed, and it turns what is not ASCII into references. */
#include <stdarg.h>

#include "conf/element-internal.h"
#include "conf/uuid.h"

#define TEXT_FIRST 4096u /* bytes of a text at first; it doubles */

static bool grow(ElementWriter *w, size_t n) {
    size_t size = MAX_OF(MAX_OF(w->size * 2, TEXT_FIRST), w->len + n + 1);
    char *bigger = w->failed ? NULL : realloc(w->text, size);

    if (!bigger) {
        w->failed = true;
        return false;
    }
    w->text = bigger;
    w->size = size;
    return true;
}

static inline void put_bytes(ElementWriter *w, const char *bytes, size_t n) {
    if (w->size - w->len <= n && !grow(w, n)) /* the last one is the zero's */
        return;
    memcpy(w->text + w->len, bytes, n);
    w->len += n;
}

/* Without ends of lines. */
static inline void put(ElementWriter *w, const char *text) {
    put_bytes(w, text, strlen(text));
}

static void put_line_end(ElementWriter *w) {
    put_bytes(w, "\n", 1);
    w->line++;
}

static void put_character(ElementWriter *w, char c, bool in_attribute) {
    switch (c) {
    case '<':
        put(w, "&lt;");
        break;
    case '>':
        put(w, "&gt;");
        break;
    case '&':
        put(w, "&amp;");
        break;
    case '\'':
        put(w, "&apos;");
        break;
    case '"':
        put(w, "&quot;");
        break;
    case '\r':
        put(w, "&#13;");
        break;
    case '\t': /* in an attribute a reader turns bare ones into spaces */
        put(w, in_attribute ? "&#9;" : "\t");
        break;
    case '\n':
        if (in_attribute)
            put(w, "&#10;");
        else
            put_line_end(w);
        break;
    default:
        put_bytes(w, &c, 1);
    }
}

/* Most texts are short and plain: strcspn needs longer to begin than this for one of them. */
static void put_escaped(ElementWriter *w, const char *text, bool in_attribute) {
    static const bool ends[256] = {
        ['\0'] = true, ['<'] = true,  ['>'] = true,  ['&'] = true, ['\''] = true,
        ['"'] = true,  ['\r'] = true, ['\t'] = true, ['\n'] = true};

    for (const char *plain = text;; plain = ++text) {
        while (!ends[(unsigned char)*text])
            text++;
        put_bytes(w, plain, (size_t)(text - plain));
        if (!*text)
            return;
        put_character(w, *text, in_attribute);
    }
}

static void put_indent(ElementWriter *w) {
    for (unsigned left = w->indent; left > 0;) {
        static const char spaces[] = "                                ";
        const unsigned n = MIN_OF(left, (unsigned)sizeof(spaces) - 1);

        put_bytes(w, spaces, n);
        left -= n;
    }
}

/* The start tag has something below it. */
static void put_tag_end(ElementWriter *w, WriterTag *tag) {
    put(w, ">");
    put_line_end(w);
    tag->state = TAG_CHILDREN;
    w->indent += 2;
}

/* Writes the start tags that wait; the innermost then is ready for attributes, or was before. */
static inline void begin(ElementWriter *w) {
    for (; w->begun < w->depth; w->begun++) {
        WriterTag *tag = &w->tags[w->begun];

        if (w->begun && tag[-1].state == TAG_ATTRIBUTES)
            put_tag_end(w, &tag[-1]);
        put_indent(w);
        put(w, "<");
        put(w, tag->name);
        tag->state = TAG_ATTRIBUTES;
    }
}

void writer_open(ElementWriter *w, const char *name) {
    assert(w->depth < ARRAY_SIZE(w->tags));
    w->tags[w->depth++] = (WriterTag){name, TAG_PENDING};
}

void writer_close(ElementWriter *w, bool always) {
    WriterTag *tag = &w->tags[w->depth - 1];

    assert(w->depth > 0);
    if (always)
        begin(w);
    switch (tag->state) {
    case TAG_PENDING:
        break;
    case TAG_ATTRIBUTES:
        put(w, "/>");
        put_line_end(w);
        break;
    case TAG_CHILDREN:
        w->indent -= 2;
        put_indent(w);
        __attribute__((fallthrough));
    case TAG_TEXT:
        put(w, "</");
        put(w, tag->name);
        put(w, ">");
        put_line_end(w);
        break;
    }
    w->depth--;
    w->begun = MIN_OF(w->begun, w->depth);
}

void writer_attribute(ElementWriter *w, const char *name, const char *value) {
    if (!value)
        return;
    begin(w);
    assert(w->tags[w->depth - 1].state == TAG_ATTRIBUTES);
    put(w, " ");
    put(w, name);
    put(w, "='");
    put_escaped(w, value, true);
    put(w, "'");
}

void writer_attributef(ElementWriter *w, const char *name, const char *format, ...) {
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    writer_attribute(w, name, text);
}

void writer_list(ElementWriter *w, const char *name, const Bitmap *map) {
    CLEANUP_FREE char *text = map ? bitmap_format(map) : NULL;

    if (map && !text)
        w->failed = true;
    writer_attribute(w, name, text);
}

void writer_text(ElementWriter *w, const char *text) {
    WriterTag *tag;

    begin(w);
    tag = &w->tags[w->depth - 1];
    if (tag->state == TAG_ATTRIBUTES)
        put(w, ">");
    tag->state = TAG_TEXT;
    put_escaped(w, text, false);
}

void writer_element(ElementWriter *w, const char *name, const char *text) {
    if (!text)
        return;
    writer_open(w, name);
    writer_text(w, text);
    writer_close(w, true);
}

void writer_elementf(ElementWriter *w, const char *name, const char *format, ...) {
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    writer_element(w, name, text);
}

void writer_children(ElementWriter *w) {
    WriterTag *tag = w->depth ? &w->tags[w->depth - 1] : NULL;

    begin(w);
    if (tag && tag->state == TAG_ATTRIBUTES)
        put_tag_end(w, tag);
}

void writer_verbatim(ElementWriter *w, const char *text) {
    writer_children(w);
    put_indent(w);
    for (const char *end; (end = strchr(text, '\n')); text = end + 1) {
        put_bytes(w, text, (size_t)(end - text));
        put_line_end(w);
    }
    put(w, text);
    put_line_end(w);
}

/* The line on which an attribute of the open element, or its next child, will be. */
static unsigned next_line(const ElementWriter *w, bool attribute) {
    unsigned line = w->line + 1;

    for (unsigned i = 0; i < w->depth; i++) {
        bool own = attribute && i + 1 == w->depth; /* its line is the one sought */

        line += !own && (w->tags[i].state == TAG_PENDING || w->tags[i].state == TAG_ATTRIBUTES);
    }
    return line;
}

static void refuse(ElementWriter *w, const char *path, const char *what, unsigned line) {
    char text[ELEMENT_PATH_SIZE];
    bool attribute = path && (*path == '@' || *path == '.');
    size_t len = 0;

    if (!w->refusal || w->refused)
        return;
    for (unsigned i = 0; i < w->depth && len < sizeof(text); i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "/%s", w->tags[i].name);
    if (len < sizeof(text) && path)
        snprintf(text + len, sizeof(text) - len, "%s%s", attribute ? "" : "/",
                 *path == '.' ? "" : path);
    w->refusal(text, what ? what : "", line, w->userdata);
}

void writer_refuse(ElementWriter *w, const char *path, const char *what) {
    refuse(w, path, what, next_line(w, path && (*path == '@' || *path == '.')));
}

/* ---- rows ---- */

/* A number as its row wants it, written from the buffer's end: a domain has a hundred of them, and
 * printf takes as long for one as the rest of a row. */
static const char *number_text(const Field *field, uint64_t value, char *buffer, size_t size) {
    const bool negative = field->kind == FIELD_KIND_INT && (int64_t)value < 0;
    char *at = buffer + size;

    if (negative)
        value = -value;
    *--at = '\0';
    if (field->hex) {
        for (unsigned n = 0; n < field->hex || value > 0; n++, value >>= 4)
            *--at = "0123456789abcdef"[value & 15];
        *--at = 'x';
        *--at = '0';
    } else {
        do
            *--at = (char)('0' + value % 10);
        while (value /= 10);
    }
    if (negative)
        *--at = '-';
    return at;
}

/* A value as text, or NULL when it is not written. `buffer` has room for a number. */
static const char *value_text(ElementWriter *w, const Field *field, const void *object,
                              char *buffer, size_t size, char **ret_own) {
    bool *given = field_given(field, object), always = field->flags & FIELD_ALWAYS;
    uint64_t value;
    void *pointer;

    if (given && !*given && !always)
        return NULL;
    switch (field->kind) {
    case FIELD_KIND_TEXT:
        pointer = *field_pointer(field, object);
        return pointer ? pointer : always ? "" : NULL;
    case FIELD_KIND_WORD:
        value = field_get(field, object);
        if (value == 0 && field->flags & FIELD_OMIT_FIRST)
            return NULL;
        return *words_name(field->words, (int)value) ? words_name(field->words, (int)value) : NULL;
    case FIELD_KIND_TRISTATE:
    case FIELD_KIND_STATE:
        value = field_get(field, object);
        if (value == TRISTATE_ABSENT)
            return NULL;
        if (field->yes_no)
            return value == TRISTATE_YES ? "yes" : "no";
        return value == TRISTATE_YES ? "on" : "off";
    case FIELD_KIND_UINT:
    case FIELD_KIND_INT:
        value = field_get(field, object);
        if ((value == 0 && !always && !given) ||
            (field->flags & FIELD_NOT_NEGATIVE && (int64_t)value < 0))
            return NULL;
        return number_text(field, value, buffer, size);
    case FIELD_KIND_BITMAP:
        pointer = *field_pointer(field, object);
        *ret_own = pointer ? bitmap_format(pointer) : NULL;
        w->failed |= pointer && !*ret_own;
        return *ret_own;
    case FIELD_KIND_UUID:
        uuid_format(field_part(field, object), buffer);
        return buffer;
    case FIELD_KIND_FIXED:
        return field->fixed;
    default:
        return NULL;
    }
}

static const char *size_unit(const Field *field, uint64_t kib) {
    if (!(field->flags & FIELD_LARGEST) || !kib || kib % 1024)
        return "KiB";
    return kib % (1024 * 1024) ? "MiB" : "GiB";
}

static void write_size(ElementWriter *w, const Field *field, const void *object) {
    uint64_t value = field_get(field, object), unit;
    const char *name = field->unit ? field->unit : size_unit(field, value);
    char text[32];
    bool *given = field_given(field, object);
    const char *at = strchr(field->path, '@');

    if (given ? !*given : value == 0 && !(field->flags & FIELD_ALWAYS))
        return;
    unit = *name == 'G' ? 1 << 30 : *name == 'M' ? 1 << 20 : *name == 'K' ? 1 << 10 : 1;
    value = (field->flags & FIELD_BYTES ? value : value * 1024) / unit;
    if (at) {
        writer_attributef(w, at + 1, "%llu", (unsigned long long)value);
        writer_attribute(w, "unit", name);
        return;
    }
    if (!streq(field->path, "."))
        writer_open(w, field->path);
    writer_attribute(w, "unit", name);
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    writer_text(w, text);
    if (!streq(field->path, "."))
        writer_close(w, true);
}

static bool is_refused(const Field *field, const void *object) {
    if (field->flags & FIELD_NOT_STARTED)
        return field->kind != FIELD_KIND_TRISTATE || field_get(field, object) == TRISTATE_YES;
    if (!field->words || !field->words->not_started)
        return false;
    if (field->kind == FIELD_KIND_TEXT) {
        int value = words_find(field->words, *field_pointer(field, object));

        return value >= 0 && field->words->not_started & WORD_MASK(value);
    }
    return field->words->not_started & WORD_MASK(field_get(field, object) & 63);
}

static void write_value(ElementWriter *w, const Field *field, const void *object) {
    CLEANUP_FREE char *own = NULL;
    char buffer[64], child[64];
    const char *text = value_text(w, field, object, buffer, sizeof(buffer), &own), *at;

    if (!text)
        return;
    at = *field->path == '@' ? field->path : strchr(field->path, '@');
    if (w->refusal && is_refused(field, object))
        writer_refuse(w, field->path, text);
    if (at == field->path) {
        writer_attribute(w, at + 1, text);
    } else if (streq(field->path, ".")) {
        if (*text || field->flags & FIELD_ALWAYS)
            writer_text(w, text);
    } else if (at) {
        snprintf(child, sizeof(child), "%.*s", (int)(at - field->path), field->path);
        writer_open(w, child);
        writer_attribute(w, at + 1, text);
        writer_close(w, true);
    } else if (field->kind == FIELD_KIND_TEXT && !*text) {
        writer_open(w, field->path);
        writer_close(w, true);
    } else {
        writer_element(w, field->path, text);
    }
}

static void write_state(ElementWriter *w, const Field *field, const void *object) {
    uint64_t value = field_get(field, object);

    if (value == TRISTATE_ABSENT)
        return;
    if (is_refused(field, object) && value == TRISTATE_YES)
        writer_refuse(w, field->path, NULL);
    writer_open(w, field->path);
    if (value == TRISTATE_NO || !(field->flags & FIELD_BARE))
        writer_attribute(w, "state", value == TRISTATE_YES ? "on" : "off");
    writer_close(w, true);
}

/* A child element that a row stands for. */
static void write_item(ElementWriter *w, const Field *field, const void *item) {
    bool refused = w->refused;

    if (field->flags & FIELD_NOT_STARTED) {
        writer_refuse(w, field->path, NULL);
        w->refused = true;
    }
    writer_open(w, field->path);
    element_write_fields(w, field->element->fields, item);
    writer_close(w, true);
    w->refused = refused;
}

static void write_items(ElementWriter *w, const Field *field, const void *object) {
    const char *items = *field_pointer(field, object);

    for (size_t i = 0; i < *field_count(field, object); i++)
        if (field_is_of_row(field, items + i * field->element->size))
            write_item(w, field, items + i * field->element->size);
}

/* `part` is what the rows are about: the object or a member of it. A group that cannot be started
 * counts when something is in it, or when it was given. */
static void write_group(ElementWriter *w, const Field *field, const Field *rows, const void *object,
                        const void *part) {
    bool *given = field_given(field, object), refused = w->refused, written;
    const unsigned line = field->flags & FIELD_NOT_STARTED ? next_line(w, false) : 0;

    if (!rows || (given && !*given))
        return;
    if (!field->path) {
        element_write_fields(w, rows, part);
        return;
    }
    w->refused |= (field->flags & FIELD_NOT_STARTED) != 0;
    writer_open(w, field->path);
    element_write_fields(w, rows, part);
    written = w->tags[w->depth - 1].state != TAG_PENDING || given;
    if (written && field->flags & FIELD_OPEN)
        writer_children(w);
    writer_close(w, field->flags & FIELD_ALWAYS || given);
    w->refused = refused;
    if (written && field->flags & FIELD_NOT_STARTED)
        refuse(w, field->path, NULL, line);
}

static void write_field(ElementWriter *w, const Field *field, const void *object) {
    const char *text;

    if ((field->flags & FIELD_LIVE && !w->live) || (field->flags & FIELD_SECRET && !w->secrets))
        return;
    switch (field->kind) {
    case FIELD_KIND_TEXT:
    case FIELD_KIND_WORD:
    case FIELD_KIND_TRISTATE:
    case FIELD_KIND_UINT:
    case FIELD_KIND_INT:
    case FIELD_KIND_BITMAP:
    case FIELD_KIND_UUID:
    case FIELD_KIND_FIXED:
        write_value(w, field, object);
        break;
    case FIELD_KIND_STATE:
        write_state(w, field, object);
        break;
    case FIELD_KIND_SIZE:
        write_size(w, field, object);
        break;
    case FIELD_KIND_PRESENT:
        if (!field_get(field, object))
            break;
        if (is_refused(field, object))
            writer_refuse(w, field->path, NULL);
        writer_open(w, field->path);
        writer_close(w, true);
        break;
    case FIELD_KIND_LIST:
        write_items(w, field, object);
        break;
    case FIELD_KIND_ONE:
        if (*field_pointer(field, object))
            write_item(w, field, *field_pointer(field, object));
        break;
    case FIELD_KIND_GROUP:
        write_group(w, field, field->fields, object, field_part(field, object));
        break;
    case FIELD_KIND_SWITCH:
        write_group(w, field, field_choice(field, object), object, object);
        break;
    case FIELD_KIND_VERBATIM:
        text = *field_pointer(field, object);
        if (text)
            writer_verbatim(w, text);
        break;
    case FIELD_KIND_CODE:
        if (field->write)
            field->write(w, object);
        break;
    case FIELD_KIND_ALSO:
    case FIELD_KIND_STORED:
    case FIELD_KIND_END:
        break;
    }
}

void element_write_fields(ElementWriter *w, const Field *fields, const void *object) {
    for (const Field *field = fields; field->kind != FIELD_KIND_END; field++)
        write_field(w, field, object);
}

void element_write(ElementWriter *w, const Element *element, const void *object) {
    writer_open(w, element->name);
    element_write_fields(w, element->fields, object);
    writer_close(w, true);
}

char *element_writer_take(ElementWriter *w) {
    char *text;

    put_bytes(w, "", 1);
    text = w->failed ? NULL : w->text;
    if (!text)
        free(w->text);
    w->text = NULL;
    w->len = w->size = 0;
    return text;
}
