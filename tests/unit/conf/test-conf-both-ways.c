/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is parsed is formatted, and what is formatted is parsed: for each element and attribute of
 * the definitions in tests/data/domain, by its path; and each row that is written by hand (code,
 * not table) has a definition there that has it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <glob.h>
#include <libxml/parser.h>
#include <stdio.h>

#include "conf/domain-format.h"
#include "conf/domain-parse.h"
#include "util/file.h"

#define DEPTH_MAX 16u

/* What no file there has. */
static const char more[] =
    "<domain type='kvm'><name>more</name><memory>65536</memory><vcpu>2</vcpu>"
    "<os><type arch='x86_64' machine='q35'>hvm</type></os>"
    "<features><hyperv><spinlocks state='on' retries='8191'/><stimer state='on'><direct "
    "state='on'/></stimer><vendor_id state='on' value='some'/></hyperv></features>"
    "<cpu mode='host-passthrough'><topology sockets='1' dies='1' clusters='2' cores='1' "
    "threads='1'/></cpu><pm><suspend-to-mem enabled='no'/></pm>"
    "<devices><interface type='user'><alias name='ua-first'/></interface></devices></domain>";

typedef struct Paths {
    char **list;
    size_t n;
} Paths;

static void paths_done(Paths *paths) {
    for (size_t i = 0; i < paths->n; i++)
        free(paths->list[i]);
    free(paths->list);
}

/* "/domain/devices/disk[2]" is "/domain/devices/disk". */
static char *plain(const char *path) {
    char *copy = strdup(path), *to = copy;

    assert_non_null(copy);
    for (; *path; path++)
        if (*path == '[')
            path = strchr(path, ']');
        else
            *to++ = *path;
    *to = '\0';
    return copy;
}

static bool has(const Paths *paths, const char *path) {
    for (size_t i = 0; i < paths->n; i++)
        if (streq(paths->list[i], path))
            return true;
    return false;
}

static void add(Paths *paths, const char *path) {
    CLEANUP_FREE char *text = plain(path);

    if (has(paths, text))
        return;
    paths->list = reallocarray(paths->list, paths->n + 1, sizeof(char *));
    assert_non_null(paths->list);
    paths->list[paths->n++] = TAKE_PTR(text);
}

static void add_node(Paths *paths, xmlNodePtr node, const Paths *unknown) {
    xmlChar *path = xmlGetNodePath(node);
    CLEANUP_FREE char *text = plain((const char *)path);

    xmlFree(path);
    if (has(unknown, text))
        return;
    add(paths, text);
    for (xmlAttrPtr at = node->properties; at; at = at->next) {
        CLEANUP_FREE char *attribute = strf("%s/@%s", text, (const char *)at->name);

        if (!has(unknown, attribute))
            add(paths, attribute);
    }
    for (xmlNodePtr at = node->children; at; at = at->next)
        if (at->type == XML_ELEMENT_NODE && !at->ns)
            add_node(paths, at, unknown);
}

static void add_text(Paths *paths, const char *xml, const Paths *unknown) {
    xmlDocPtr doc = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL, XML_PARSE_NONET);

    assert_non_null(doc);
    add_node(paths, xmlDocGetRootElement(doc), unknown);
    xmlFreeDoc(doc);
}

static void on_unknown(const char *path, int line, void *userdata) {
    add(userdata, path);
}

static DomainDef *parse(const char *file, const char *xml, bool live, Paths *unknown) {
    const DomainParseParams params = {
        .default_arch = "x86_64", .warning = on_unknown, .userdata = unknown, .live = live};
    CLEANUP_ERROR Error *error = NULL;
    DomainDef *def = NULL;

    if (domain_parse(xml, strlen(xml), &params, &def, &error) < 0)
        fail_msg("%s: %s", file, error_message(error));
    return def;
}

/* What a definition says when it is written, at rest and while it runs; all of it is read again. */
static void add_written(Paths *paths, const char *file, const DomainDef *def) {
    const Paths none = {0};

    for (int id = 0; id < 2; id++) {
        const DomainFormatParams params = {.id = id, .secrets = true};
        CLEANUP(paths_done) Paths unknown = {0};
        CLEANUP_FREE char *xml = NULL;

        assert_int_equal(domain_format(def, &params, &xml), 0);
        domain_def_free(parse(file, xml, id > 0, &unknown));
        for (size_t i = 0; i < unknown.n; i++)
            fail_msg("%s: %s is written and not read", file, unknown.list[i]);
        add_text(paths, xml, &none);
    }
}

