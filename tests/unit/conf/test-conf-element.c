/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The engine of the elements, on a small table that has a row of most kinds: what is read is
 * written again, what nobody knows is told, limits hold, and a copy is whole or none. Every
 * allocation of the process goes through the counter below, so one of them can be made to fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <libxml/xmlerror.h>
#include <stdio.h>

#include "conf/domain-format.h"
#include "conf/domain-parse.h"
#include "conf/xml-document.h"
#include "util/file.h"

/* ---- allocations that fail ---- */

static long n_live; /* allocated and not freed */
static long fail_at = -1;

#ifndef __SANITIZE_ADDRESS__
#define CAN_FAIL true
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *memory);

static bool fails(void) {
    return fail_at >= 0 && fail_at-- == 0;
}

void *malloc(size_t size) {
    void *memory = fails() ? NULL : __libc_malloc(size);

    n_live += memory != NULL;
    errno = memory ? errno : ENOMEM;
    return memory;
}

void *calloc(size_t n, size_t size) {
    void *memory = fails() ? NULL : __libc_calloc(n, size);

    n_live += memory != NULL;
    errno = memory ? errno : ENOMEM;
    return memory;
}

void *realloc(void *old, size_t size) {
    void *memory = fails() ? NULL : __libc_realloc(old, size);

    n_live += memory && !old;
    errno = memory ? errno : ENOMEM;
    return memory;
}

void free(void *memory) {
    n_live -= memory != NULL;
    __libc_free(memory);
}
#else
#define CAN_FAIL false
#endif

/* Ends it; whether an allocation failed. */
static bool failed(void) {
    bool yes = fail_at < 0;

    fail_at = -1;
    return yes;
}

/* ---- the table ---- */

typedef enum Colour { COLOUR_NONE, COLOUR_RED, COLOUR_BLUE } Colour;

typedef struct Inner {
    int kind;
    char *id, *text;
} Inner;

typedef struct Outer {
    char *name, *text, *alias, *raw;
    Colour colour;
    Tristate light;
    unsigned count;
    int offset;
    bool has_offset, flag;
    Bitmap *cpus;
    Inner *inners;
    size_t n_inners;
    Inner *one;
} Outer;

static const Words colours = WORDS("", "red", "blue");
static const Field inner_fields[] = {FIELD_TEXT("@id", Inner, id), FIELD_TEXT(".", Inner, text),
                                     FIELD_END};
static const Element inner_element = {"inner", sizeof(Inner), inner_fields, NULL, NULL};
static const Field group_fields[] = {FIELD_UINT("@count", Outer, count, 1, 9),
                                     FIELD_PRESENT("flag", Outer, flag), FIELD_END};
#define INNERS(name, number)                                                                       \
    FIELD_LIST(name, Outer, inners, n_inners, inner_element, .tag = offsetof(Inner, kind) + 1,     \
               .tag_value = number, .limit = 3)
static const Field outer_fields[] = {
    FIELD_TEXT("@name", Outer, name),
    FIELD_WORD("@colour", Outer, colour, colours),
    FIELD_YESNO("@light", Outer, light),
    FIELD_BITMAP("@cpus", Outer, cpus),
    FIELD_TEXT("text", Outer, text, .flags = FIELD_EMPTY),
    FIELD_TEXT("alias@name", Outer, alias, .flags = FIELD_UNCOMPARED),
    FIELD_INT("offset", Outer, offset, -5, 5, FIELD_GIVEN(Outer, has_offset)),
    FIELD_GROUP("group", group_fields),
    INNERS("left", 1),
    INNERS("right", 2),
    FIELD_ONE("one", Outer, one, inner_element),
    FIELD_VERBATIM("raw", Outer, raw),
    FIELD_END};
static const Element outer_element = {"outer", sizeof(Outer), outer_fields, NULL, NULL};

static void outer_done(Outer *outer) {
    element_done(&outer_element, outer);
}
#define CLEANUP_OUTER CLEANUP(outer_done)

#define NOTES_SIZE 4096u

