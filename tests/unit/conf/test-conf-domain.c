/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Golden files: each tests/data/domain/NAME.xml parses and formats as NAME.out.xml, or as itself
 * when there is none; what was formatted reads the same again. REGENERATE=1 rewrites the .out.xml
 * files; TEST_DATA in the environment names another data directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>

#include "conf/domain-format.h"
#include "conf/domain-parse.h"
#include "util/file.h"

static const char *data_dir(void) {
    const char *dir = getenv("TEST_DATA");

    return dir ? dir : TEST_DATA_DIR;
}

static DomainDef *parse(const char *file, const char *xml) {
    DomainParseParams params = {.default_arch = "x86_64"};
    CLEANUP_ERROR Error *error = NULL;
    DomainDef *def = NULL;

    if (domain_parse(xml, strlen(xml), &params, &def, &error) < 0)
        fail_msg("%s: %s", file, error_message(error));
    return def;
}

static char *format(const DomainDef *def, int id) {
    DomainFormatParams params = {.id = id};
    char *text = NULL;

    assert_int_equal(domain_format(def, &params, &text), 0);
    return text;
}

/* The first line that differs, or equality. */
static void compare(const char *file, const char *expected, const char *got) {
    unsigned line = 1;

    for (const char *a = expected, *b = got;; line++) {
        size_t m = strcspn(a, "\n"), n = strcspn(b, "\n");

        if (m != n || memcmp(a, b, n) != 0)
            fail_msg("%s:%u\n expected: %.*s\n      got: %.*s", file, line, (int)m, a, (int)n, b);
        a += m;
        b += n;
        if (*a != *b)
            fail_msg("%s:%u: one text ends here", file, line);
        if (!*a)
            return;
        a++;
        b++;
    }
}

static char *expected_path(const char *file) {
    return strf("%.*s.out.xml", (int)(strlen(file) - strlen(".xml")), file);
}

static void check_file(const char *file) {
    CLEANUP_FREE char *xml = NULL, *expected = NULL, *out = expected_path(file), *live = NULL;
    CLEANUP_FREE char *first = NULL, *second = NULL, *copied = NULL, *live_again = NULL;
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL, *again = NULL, *copy = NULL, *from_live = NULL;

    assert_int_equal(file_read(file, DOMAIN_XML_MAX, &xml, NULL), 0);
    def = parse(file, xml);
    first = format(def, 0);
    if (getenv("REGENERATE") && !streq(xml, first))
        assert_int_equal(file_write_atomic(out, first, strlen(first), 0644), 0);
    if (file_read(out, DOMAIN_XML_MAX, &expected, NULL) < 0)
        compare(file, xml, first);
    else
        compare(out, expected, first);

    again = parse(out, first);
    second = format(again, 0);
    compare(out, first, second);

    copy = domain_def_copy(def);
    assert_non_null(copy);
    copied = format(copy, 0);
    compare(file, first, copied);

    /* The live form carries more, and nothing that changes the definition. */
    live = format(def, 7);
    assert_true(strstr(live, " id='7'>\n") != NULL);
    from_live = parse(file, live);
    live_again = format(from_live, 0);
    compare(file, first, live_again);
}

static void test_golden(void **state) {
    CLEANUP_FREE char *pattern = path_join(data_dir(), "domain/*.xml");
    unsigned n = 0;
    glob_t found = {0};

    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *file = found.gl_pathv[i];
        size_t len = strlen(file);

        if (len > 8 && streq(file + len - 8, ".out.xml"))
            continue;
        check_file(file);
        n++;
    }
    globfree(&found);
    assert_true(n >= 12);
}

static const char *const demo =
    "<domain "
    "type='kvm'><name>d</name><os><type>hvm</type></os><uuid>6c1a0fd2-8f10-4b3f-9b80-3f1d26b0a0ff</"
    "uuid>"
    "<memory>1024</memory><devices><serial type='pty'/><console type='pty'/>"
    "<rng model='virtio'><backend model='random'/></rng></devices></domain>";

static void test_live_form_has_aliases_and_ttys(void **state) {
    CLEANUP_DOMAIN_DEF DomainDef *def = parse("inline", demo);
    CLEANUP_FREE char *live = NULL, *inactive = NULL;

    def->chardevs[0].info.alias = strdup("serial0");
    def->chardevs[0].source.path = strdup("/dev/pts/9");
    def->rngs[0].info.alias = strdup("rng0");
    live = format(def, 1);
    inactive = format(def, 0);
    assert_true(strstr(live, "<alias name='serial0'/>") != NULL);
    assert_true(strstr(live, "<alias name='rng0'/>") != NULL);
    assert_true(strstr(live, "<source path='/dev/pts/9'/>") != NULL);
    assert_true(strstr(live, "<console type='pty' tty='/dev/pts/9'>") != NULL);
    assert_true(strstr(inactive, "alias") == NULL);
    assert_true(strstr(inactive, "/dev/pts") == NULL);
    assert_true(strstr(inactive, " id=") == NULL);
}

static void test_missing_identity_is_generated(void **state) {
    static const char xml[] =
        "<domain type='kvm'><name>d</name><os><type>hvm</type></os><memory>1024</memory>"
        "<devices><interface type='user'/></devices></domain>";
    CLEANUP_DOMAIN_DEF DomainDef *a = parse("inline", xml), *b = parse("inline", xml);
    static const uint8_t zero[16];

    assert_memory_not_equal(a->uuid, zero, 16);
    assert_memory_not_equal(a->uuid, b->uuid, 16);
    assert_int_equal(a->uuid[6] >> 4, 4);
    assert_int_equal(a->uuid[8] >> 6, 2);
    assert_int_equal(strncmp(a->interfaces[0].mac, "52:54:00:", 9), 0);
    assert_int_equal(strlen(a->interfaces[0].mac), 17);
}

static void test_defaults(void **state) {
    static const char xml[] =
        "<domain type='qemu'><name>d</name><os><type>hvm</type></os><memory>1000</memory></domain>";
    CLEANUP_DOMAIN_DEF DomainDef *def = parse("inline", xml);

    assert_int_equal(def->n_vcpus_max, 1);
    assert_int_equal(domain_def_online_vcpus(def), 1);
    assert_string_equal(def->os.arch, "x86_64");
    assert_int_equal(def->current_memory_kib, 1000);
    assert_int_equal(def->on_poweroff, LIFECYCLE_DESTROY);
    assert_int_equal(def->on_reboot, LIFECYCLE_RESTART);
    assert_int_equal(def->on_crash, LIFECYCLE_DESTROY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_live_form_has_aliases_and_ttys),
        cmocka_unit_test(test_missing_identity_is_generated),
        cmocka_unit_test(test_defaults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
