/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sizes at and beyond their limits, orders and spaces that XML allows, and that nothing is printed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>

#include "conf/domain-format.h"
#include "conf/domain-parse.h"
#include "util/file.h"

#define HEAD "<domain type='kvm'><name>n</name><os><type>hvm</type></os><memory>1024</memory>"
#define TAIL "</domain>"

static const DomainParseParams params = {.default_arch = "x86_64"};

static DomainDef *parse(const char *xml) {
    CLEANUP_ERROR Error *error = NULL;
    DomainDef *def = NULL;

    if (domain_parse(xml, strlen(xml), &params, &def, &error) < 0)
        fail_msg("%.300s: %s", xml, error_message(error));
    return def;
}

static void expect_error(const char *xml, size_t len, ErrorCode code, const char *words) {
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_ERROR Error *error = NULL;

    if (domain_parse(xml, len, &params, &def, &error) >= 0)
        fail_msg("accepted: %.300s", xml);
    if (error->code != code || !strstr(error->message, words))
        fail_msg("wanted %d, ...%s..., got %d, %s", code, words, error->code, error->message);
}

/* head, n times text, tail. */
static char *repeat(const char *head, const char *text, unsigned n, const char *tail) {
    size_t len = strlen(text), at = strlen(head);
    char *xml = malloc(at + len * n + strlen(tail) + 1);

    assert_non_null(xml);
    strcpy(xml, head);
    for (unsigned i = 0; i < n; i++, at += len)
        strcpy(xml + at, text);
    strcpy(xml + at, tail);
    return xml;
}