static void note(ElementNoteKind kind, const char *path, long line, void *userdata) {
    char *text = userdata;
    size_t len = strlen(text);

    snprintf(text + len, NOTES_SIZE - len, "%s:%ld\n", path, line);
}

static xmlDocPtr document(const char *text) {
    xmlDocPtr doc = NULL;

    assert_int_equal(xml_document_parse(text, strlen(text), SIZE_MAX, "test", &doc, NULL), 0);
    return doc;
}

/* notes may be NULL; else NOTES_SIZE bytes. */
static int read_outer(const char *xml, Outer *to, char *notes, Error **reterr) {
    CLEANUP_XML_DOCUMENT xmlDocPtr doc = document(xml);
    ElementReader reader = {.note = notes ? note : NULL, .userdata = notes, .reterr = reterr};
    int r;

    *to = (Outer){0};
    r = element_read(&reader, &outer_element, xmlDocGetRootElement(doc), to);
    if (r >= 0)
        element_tell_unclaimed(&reader, xmlDocGetRootElement(doc));
    return r;
}

static char *write_outer(const Outer *outer) {
    ElementWriter writer = {0};
    char *text;

    element_write(&writer, &outer_element, outer);
    text = element_writer_take(&writer);
    assert_non_null(text);
    return text;
}

#define WHOLE                                                                                      \
    "<outer name='n' colour='blue' light='no' cpus='0-1,7'>\n"                                     \
    "  <text>t</text>\n"                                                                           \
    "  <alias name='a'/>\n"                                                                        \
    "  <offset>-3</offset>\n"                                                                      \
    "  <group count='4'>\n"                                                                        \
    "    <flag/>\n"                                                                                \
    "  </group>\n"                                                                                 \
    "  <left id='l'>1</left>\n"                                                                    \
    "  <right id='r'>2</right>\n"                                                                  \
    "  <one id='o'>3</one>\n"                                                                      \
    "  <raw><b/>e</raw>\n"                                                                         \
    "</outer>\n"

static void test_round_trip(void **state) {
    CLEANUP_OUTER Outer first = {0};
    CLEANUP_OUTER Outer second = {0};
    CLEANUP_FREE char *text = NULL, *again = NULL;
    char path[ELEMENT_PATH_SIZE];

    assert_int_equal(read_outer(WHOLE, &first, NULL, NULL), 0);
    assert_int_equal(first.colour, COLOUR_BLUE);
    assert_int_equal(first.offset, -3);
    assert_int_equal(first.n_inners, 2);
    text = write_outer(&first);
    assert_string_equal(text, WHOLE);
    assert_int_equal(read_outer(text, &second, NULL, NULL), 0);
    again = write_outer(&second);
    assert_string_equal(text, again);
    assert_true(element_equal(&outer_element, &first, &second, path));
}

static void test_special_characters(void **state) {
    static const char special[] = "'\"&<>\n\t\r \xc3\xa4]]>";
    CLEANUP_FREE char *text = NULL;
    CLEANUP_OUTER Outer outer = {.name = strdup(special), .text = strdup(special)};
    CLEANUP_OUTER Outer back = {0};

    text = write_outer(&outer);
    assert_int_equal(read_outer(text, &back, NULL, NULL), 0);
    assert_string_equal(back.name, special);
    assert_string_equal(back.text, special);
    assert_non_null(strstr(text, "\xc3\xa4")); /* not a reference */
}

static void test_first_counts(void **state) {
    CLEANUP_OUTER Outer outer = {0};

    assert_int_equal(read_outer("<outer><text>1</text><text>2</text><one id='1'/><one id='2'/>"
                                "<offset>1</offset><offset>x</offset>"
                                "<group count='1'/><group count='2'/>"
                                "<raw>1</raw><raw>2</raw></outer>",
                                &outer, NULL, NULL),
                     0);
    assert_string_equal(outer.text, "1");
    assert_string_equal(outer.one->id, "1");
    assert_int_equal(outer.offset, 1);
    assert_int_equal(outer.count, 1);
    assert_string_equal(outer.raw, "<raw>1</raw>");
}

