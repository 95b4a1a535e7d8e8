/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An XML element as a table of fields. One table says how the element is read, written, copied,
 * freed and compared, and what of it is documented; so none of these can disagree. The engine knows
 * no element: the tables are in the files of their nouns.
 *
 * Order in the table is the order in the output. Rows claim the nodes they read; a node that nobody
 * claimed is told to whoever wants to know, at every depth. Of elements that may stand once the
 * first counts.
 *
 * A path is "@name" (an attribute), "child" (its text, or the child itself), "child@name" or "."
 * (the element's own text). A prefix as in "qemu:arg" is that of the namespace in the reader. */
#pragma once

#include <libxml/tree.h>
#include <stdio.h>

#include "util/bitmap.h"
#include "util/error.h"

#define ELEMENT_DEPTH_MAX 224u      /* elements inside elements, and so calls inside calls */
#define ELEMENT_CHILDREN_MAX 65536u /* of one element */
#define ELEMENT_LIST_MAX 4096u      /* of one kind, unless its row says otherwise */
#define ELEMENT_PATH_SIZE 256u

typedef enum Tristate { TRISTATE_ABSENT = 0, TRISTATE_YES, TRISTATE_NO } Tristate;

/* The words of an attribute; the enum's value is the place. The word "" is never read nor written:
 * it stands for "not given". */
typedef struct Words {
    const char *const *names;
    size_t n;
    uint64_t not_started; /* bit per word: a domain with it cannot be started yet */
} Words;
#define WORDS(...)                                                                                 \
    {                                                                                              \
        .names = (const char *const[]){__VA_ARGS__},                                               \
        .n = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)                           \
    }
#define WORDS_NOT_STARTED(mask, ...)                                                               \
    {                                                                                              \
        .names = (const char *const[]){__VA_ARGS__},                                               \
        .n = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), .not_started = (mask)    \
    }
#define WORD_MASK(value) (UINT64_C(1) << (value))

/* The place of the word, -EINVAL when there is none. */
int words_find(const Words *words, const char *text);
/* "" beyond the end. */
const char *words_name(const Words *words, int value);

typedef enum FieldKind {
    FIELD_KIND_END,
    FIELD_KIND_TEXT,     /* char * */
    FIELD_KIND_WORD,     /* an enum, by its Words */
    FIELD_KIND_TRISTATE, /* on/off or yes/no */
    FIELD_KIND_STATE,    /* <name state='on'/>; without state it is on */
    FIELD_KIND_PRESENT,  /* bool: the element is there */
    FIELD_KIND_UINT,     /* unsigned of any width, with bounds */
    FIELD_KIND_INT,      /* signed of any width, with bounds */
    FIELD_KIND_SIZE,     /* uint64_t; number with a unit attribute beside it */
    FIELD_KIND_BITMAP,   /* Bitmap * */
    FIELD_KIND_UUID,     /* uint8_t[16], with a bool that says whether it was given */
    FIELD_KIND_FIXED,    /* an attribute of one value only */
    FIELD_KIND_LIST,     /* an array of structs and its count, an element for each */
    FIELD_KIND_ONE,      /* a pointer to a struct, or NULL */
    FIELD_KIND_GROUP,    /* rows of a child (or of the same element), on the same or an embedded
                            struct */
    FIELD_KIND_SWITCH,   /* rows chosen by a field that was read before */
    FIELD_KIND_ALSO,     /* read and passed over: what only a running domain has */
    FIELD_KIND_VERBATIM, /* char *: the element's whole text */
    FIELD_KIND_STORED,   /* char *: not in the XML */
    FIELD_KIND_CODE,     /* read and write by functions; storage is other rows' or its own */
} FieldKind;