/* Declarations are counted, not what is written of them. */
static void test_namespaces_of_text(void **state) {
    static const struct {
        const char *head, *text, *tail;
        bool taken;
    } rows[] = {
        {"<description>", "xmlns ", "</description>", true},
        {"<description><![CDATA[", "<a xmlns='u'> ", "]]></description>", true},
        {"<!-- ", "<a xmlns='u'> ", "-->", true},
        {"<metadata><?word ", "xmlns ", "?></metadata>", true},
        {"<metadata><a b='", "xmlns=&quot;u&quot; ", "'/></metadata>", true},
        {"<metadata>", "<a xmlns='u'/>", "</metadata>", false},
        {"<metadata>", "<n:a b='>' xmlns:n = \"u\"/>", "</metadata>", false},
        {"<metadata><? ", "<a xmlns='u'/>", "?></metadata>", false},
        {"<metadata a=\"", "<a xmlns='u'/>", "\"/>", false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_FREE char *inner = repeat(rows[i].head, rows[i].text, 4097, rows[i].tail);
        CLEANUP_FREE char *xml = strf("<domain type='kvm'><name>n</name><memory>1</memory>"
                                      "<os><type>hvm</type></os>%s</domain>",
                                      inner);
        CLEANUP_DOMAIN_DEF DomainDef *def = NULL;

        if (rows[i].taken)
            def = parse(xml);
        else
            expect_error(xml, strlen(xml), ERROR_XML, "declares more than 4096 namespaces");
    }
}

/* What fits here fits into a status file, too. */
static void test_depth(void **state) {
    for (unsigned depth = 253; depth <= 254; depth++) {
        CLEANUP_FREE char *open = repeat("", "<a>", depth, ""),
                          *close = repeat("", "</a>", depth, "");
        CLEANUP_FREE char *xml = strf(
            "<domain type='kvm'><name>n</name><memory>1</memory>"
            "<os><type>hvm</type></os><metadata>%s%s text</metadata></domain>",
            open, close);
        CLEANUP_DOMAIN_DEF DomainDef *def = NULL;

        if (depth == 253)
            def = parse(xml);
        else
            expect_error(xml, strlen(xml), ERROR_XML, "nested deeper than 255");
    }
}

static void test_name_length(void **state) {
    CLEANUP_FREE char *fits = repeat("<domain type='kvm'><name>", "a", 200,
                                     "</name><memory>1</memory><os><type>hvm</type></os></domain>");
    CLEANUP_FREE char *longer = repeat(
        "<domain type='kvm'><name>", "a", 201,
        "</name><memory>1</memory><os><type>hvm</type></os></domain>");
    CLEANUP_DOMAIN_DEF DomainDef *def = parse(fits);

    assert_int_equal(strlen(def->name), 200);
    expect_error(longer, strlen(longer), ERROR_XML, "longer than 200 bytes");
}

static void test_number_of_cells(void **state) {
    CLEANUP_FREE char *fits = repeat(HEAD "<cpu><numa>", "<cell memory='1'/>", 1024,
                                     "</numa></cpu>" TAIL);
    CLEANUP_FREE char *more = repeat(HEAD "<cpu><numa>", "<cell memory='1'/>", 1025,
                                     "</numa></cpu>" TAIL);
    CLEANUP_DOMAIN_DEF DomainDef *def = parse(fits);

    assert_int_equal(def->cpu.n_cells, 1024);
    expect_error(more, strlen(more), ERROR_XML, "more than 1024 <cell> elements (line 1)");
}

static void test_number_of_devices(void **state) {
    CLEANUP_FREE char *fits = repeat(HEAD "<devices>", "<interface type='user'/>", 4096,
                                     "</devices>" TAIL);
    CLEANUP_FREE char *more = repeat(HEAD "<devices>", "<interface type='user'/>", 4097,
                                     "</devices>" TAIL);
    CLEANUP_DOMAIN_DEF DomainDef *def = parse(fits);

    assert_int_equal(def->n_interfaces, 4096);
    expect_error(more, strlen(more), ERROR_XML, "more than 4096 devices (line 1)");
}

static void count(const char *path, int line, void *userdata) {
    ++*(unsigned *)userdata;
}

static void test_warnings_end(void **state) {
    CLEANUP_FREE char *xml = repeat(HEAD, "<foo/>", 1000, TAIL);
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    unsigned n = 0;
    DomainParseParams counting = {.default_arch = "x86_64", .warning = count, .userdata = &n};

    assert_int_equal(domain_parse(xml, strlen(xml), &counting, &def, NULL), 0);
    assert_int_equal(n, 32);
}

static void test_maximum_vcpus(void **state) {
    CLEANUP_DOMAIN_DEF DomainDef *def = parse(HEAD "<vcpu current='16384'>16384</vcpu>" TAIL);

    assert_int_equal(domain_def_online_vcpus(def), 16384);
    assert_int_equal(domain_def_set_max_vcpus(def, 2), 0);
    assert_int_equal(domain_def_online_vcpus(def), 2);
    assert_int_equal(domain_def_set_max_vcpus(def, 3), 0);
    assert_int_equal(domain_def_online_vcpus(def), 2); /* new ones are offline */
    assert_false(def->vcpus[2].online);
    assert_int_equal(def->vcpus[2].hotpluggable, TRISTATE_ABSENT);
}

/* An offline vCPU of which nothing was said can be plugged, and is written so once the vCPUs are
 * written one by one. */
static void test_offline_is_hotpluggable(void **state) {
    CLEANUP_DOMAIN_DEF DomainDef *def = parse(HEAD "<vcpu current='1'>2</vcpu>" TAIL),
                                 *again = NULL;
    CLEANUP_FREE char *text = NULL;

    assert_int_equal(domain_def_set_max_vcpus(def, 3), 0);
    def->vcpus_individual = true;
    assert_int_equal(domain_format(def, &(DomainFormatParams){0}, &text), 0);
    assert_non_null(strstr(text, "<vcpu id='0' enabled='yes' hotpluggable='no'/>"));
    assert_non_null(strstr(text, "<vcpu id='1' enabled='no' hotpluggable='yes'/>"));
    assert_non_null(strstr(text, "<vcpu id='2' enabled='no' hotpluggable='yes'/>"));
    again = parse(text);
    assert_int_equal(again->vcpus[2].hotpluggable, TRISTATE_YES);
}

/* One that is enabled behind a hotpluggable one can be plugged: QEMU starts without it. */
static void test_enabled_behind_a_hotpluggable_one(void **state) {
    static const char xml[] = HEAD "<vcpu>3</vcpu><vcpus>"
                                   "<vcpu id='0' enabled='yes' hotpluggable='no'/>"
                                   "<vcpu id='1' enabled='yes' hotpluggable='yes'/>"
                                   "<vcpu id='2' enabled='yes'/></vcpus>" TAIL;
    CLEANUP_DOMAIN_DEF DomainDef *def = parse(xml), *again = NULL;
    CLEANUP_FREE char *text = NULL;

    assert_int_equal(def->vcpus[0].hotpluggable, TRISTATE_NO);
    assert_int_equal(def->vcpus[2].hotpluggable, TRISTATE_YES);
    assert_int_equal(domain_format(def, &(DomainFormatParams){0}, &text), 0);
    assert_non_null(strstr(text, "<vcpu id='2' enabled='yes' hotpluggable='yes'/>"));
    again = parse(text);
    assert_int_equal(again->vcpus[2].hotpluggable, TRISTATE_YES);
}

static void test_spaces(void **state) {
    CLEANUP_DOMAIN_DEF DomainDef *def = parse(
        "<domain type='kvm'><name>n</name><os><type>hvm</type></os><uuid>\n "
        "6C1A0FD28f104b3f9b803f1d26b0a0ff\n</uuid>"
        "<memory unit='MiB'>\n  2\n</memory><vcpu>\n 3\n</vcpu></domain>");
    char text[UUID_TEXT_SIZE];

    assert_int_equal(def->memory_kib, 2048);
    assert_int_equal(def->n_vcpus_max, 3);
    uuid_format(def->uuid, text);
    assert_string_equal(text, "6c1a0fd2-8f10-4b3f-9b80-3f1d26b0a0ff");
}

static void test_uuid(void **state) {
    static const char *const bad[] = {"",
                                      "6c1a0fd2",
                                      "6c1a0fd2-8f10-4b3f-9b80-3f1d26b0a0f",
                                      "6c1a0fd2-8f10-4b3f-9b80-3f1d26b0a0fg",
                                      "6c1a0fd2-8f10-4b3f-9b80-3f1d26b0a0ff0",
                                      "6c1a0fd2 8f10 4b3f 9b80 3f1d26b0a0ff"};
    uint8_t uuid[16] = {1}, before[16] = {1};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        if (uuid_parse(bad[i], uuid) != -EINVAL)
            fail_msg("accepted: %s", bad[i]);
        assert_memory_equal(uuid, before, 16);
    }
}