static void test_unknown_is_told(void **state) {
    char notes[NOTES_SIZE] = "";
    CLEANUP_OUTER Outer outer = {0};

    assert_int_equal(read_outer("<outer strange='1'>\n<what/>\n<group count='1'>\n<flag very='1'/>"
                                "\n<deep><deeper/></deep></group>\n<left/>\n<left>\n<x/></left>\n"
                                "<text>1</text>\n<text>2</text><raw><own/></raw></outer>",
                                &outer, notes, NULL),
                     0);
    assert_string_equal(notes, "/outer/@strange:1\n/outer/what:2\n/outer/group/flag/@very:4\n"
                               "/outer/group/deep:5\n/outer/left[2]/x:8\n/outer/text[2]:10\n");
}

/* ---- limits ---- */

typedef struct Nest Nest;
struct Nest {
    Nest *inside;
};
static const Element nest_element;
static const Field nest_fields[] = {FIELD_ONE("n", Nest, inside, nest_element), FIELD_END};
static const Element nest_element = {"n", sizeof(Nest), nest_fields, NULL, NULL};

static int read_nest(unsigned depth, Error **reterr) {
    CLEANUP_FREE char *text = calloc(depth, 8);
    CLEANUP_XML_DOCUMENT xmlDocPtr doc = NULL;
    ElementReader reader = {.reterr = reterr};
    Nest nest = {0};
    int r;

    for (unsigned i = 0; i < depth; i++)
        memcpy(text + 3 * (size_t)i, "<n>", 3);
    for (unsigned i = 0; i < depth; i++)
        memcpy(text + 3 * (size_t)depth + 4 * (size_t)i, "</n>", 4);
    doc = document(text);
    r = element_read(&reader, &nest_element, xmlDocGetRootElement(doc), &nest);
    element_done(&nest_element, &nest);
    return r;
}

static void test_depth(void **state) {
    CLEANUP_ERROR Error *error = NULL;

    assert_int_equal(read_nest(ELEMENT_DEPTH_MAX, NULL), 0);
    assert_true(read_nest(ELEMENT_DEPTH_MAX + 1, &error) < 0);
    assert_non_null(strstr(error_message(error), "<n> in line 1 is nested deeper than 224"));
}

static char *repeat(const char *head, const char *what, size_t n, const char *tail) {
    size_t len = strlen(what), at = strlen(head);
    char *text = calloc(1, at + n * len + strlen(tail) + 1);

    assert_non_null(text);
    memcpy(text, head, at);
    for (size_t i = 0; i < n; i++, at += len)
        memcpy(text + at, what, len);
    memcpy(text + at, tail, strlen(tail));
    return text;
}

static void test_children(void **state) {
    CLEANUP_FREE char *most = repeat("<outer>", "<x/>", ELEMENT_CHILDREN_MAX, "</outer>");
    CLEANUP_FREE char *more = repeat("<outer>", "<x/>", ELEMENT_CHILDREN_MAX + 1, "</outer>");
    CLEANUP_OUTER Outer outer = {0};
    CLEANUP_ERROR Error *error = NULL;

    assert_int_equal(read_outer(most, &outer, NULL, NULL), 0);
    assert_true(read_outer(more, &outer, NULL, &error) < 0);
    assert_non_null(strstr(error_message(error), "more than 65536 children"));
}

static void test_list_limit(void **state) {
    CLEANUP_OUTER Outer outer = {0};
    CLEANUP_ERROR Error *error = NULL;

    assert_true(
        read_outer("<outer><left/>\n<left/>\n<left/>\n<left/></outer>", &outer, NULL, &error) < 0);
    assert_string_equal(error_message(error), "XML error: more than 3 <left> elements (line 4)");
}

