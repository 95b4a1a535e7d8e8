/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Definitions read, copied and written while an allocation fails: no part is missing afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <glob.h>

#include "conf/domain-format.h"
#include "conf/domain-parse.h"
#include "failing.h"
#include "util/file.h"

static DomainDef *parse(const char *xml) {
    const DomainParseParams params = {.default_arch = "x86_64"};
    CLEANUP_ERROR Error *error = NULL;
    DomainDef *def = NULL;

    if (domain_parse(xml, strlen(xml), &params, &def, &error) < 0)
        fail_msg("%s", error_message(error));
    return def;
}

static char *format(const DomainDef *def) {
    char *text = NULL;

    assert_int_equal(domain_format(def, &(DomainFormatParams){.secrets = true}, &text), 0);
    return text;
}

static int try_parse(void *xml, char **ret) {
    const DomainParseParams params = {.default_arch = "x86_64"};
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_ERROR Error *error = NULL;
    int r;

    failing_begin();
    r = domain_parse(xml, strlen(xml), &params, &def, &error);
    failing_end();
    *ret = r < 0 ? NULL : format(def);
    return r;
}

static int try_copy(void *def, char **ret) {
    CLEANUP_DOMAIN_DEF DomainDef *copy = NULL;

    failing_begin();
    copy = domain_def_copy(def);
    failing_end();
    *ret = copy ? format(copy) : NULL;
    return copy ? 0 : -ENOMEM;
}

static int try_format(void *def, char **ret) {
    int r;

    failing_begin();
    r = domain_format(def, &(DomainFormatParams){.secrets = true}, ret);
    failing_end();
    return r;
}

/* What is generated when it is missing would be another each time. libxml2 2.9 goes on with half of
 * a name with a prefix when it has no memory for the whole, as if the text were so. */
static void sweep(const char *file, const char *xml) {
    CLEANUP_DOMAIN_DEF DomainDef *def = parse(xml);
    CLEANUP_FREE char *whole = format(def);

    if (!strstr(whole, "xmlns:"))
        failing_sweep(file, try_parse, whole);
    failing_sweep(file, try_copy, def);
    failing_sweep(file, try_format, def);
}

static void test_each_definition(void **state) {
    glob_t found = {0};

    assert_int_equal(glob(TEST_DATA_DIR "/domain/*.xml", 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        CLEANUP_FREE char *xml = NULL;

        if (strstr(found.gl_pathv[i], ".out.xml"))
            continue;
        assert_int_equal(file_read(found.gl_pathv[i], DOMAIN_XML_MAX, &xml, NULL), 0);
        sweep(found.gl_pathv[i], xml);
    }
    globfree(&found);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_definition),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