/* A default may be left out: what is read must be written in one definition at least. */
static void check(const char *file, const char *xml, Paths *read, Paths *both) {
    CLEANUP(paths_done) Paths unknown = {0}, wanted = {0}, written = {0};
    CLEANUP_DOMAIN_DEF DomainDef *def = parse(file, xml, true, &unknown);

    add_text(&wanted, xml, &unknown);
    add_written(&written, file, def);
    for (size_t i = 0; i < wanted.n; i++) {
        add(read, wanted.list[i]);
        if (has(&written, wanted.list[i]))
            add(both, wanted.list[i]);
    }
}

static void check_all(Paths *read, Paths *both) {
    glob_t files;

    assert_int_equal(glob(TEST_DATA_DIR "/domain/*.xml", 0, NULL, &files), 0);
    for (size_t i = 0; i < files.gl_pathc; i++) {
        CLEANUP_FREE char *xml = NULL;

        assert_int_equal(file_read(files.gl_pathv[i], DOMAIN_XML_MAX, &xml, NULL), 0);
        check(files.gl_pathv[i], xml, read, both);
    }
    globfree(&files);
    check("more", more, read, both);
}

static void test_read_is_written(void **state) {
    CLEANUP(paths_done) Paths read = {0}, both = {0};
    unsigned n_bad = 0;

    check_all(&read, &both);
    for (size_t i = 0; i < read.n; i++) {
        if (has(&both, read.list[i]))
            continue;
        print_error("%s is read and not written\n", read.list[i]);
        n_bad++;
    }
    assert_int_equal(n_bad, 0);
}

/* ---- each row of code is read somewhere ---- */

typedef int (*ReadFunc)(ElementReader *reader, xmlNodePtr node, void *object);

typedef struct Rows {
    ReadFunc funcs[256]; /* of code rows with a path */
    char *paths[256];
    bool covered[256]; /* by one of their paths */
    size_t n;
} Rows;

static void note_row(Rows *rows, ReadFunc func, const char *path, const Paths *read) {
    size_t i = 0;

    while (i < rows->n && rows->funcs[i] != func)
        i++;
    assert_true(i < ARRAY_SIZE(rows->funcs));
    if (i == rows->n) {
        rows->funcs[rows->n] = func;
        rows->paths[rows->n++] = strdup(path);
    }
    rows->covered[i] |= has(read, path);
}

static char *below(const char *path, const char *name) {
    const char *at = name ? strchr(name, '@') : NULL;

    if (!name || streq(name, "."))
        return strdup(path);
    return at ? strf("%s%s%.*s/%s", path, at > name ? "/" : "", (int)(at - name), name, at)
              : strf("%s/%s", path, name);
}

static void walk(const char *path, const Field *fields, const Paths *read, Rows *rows,
                 unsigned depth) {
    for (const Field *at = fields; at && depth < DEPTH_MAX && at->kind != FIELD_KIND_END; at++) {
        CLEANUP_FREE char *here = below(path, at->path);

        assert_non_null(here);
        if (at->kind == FIELD_KIND_CODE && at->path && at->read)
            note_row(rows, at->read, here, read);
        walk(here, at->fields, read, rows, depth + 1);
        if (at->element && !streq(at->path, "backingStore"))
            walk(here, at->element->fields, read, rows, depth + 1);
        for (size_t i = 0; i < at->n_choices; i++)
            walk(here, at->choice[i], read, rows, depth + 1);
    }
}

static void test_code_is_covered(void **state) {
    CLEANUP(paths_done) Paths read = {0}, both = {0};
    unsigned n_bad = 0;
    Rows rows = {0};

    check_all(&read, &both);
    walk("/domain", domain_element.fields, &read, &rows, 0);
    for (size_t i = 0; i < rows.n; i++) {
        if (!rows.covered[i]) {
            print_error("%s is read by code, and no definition here has it\n", rows.paths[i]);
            n_bad++;
        }
        free(rows.paths[i]);
    }
    assert_true(rows.n > 20);
    assert_int_equal(n_bad, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_read_is_written),
                                       cmocka_unit_test(test_code_is_covered)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
