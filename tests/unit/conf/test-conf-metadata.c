/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Elements of <metadata> by namespace, as GET_METADATA hands them out: without the prefix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "conf/domain-metadata.h"
#include "conf/domain-parse.h"
#include "util/file.h"

static DomainDef *parse(const char *metadata) {
    CLEANUP_FREE char *xml = strf("<domain type='kvm' xmlns:top='urn:top'><name>n</name>"
                                  "<os><type>hvm</type></os>"
                                  "<memory>1</memory>%s</domain>",
                                  metadata);
    DomainParseParams params = {.default_arch = "x86_64"};
    CLEANUP_ERROR Error *error = NULL;
    DomainDef *def = NULL;

    if (domain_parse(xml, strlen(xml), &params, &def, &error) < 0)
        fail_msg("%s", error_message(error));
    return def;
}

static void expect(const DomainDef *def, const char *uri, const char *text) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *got = NULL;

    if (domain_metadata_element(def->metadata, uri, &got, &error) < 0)
        fail_msg("%s: %s", uri, error_message(error));
    assert_string_equal(got, text);
}

static void expect_none(const DomainDef *def, const char *uri) {
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *got = NULL;

    assert_true(domain_metadata_element(def->metadata, uri, &got, &error) < 0);
    assert_null(got);
    assert_int_equal(error->code, ERROR_NO_DOMAIN_METADATA);
    assert_string_equal(error->message,
                        "metadata not found: Requested metadata element is not present");
}

static void test_by_namespace(void **state) {
    CLEANUP_DOMAIN_DEF DomainDef *def = parse(
        "<metadata><a:one xmlns:a='urn:a'>first</a:one>\n<b:two xmlns:b='urn:b' "
        "k='v'><b:in/></b:two>"
        "<top:three/><plain>p</plain></metadata>");

    expect(def, "urn:a", "<one>first</one>");
    expect(def, "urn:b", "<two k=\"v\"><in/></two>");
    expect(def, "urn:top", "<three/>");
    expect_none(def, "urn:c");
    expect_none(def, "");
    expect_none(def, NULL);
    expect(def, "urn:a", "<one>first</one>"); /* looking does not change it */
}

static void test_other_namespaces_stay(void **state) {
    CLEANUP_DOMAIN_DEF DomainDef *def = parse(
        "<metadata><a:one xmlns:a='urn:a'><c:x xmlns:c='urn:c'/></a:one></metadata>");

    expect(def, "urn:a", "<one><c:x xmlns:c=\"urn:c\"/></one>");
    expect_none(def, "urn:c"); /* children of <metadata> only */
}

/* What comes out is XML by itself. */
static void test_declarations(void **state) {
    CLEANUP_DOMAIN_DEF DomainDef *def = parse(
        "<metadata xmlns:o='urn:o'><a:one xmlns:a='urn:a' a:k='1'><b o:k='2'/><o:c/></a:one>"
        "<d:d xmlns:d='urn:d'><e xmlns:f='x&lt;&#10;&amp;' f:k='3'/></d:d></metadata>");

    expect(def, "urn:a",
           "<one xmlns:a=\"urn:a\" xmlns:o=\"urn:o\" a:k=\"1\"><b o:k=\"2\"/><o:c/></one>");
    expect(def, "urn:d", "<d><e xmlns:f=\"x&lt;&#10;&amp;\" f:k=\"3\"/></d>");
}

static void test_default_namespace(void **state) {
    CLEANUP_DOMAIN_DEF DomainDef *def = parse(
        "<metadata><one xmlns='urn:a'><two/></one></metadata>");

    expect(def, "urn:a", "<one><two/></one>");
}

static void test_first_of_two(void **state) {
    CLEANUP_DOMAIN_DEF DomainDef *def = parse(
        "<metadata><a:one xmlns:a='urn:a'/><b:two xmlns:b='urn:a'/></metadata>");

    expect(def, "urn:a", "<one/>");
}

static void test_none(void **state) {
    CLEANUP_DOMAIN_DEF DomainDef *without = parse(""), *empty = parse("<metadata/>");

    expect_none(without, "urn:a");
    expect_none(empty, "urn:a");
}

#define UNPLUG(value)                                                                              \
    "<metadata><v:domain xmlns:v='urn:vireo:domain'><v:unplug timeout-ms='" value                  \
    "'/></v:domain></metadata>"

static void test_unplug_timeout(void **state) {
    CLEANUP_DOMAIN_DEF DomainDef *def = parse(UNPLUG("20000")), *none = parse("<metadata/>");
    CLEANUP_DOMAIN_DEF DomainDef *copy = domain_def_copy(def);

    assert_int_equal(def->unplug_timeout_usec, 20000000);
    assert_int_equal(copy->unplug_timeout_usec, 20000000);
    assert_int_equal(none->unplug_timeout_usec, 0);
}

static void test_bad_unplug_timeout(void **state) {
    static const char *const values[] = {"", "5s", "9", "3600001", "-1", "99999999999999999999"};

    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        CLEANUP_FREE char *xml = strf(
            "<domain type='kvm'><name>n</name>"
            "<os><type>hvm</type></os>"
            "<memory>1</memory><metadata>"
            "<domain xmlns='urn:vireo:domain'><unplug timeout-ms='%s'/></domain>"
            "</metadata></domain>",
            values[i]);
        DomainParseParams params = {.default_arch = "x86_64"};
        CLEANUP_ERROR Error *error = NULL;
        DomainDef *def = NULL;

        assert_true(domain_parse(xml, strlen(xml), &params, &def, &error) < 0);
        assert_int_equal(error->code, ERROR_XML);
        assert_non_null(strstr(error->message, "must be 10 to 3600000 milliseconds"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_namespace),      cmocka_unit_test(test_other_namespaces_stay),
        cmocka_unit_test(test_default_namespace), cmocka_unit_test(test_first_of_two),
        cmocka_unit_test(test_declarations),      cmocka_unit_test(test_none),
        cmocka_unit_test(test_unplug_timeout),    cmocka_unit_test(test_bad_unplug_timeout),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
