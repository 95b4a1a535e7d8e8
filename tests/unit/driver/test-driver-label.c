/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a label lets a QEMU open by its definition, and what is said of labels elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "conf/domain-parse.h"
#include "driver/named-files.h"
#include "util/file.h"

static DomainDef *parse(const char *elements) {
    CLEANUP_FREE char *xml = strf("<domain type='qemu'><name>a</name><memory>65536</memory>"
                                  "<os><type machine='pc'>hvm</type></os>%s</domain>",
                                  elements);
    DomainDef *def = NULL;

    assert_int_equal(
        domain_parse(xml, strlen(xml), &(DomainParseParams){.default_arch = "x86_64"}, &def, NULL),
        0);
    return def;
}

static size_t count(const NamedFiles *files, const char *path, FileUse use) {
    size_t n = 0;

    for (size_t i = 0; i < files->n; i++)
        n += streq(files->items[i].path, path) && files->items[i].use == use;
    return n;
}

static void test_files_besides_images(void **state) {
    CLEANUP_DOMAIN_DEF DomainDef *def = parse(
        "<sysinfo type='fwcfg'><entry name='opt/a' file='/w/entry'/>"
        "<entry name='opt/b'>text</entry></sysinfo>"
        "<devices><interface type='user'><model type='virtio'/><rom file='/w/rom'/>"
        "</interface></devices>");
    CLEANUP_NAMED_FILES NamedFiles files = {0}, plugged = {0};

    assert_int_equal(named_files_add(&files, NULL, def, "apparmor"), 0);
    assert_int_equal(files.n, 2);
    assert_int_equal(count(&files, "/w/entry", FILE_USE_READ), 1);
    assert_int_equal(count(&files, "/w/rom", FILE_USE_READ), 1);
    assert_int_equal(
        named_files_add_device(&plugged, NULL, &interface_kind, &def->interfaces[0], "apparmor"),
        0);
    assert_int_equal(count(&plugged, "/w/rom", FILE_USE_READ), 1);
}

int main(void) {
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_files_besides_images)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