typedef enum FieldFlags {
    FIELD_REQUIRED = 1 << 0,
    FIELD_ALWAYS = 1 << 1,       /* written also when zero, or empty */
    FIELD_LIVE = 1 << 2,         /* of a running domain only: read, written there */
    FIELD_UNCOMPARED = 1 << 3,   /* no part of the guest's ABI */
    FIELD_OMIT_FIRST = 1 << 5,   /* word 0 is the default and not written */
    FIELD_OPEN = 1 << 4,         /* of a GROUP: an end tag also when nothing is in it */
    FIELD_EMPTY = 1 << 6,        /* an empty text counts as given */
    FIELD_NOT_ACTED = 1 << 7,    /* kept, and said once at define */
    FIELD_NOT_STARTED = 1 << 8,  /* kept; a domain with it (a tristate: with yes) is not started */
    FIELD_BARE = 1 << 9,         /* of a STATE: written without state='on' when yes */
    FIELD_EACH = 1 << 10,        /* of CODE: read is called for each such child; else the first */
    FIELD_SILENT = 1 << 11,      /* what is kept is not worth telling (same outcome without) */
    FIELD_NOT_DEFINED = 1 << 18, /* the rules of a definition refuse it: for the reference */
    FIELD_BYTES = 1 << 12,       /* of a SIZE: stored in bytes; else in KiB */
    FIELD_ANY_BASE = 1 << 13,    /* a number may be written as 0x.. too */
    FIELD_SINGLE = 1 << 16,      /* a second one is an error; else the first counts */
    FIELD_LARGEST = 1 << 17,     /* of a SIZE in KiB: written in the largest unit that divides it */
    FIELD_SECRET = 1 << 15,      /* written only when secrets are asked for */
    FIELD_NOT_NEGATIVE = 1 << 14, /* of an INT: below zero means not given */
} FieldFlags;

typedef struct Element Element;
typedef struct Field Field;
typedef struct ElementReader ElementReader;
typedef struct ElementWriter ElementWriter;

struct Field {
    FieldKind kind;
    unsigned flags;
    const char *path;
    size_t offset, width;
    size_t other;  /* offset of the count (list), of the "given" bool + 1 (numbers; 0: none) */
    size_t tag;    /* list: offset + 1 of an int in the items that tells kinds apart; 0: none */
    int tag_value; /* list: the kind of this row; fixed: unused */
    uint64_t min, max;
    unsigned hex;   /* digits of "0x%0*x"; 0: decimal */
    unsigned limit; /* list: most items; 0: ELEMENT_LIST_MAX */
    bool yes_no;    /* tristate: these words; else on and off */
    const char *fixed;
    const char *unit;      /* size: as written; NULL: KiB */
    const char *bare_unit; /* size: of a number that is read without one; NULL: KiB, or bytes */
    const Words *words;
    const Element *element;
    const Field *fields;        /* group */
    const Field *const *choice; /* switch: by value, NULL for none */
    size_t n_choices;
    int (*read)(ElementReader *reader, xmlNodePtr node, void *object);
    void (*write)(ElementWriter *writer, const void *object);
    void (*done)(void *object);          /* frees what only code knows */
    void (*own)(void *object, bool *ok); /* after a shallow copy: makes pointers its own */
    bool (*equal)(const void *, const void *);
    const char *note; /* for the reference: what a person should know */
};

struct Element {
    const char *name;
    size_t size;
    const Field *fields;
    void (*init)(void *object); /* defaults that are not zero, before the rows are read */
    /* After the rows were read: what a table cannot say, and defaults that depend on other fields.
     */
    int (*check)(ElementReader *reader, xmlNodePtr node, void *object);
};

#define FIELD_WIDTH_(Type, member) sizeof(((Type *)NULL)->member)
#define FIELD_AT_(Type, member)                                                                    \
    .offset = offsetof(Type, member), .width = FIELD_WIDTH_(Type, member)
#define FIELD_GIVEN(Type, member) .other = offsetof(Type, member) + 1

#define FIELD_END                                                                                  \
    { .kind = FIELD_KIND_END }