/* libxml2 has 16 bits for the line of a node, and a way round. */
static void test_long_text(void **state) {
    CLEANUP_FREE char *text = repeat("<outer>", "\n", 70000, "<what/><offset>9</offset></outer>");
    char notes[NOTES_SIZE] = "";
    CLEANUP_OUTER Outer outer = {0};
    CLEANUP_ERROR Error *error = NULL;
    char *bad = strstr(text, "9");

    assert_true(read_outer(text, &outer, notes, &error) < 0);
    assert_non_null(strstr(error_message(error), "(line 70001)"));
    *bad = '1';
    outer_done(&outer);
    assert_int_equal(read_outer(text, &outer, notes, NULL), 0);
    assert_string_equal(notes, "/outer/what:70001\n");
}

static void test_namespaces(void **state) {
    CLEANUP_FREE char *text = repeat("<domain type='kvm'>", "<a xmlns:b='c'/>", 4097, "</domain>");
    DomainParseParams params = {.default_arch = "x86_64"};
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_ERROR Error *error = NULL;

    assert_true(domain_parse(text, strlen(text), &params, &def, &error) < 0);
    assert_non_null(strstr(error_message(error), "declares more than 4096 namespaces"));
}

/* ---- comparing ---- */

static void expect_difference(const char *xml, const char *wanted) {
    CLEANUP_OUTER Outer whole = {0};
    CLEANUP_OUTER Outer other = {0};
    char path[ELEMENT_PATH_SIZE];
    bool equal;

    assert_int_equal(read_outer(WHOLE, &whole, NULL, NULL), 0);
    assert_int_equal(read_outer(xml, &other, NULL, NULL), 0);
    equal = element_equal(&outer_element, &whole, &other, path);
    if (equal != !wanted || (wanted && !streq(path, wanted)))
        fail_msg("%s\n wanted: %s, got: %s", xml, wanted ? wanted : "equal", equal ? "" : path);
}

#define HEAD "<outer name='n' colour='blue' light='no' cpus='0-1,7'><text>t</text>"
#define MIDDLE "<offset>-3</offset><group count='4'><flag/></group><left id='l'>1</left>"
#define END "<right id='r'>2</right><one id='o'>3</one><raw><b/>e</raw></outer>"

static void test_compare(void **state) {
    expect_difference(HEAD MIDDLE END, NULL);
    expect_difference(HEAD "<alias name='other'/>" MIDDLE END, NULL);
    expect_difference("<outer colour='red'/>", "@name");
    expect_difference("<outer name='n' colour='red'/>", "@colour");
    expect_difference(HEAD "</outer>", "offset");
    expect_difference(HEAD "<offset>-3</offset><group count='3'/></outer>", "group@count");
    expect_difference(HEAD "<offset>-3</offset><group count='4'/></outer>", "group/flag");
    expect_difference(HEAD MIDDLE "</outer>", "left[2]");
    expect_difference(HEAD MIDDLE "<right id='s'/></outer>", "right[2]@id");
    expect_difference(HEAD MIDDLE "<right id='r'>2</right></outer>", "one");
    expect_difference(HEAD MIDDLE "<right id='r'>2</right><one id='o'>4</one></outer>", "one/.");
}

/* ---- memory ---- */

static void test_copy(void **state) {
    CLEANUP_FREE char *text = NULL;
    CLEANUP_OUTER Outer copy = {0};
    Outer outer;

    assert_int_equal(read_outer(WHOLE, &outer, NULL, NULL), 0);
    assert_int_equal(element_copy(&outer_element, &outer, &copy), 0);
    outer_done(&outer); /* nothing is shared */
    text = write_outer(&copy);
    assert_string_equal(text, WHOLE);
}

/* What was read although an allocation failed: stdio does without its buffer. */
static void assert_whole(const Outer *outer) {
    CLEANUP_FREE char *text = write_outer(outer);

    assert_string_equal(text, WHOLE);
}

/* Each allocation fails once, until there are no more: -ENOMEM or all of it, and everything is
 * freed. */