static void test_element_order_is_free(void **state) {
    CLEANUP_DOMAIN_DEF DomainDef *def = parse(
        "<domain type='kvm'><os><type>hvm</type></os><vcpus><vcpu id='0' enabled='yes' "
        "hotpluggable='no'/>"
        "<vcpu id='1' enabled='no' hotpluggable='yes'/></vcpus><vcpu>2</vcpu>"
        "<memory>1024</memory><name>n</name></domain>");

    assert_int_equal(def->n_vcpus_max, 2);
    assert_int_equal(domain_def_online_vcpus(def), 1);
}

static void test_odd_characters_survive(void **state) {
    CLEANUP_DOMAIN_DEF DomainDef *def = parse(
        "<domain type='kvm'><name>n</name><memory>1024</memory><description>a&#13;b &lt;&amp;&gt; "
        "'\" "
        "&#9;é</description><os><type>hvm</type><cmdline>x=&quot;'&lt;</cmdline></os>" TAIL);
    CLEANUP_DOMAIN_DEF DomainDef *again = NULL;
    CLEANUP_FREE char *text = NULL;

    assert_string_equal(def->description, "a\rb <&> '\" \té");
    assert_int_equal(domain_format(def, &(DomainFormatParams){0}, &text), 0);
    again = parse(text);
    assert_string_equal(again->description, def->description);
    assert_string_equal(again->os.cmdline, "x=\"'<");
}

/* libxml2 reports some faults before it knows whose they are. */
static void test_nothing_is_printed(void **state) {
    static const char utf16[] = "\xff\xfe<\0a\0\0\0\0\xd8\0\xd8";
    static const char latin[] = "<?xml version='1.0' encoding='UTF-16'?><domain>\xff\xff\xd8";
    char path[] = "/tmp/test-conf-limits-XXXXXX";
    int fd = mkstemp(path), saved = dup(STDERR_FILENO);
    off_t written;

    assert_true(fd >= 0 && saved >= 0);
    unlink(path);
    dup2(fd, STDERR_FILENO);
    expect_error(utf16, sizeof(utf16) - 1, ERROR_XML_DETAIL, "(domain_definition):");
    expect_error(latin, sizeof(latin) - 1, ERROR_XML_DETAIL, "(domain_definition):");
    expect_error("", 0, ERROR_XML_DETAIL, "(domain_definition):");
    fflush(stderr);
    written = lseek(fd, 0, SEEK_END);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(fd);
    assert_int_equal(written, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name_length),
        cmocka_unit_test(test_namespaces_of_text),
        cmocka_unit_test(test_depth),
        cmocka_unit_test(test_number_of_cells),
        cmocka_unit_test(test_number_of_devices),
        cmocka_unit_test(test_warnings_end),
        cmocka_unit_test(test_maximum_vcpus),
        cmocka_unit_test(test_offline_is_hotpluggable),
        cmocka_unit_test(test_enabled_behind_a_hotpluggable_one),
        cmocka_unit_test(test_spaces),
        cmocka_unit_test(test_uuid),
        cmocka_unit_test(test_element_order_is_free),
        cmocka_unit_test(test_odd_characters_survive),
        cmocka_unit_test(test_nothing_is_printed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