#define FIELD_TEXT(p, Type, member, ...)                                                           \
    { .kind = FIELD_KIND_TEXT, .path = p, FIELD_AT_(Type, member), ##__VA_ARGS__ }
/* A text that must be one of the words. */
#define FIELD_CHOICE(p, Type, member, list, ...)                                                   \
    { .kind = FIELD_KIND_TEXT, .path = p, FIELD_AT_(Type, member), .words = &list, ##__VA_ARGS__ }
#define FIELD_WORD(p, Type, member, list, ...)                                                     \
    { .kind = FIELD_KIND_WORD, .path = p, FIELD_AT_(Type, member), .words = &list, ##__VA_ARGS__ }
#define FIELD_ON_OFF(p, Type, member, ...)                                                         \
    { .kind = FIELD_KIND_TRISTATE, .path = p, FIELD_AT_(Type, member), ##__VA_ARGS__ }
#define FIELD_YESNO(p, Type, member, ...)                                                          \
    {                                                                                              \
        .kind = FIELD_KIND_TRISTATE, .path = p, FIELD_AT_(Type, member), .yes_no = true,           \
        ##__VA_ARGS__                                                                              \
    }
#define FIELD_STATE(p, Type, member, ...)                                                          \
    { .kind = FIELD_KIND_STATE, .path = p, FIELD_AT_(Type, member), ##__VA_ARGS__ }
#define FIELD_PRESENT(p, Type, member, ...)                                                        \
    { .kind = FIELD_KIND_PRESENT, .path = p, FIELD_AT_(Type, member), ##__VA_ARGS__ }
#define FIELD_UINT(p, Type, member, low, high, ...)                                                \
    {                                                                                              \
        .kind = FIELD_KIND_UINT, .path = p, FIELD_AT_(Type, member), .min = low, .max = high,      \
        ##__VA_ARGS__                                                                              \
    }
#define FIELD_INT(p, Type, member, low, high, ...)                                                 \
    {                                                                                              \
        .kind = FIELD_KIND_INT, .path = p, FIELD_AT_(Type, member), .min = (uint64_t)(low),        \
        .max = (uint64_t)(high), ##__VA_ARGS__                                                     \
    }
#define FIELD_SIZE(p, Type, member, ...)                                                           \
    { .kind = FIELD_KIND_SIZE, .path = p, FIELD_AT_(Type, member), ##__VA_ARGS__ }
#define FIELD_BITMAP(p, Type, member, ...)                                                         \
    { .kind = FIELD_KIND_BITMAP, .path = p, FIELD_AT_(Type, member), ##__VA_ARGS__ }
#define FIELD_UUID(p, Type, member, given, ...)                                                    \
    {                                                                                              \
        .kind = FIELD_KIND_UUID, .path = p, FIELD_AT_(Type, member),                               \
        .other = offsetof(Type, given) + 1, ##__VA_ARGS__                                          \
    }
#define FIELD_FIXED(p, value, ...)                                                                 \
    { .kind = FIELD_KIND_FIXED, .path = p, .fixed = value, ##__VA_ARGS__ }
#define FIELD_LIST(p, Type, member, count, of, ...)                                                \
    {                                                                                              \
        .kind = FIELD_KIND_LIST, .path = p, FIELD_AT_(Type, member),                               \
        .other = offsetof(Type, count), .element = &of, ##__VA_ARGS__                              \
    }
#define FIELD_ONE(p, Type, member, of, ...)                                                        \
    { .kind = FIELD_KIND_ONE, .path = p, FIELD_AT_(Type, member), .element = &of, ##__VA_ARGS__ }
#define FIELD_GROUP(p, table, ...)                                                                 \
    { .kind = FIELD_KIND_GROUP, .path = p, .fields = table, ##__VA_ARGS__ }
/* The same for a struct that is a member; a path of NULL means this very element. */
#define FIELD_PART(p, Type, member, table, ...)                                                    \
    { .kind = FIELD_KIND_GROUP, .path = p, FIELD_AT_(Type, member), .fields = table, ##__VA_ARGS__ }
#define FIELD_SWITCH(p, Type, member, tables, ...)                                                 \
    {                                                                                              \
        .kind = FIELD_KIND_SWITCH, .path = p, FIELD_AT_(Type, member), .choice = tables,           \
        .n_choices = ARRAY_SIZE(tables), ##__VA_ARGS__                                             \
    }
#define FIELD_ALSO(p, ...)                                                                         \
    { .kind = FIELD_KIND_ALSO, .path = p, ##__VA_ARGS__ }
#define FIELD_VERBATIM(p, Type, member, ...)                                                       \
    { .kind = FIELD_KIND_VERBATIM, .path = p, FIELD_AT_(Type, member), ##__VA_ARGS__ }
#define FIELD_STORED(Type, member, ...)                                                            \
    { .kind = FIELD_KIND_STORED, FIELD_AT_(Type, member), ##__VA_ARGS__ }
#define FIELD_CODE(p, reading, writing, ...)                                                       \
    { .kind = FIELD_KIND_CODE, .path = p, .read = reading, .write = writing, ##__VA_ARGS__ }

/* ---- reading ---- */

typedef enum ElementNoteKind {
    ELEMENT_UNKNOWN, /* nobody knows it: left out */
    ELEMENT_KEPT,    /* known, kept, not acted on */
} ElementNoteKind;

/* path is like "/domain/devices/foo"; line counts from 1. */
typedef void (*ElementNote)(ElementNoteKind kind, const char *path, long line, void *userdata);

struct ElementReader {
    ElementNote note; /* may be NULL */
    void *userdata;
    bool live;           /* what only a running domain has is read, too */
    const char *ns;      /* the URI of prefixed paths, or NULL */
    const void *context; /* for check functions: their own business */
    Error **reterr;
    unsigned n_notes[2], depth; /* the engine's */
};

/* Fills *to, which is zeroed memory of element->size bytes (init is called here). On failure what
 * was read stays in *to, and element_done frees it. Errors: ERROR_XML with name and line,
 * ERROR_INVALID_ARG for lists that do not parse, -ENOMEM. */
int element_read(ElementReader *reader, const Element *element, xmlNodePtr node, void *to);

/* For code rows and checks. The getters claim what they find. */
xmlNodePtr element_child(xmlNodePtr node, const char *name);
/* malloc'ed text, NULL when absent; -ENOMEM. */
int element_attribute(ElementReader *reader, xmlNodePtr node, const char *name, char **ret);
int element_text(ElementReader *reader, xmlNodePtr node, char **ret);
void element_claim(xmlNodePtr node);
bool element_is(xmlNodePtr node, const char *name);
/* Tells of this node. */
void element_note(ElementReader *reader, ElementNoteKind kind, xmlNodePtr node);
/* ERROR_XML "missing WHAT in <NODE> (line N)". */
int element_missing(ElementReader *reader, xmlNodePtr node, const char *what);
/* Reads rows on an object: what code rows use for parts of theirs. */
int element_read_fields(ElementReader *reader, const Field *fields, xmlNodePtr node, void *object);
/* After element_read_fields by hand: tells of what nobody claimed. */
void element_tell_unclaimed(ElementReader *reader, xmlNodePtr node);
/* A number with a unit, in bytes; ERROR_XML, ERROR_INVALID_ARG for an unknown unit. */
int element_parse_size(ElementReader *reader, xmlNodePtr node, const char *number, const char *unit,
                       uint64_t *ret);
/* Appends a zeroed item; NULL when out of memory. */
void *array_append(void *array, size_t *n, size_t size);

/* ---- writing ---- */

/* What a domain cannot be started with; `what` is the word or "". Line of the written text. */
typedef void (*ElementRefusal)(const char *path, const char *what, unsigned line, void *userdata);

typedef struct WriterTag {
    const char *name;
    enum { TAG_PENDING, TAG_ATTRIBUTES, TAG_CHILDREN, TAG_TEXT } state;
} WriterTag;

struct ElementWriter {
    char *text; /* as far as it is written, without a zero; element_writer_take gives it away */
    size_t len, size;
    unsigned indent;
    bool live, secrets;
    bool failed;            /* out of memory */
    int id;                 /* of a running domain */
    const void *context;    /* for code rows: their own business */
    ElementRefusal refusal; /* may be NULL */
    void *userdata;
    unsigned line, depth;
    unsigned begun; /* tags, from the outermost, whose start is written */
    bool refused;   /* inside something that was told */
    WriterTag tags[ELEMENT_DEPTH_MAX * 3];
};

/* Writes the element of an object, also when nothing is in it. */
void element_write(ElementWriter *writer, const Element *element, const void *object);
/* The text that was written; NULL: there was no memory for all of it. Caller frees. The writer has
 * nothing left; whoever wrote calls this once. */
char *element_writer_take(ElementWriter *writer);
void element_write_fields(ElementWriter *writer, const Field *fields, const void *object);

/* Opens <name>; nothing is written before something is put inside, and nothing at all when
 * writer_close finds it empty, unless it shall be `always`. */
void writer_open(ElementWriter *writer, const char *name);
void writer_close(ElementWriter *writer, bool always);
/* Nothing for a NULL value. */
void writer_attribute(ElementWriter *writer, const char *name, const char *value);
void writer_attributef(ElementWriter *writer, const char *name, const char *format, ...)
    PRINTF_LIKE(3, 4);
void writer_list(ElementWriter *writer, const char *name, const Bitmap *map);
/* Text inside the open element. */
void writer_text(ElementWriter *writer, const char *text);
/* <name>text</name>; nothing for NULL. */
void writer_element(ElementWriter *writer, const char *name, const char *text);
void writer_elementf(ElementWriter *writer, const char *name, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* Whole elements as they are. */
/* The innermost element gets an end tag of its own, also with nothing below it. */
void writer_children(ElementWriter *w);
void writer_verbatim(ElementWriter *writer, const char *text);
/* Tells the refusal of something inside the open element. */
void writer_refuse(ElementWriter *writer, const char *path, const char *what);

/* ---- memory ---- */

/* Frees what the object owns, not the object; it is to be zeroed or thrown away then. */
void element_done(const Element *element, void *object);
/* Makes *to, uninitialised memory, a deep copy. -ENOMEM: *to is freed then. */
int element_copy(const Element *element, const void *from, void *to);

/* ---- comparing ---- */

/* Whether the guest sees the same. The first difference's path is put into `path`. */
bool element_equal(const Element *element, const void *a, const void *b,
                   char path[ELEMENT_PATH_SIZE]);