static void test_failing_read(void **state) {
    CLEANUP_XML_DOCUMENT xmlDocPtr doc = NULL;
    bool more = true;
    long n = 0;

    if (!CAN_FAIL)
        skip();
    for (; more; n++) {
        Error *error = NULL;
        ElementReader reader = {.reterr = &error};
        Outer outer = {0};
        long before;
        int r;

        xmlFreeDoc(TAKE_PTR(doc));
        doc = document(WHOLE);
        before = n_live;
        fail_at = n;
        r = element_read(&reader, &outer_element, xmlDocGetRootElement(doc), &outer);
        more = failed();
        if (more && r == 0)
            assert_whole(&outer);
        else
            assert_int_equal(r, more ? -ENOMEM : 0);
        outer_done(&outer);
        error_free(error);
        xmlResetLastError();
        assert_int_equal(n_live, before);
    }
    assert_true(n > 12);
}

static void test_failing_copy(void **state) {
    CLEANUP_OUTER Outer outer = {0};
    bool more = true;
    long n = 0, before;

    if (!CAN_FAIL)
        skip();
    assert_int_equal(read_outer(WHOLE, &outer, NULL, NULL), 0);
    before = n_live;
    for (; more; n++) {
        Outer copy;
        int r;

        fail_at = n;
        r = element_copy(&outer_element, &outer, &copy);
        more = failed();
        assert_int_equal(r, more ? -ENOMEM : 0);
        outer_done(&copy);
        assert_int_equal(n_live, before);
    }
    assert_true(n > 12);
}

static char *format(const DomainDef *def) {
    char *text = NULL;

    assert_int_equal(domain_format(def, &(DomainFormatParams){.secrets = true}, &text), 0);
    return text;
}

/* The same with a domain that has much, from its text. libxml2 can do without some of its
 * allocations: nothing may be missing then. */
static void test_failing_domain(void **state) {
    DomainParseParams params = {.default_arch = "x86_64"};
    CLEANUP_FREE char *xml = NULL, *wanted = NULL;
    CLEANUP_DOMAIN_DEF DomainDef *whole = NULL;
    bool more = true;

    if (!CAN_FAIL)
        skip();
    assert_int_equal(file_read(TEST_DATA_DIR "/domain/full.xml", DOMAIN_XML_MAX, &xml, NULL), 0);
    assert_int_equal(domain_parse(xml, strlen(xml), &params, &whole, NULL), 0);
    wanted = format(whole);
    for (long n = 0; more; n++) {
        long before = n_live;
        DomainDef *def = NULL;
        Error *error = NULL;
        char *text = NULL;
        int r;

        fail_at = n;
        r = domain_parse(xml, strlen(xml), &params, &def, &error);
        more = failed();
        if (r < 0 && r != -ENOMEM)
            fail_msg("allocation %ld: %d, %s", n, r, error_message(error));
        text = def ? format(def) : NULL;
        if (text && !streq(text, wanted))
            fail_msg("allocation %ld loses something:\n%s", n, text);
        free(text);
        domain_def_free(def);
        error_free(error);
        xmlResetLastError();
        assert_int_equal(n_live, before);
    }
}

static void test_failing_domain_copy(void **state) {
    DomainParseParams params = {.default_arch = "x86_64"};
    CLEANUP_FREE char *xml = NULL;
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    bool more = true;
    long before;

    if (!CAN_FAIL)
        skip();
    assert_int_equal(file_read(TEST_DATA_DIR "/domain/full.xml", DOMAIN_XML_MAX, &xml, NULL), 0);
    assert_int_equal(domain_parse(xml, strlen(xml), &params, &def, NULL), 0);
    before = n_live;
    for (long n = 0; more; n++) {
        DomainDef *copy;

        fail_at = n;
        copy = domain_def_copy(def);
        more = failed();
        assert_true(more == !copy);
        domain_def_free(copy);
        assert_int_equal(n_live, before);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_special_characters),
        cmocka_unit_test(test_first_counts),
        cmocka_unit_test(test_unknown_is_told),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_children),
        cmocka_unit_test(test_list_limit),
        cmocka_unit_test(test_long_text),
        cmocka_unit_test(test_namespaces),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_failing_read),
        cmocka_unit_test(test_failing_copy),
        cmocka_unit_test(test_failing_domain),
        cmocka_unit_test(test_failing_domain_copy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
