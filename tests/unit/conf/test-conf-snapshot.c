/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a snapshot's XML says, and what it may not say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "conf/snapshot.h"
#include "util/file.h"

static SnapshotDef *parse(const char *xml) {
    CLEANUP_ERROR Error *error = NULL;
    SnapshotDef *def = NULL;

    if (snapshot_parse(xml, strlen(xml), &def, &error) < 0)
        fail_msg("%s: %s", xml, error_message(error));
    return def;
}

static void test_whole(void **state) {
    CLEANUP_SNAPSHOT_DEF SnapshotDef *def = parse(
        "<domainsnapshot><name>n 1</name><description>d</description>"
        "<memory snapshot='external' file='/m'/><disks>"
        "<disk name='vda'><driver type='qcow2'/><source file='/o'/></disk>"
        "<disk name='/b' type='block' snapshot='external'><source dev='/dev/x'/></disk>"
        "<disk name='vdc' snapshot='manual'/><disk name='vdd' snapshot='internal'/>"
        "<disk name='vde'/><disk name='vdf'><driver type='raw'/></disk>"
        "</disks><cookie/></domainsnapshot>");

    assert_string_equal(def->name, "n 1");
    assert_string_equal(def->description, "d");
    assert_int_equal(def->memory, SNAPSHOT_EXTERNAL);
    assert_string_equal(def->memory_file, "/m");
    assert_int_equal(def->n_disks, 6);
    assert_int_equal(def->disks[0].place, SNAPSHOT_EXTERNAL);
    assert_int_equal(def->disks[0].source.type, DISK_FILE);
    assert_int_equal(def->disks[0].source.format, DISK_FORMAT_QCOW2);
    assert_string_equal(def->disks[0].source.path, "/o");
    assert_int_equal(def->disks[1].source.type, DISK_BLOCK);
    assert_string_equal(def->disks[1].source.path, "/dev/x");
    assert_int_equal(def->disks[2].place, SNAPSHOT_NO);
    assert_int_equal(def->disks[3].place, SNAPSHOT_INTERNAL);
    assert_int_equal(def->disks[4].place, SNAPSHOT_UNSAID);
    assert_null(def->disks[4].source.path);
    assert_int_equal(def->disks[5].place, SNAPSHOT_EXTERNAL);
}

/* What is written is read as the same, with the domain as it was and as it would have started. */
static void test_fixed_point(void **state) {
    static const char domain[] = "    <name>d</name>\n"
                                 "    <uuid>11111111-2222-3333-4444-555555555555</uuid>\n"
                                 "    <memory unit='KiB'>65536</memory>\n";
    CLEANUP_FREE char *given = strf(
        "<domainsnapshot><name>s</name><description>a &lt; b</description>"
        "<state>running</state><parent><name>p</name></parent>"
        "<creationTime>77</creationTime><memory snapshot='internal'/>"
        "<disks><disk name='vda' snapshot='internal'/>"
        "<disk name='vdb' snapshot='no'/></disks>"
        "<domain type='qemu'>%s<vcpu>3</vcpu>"
        "<os><type arch='x86_64'>hvm</type></os></domain>"
        "<inactiveDomain type='qemu'>%s<vcpu>1</vcpu>"
        "<os><type arch='x86_64'>hvm</type></os></inactiveDomain>"
        "</domainsnapshot>",
        domain, domain);
    const DomainParseParams params = {.default_arch = "x86_64", .live = true};
    CLEANUP_SNAPSHOT_DEF SnapshotDef *def = NULL, *again = NULL;
    CLEANUP_FREE char *text = NULL, *other = NULL;

    assert_int_equal(snapshot_parse_whole(given, strlen(given), &params, &def, NULL), 0);
    assert_int_equal(def->state, SNAPSHOT_RUNNING);
    assert_string_equal(def->parent, "p");
    assert_true(def->has_created && def->created == 77);
    assert_int_equal(def->domain->n_vcpus_max, 3);
    assert_int_equal(def->inactive->n_vcpus_max, 1);
    assert_true(snapshot_has_memory(def) && !snapshot_is_external(def));
    assert_int_equal(snapshot_format(def, 0, true, &text), 0);
    assert_non_null(strstr(text, "  <state>running</state>\n  <parent>\n    <name>p</name>\n"
                                 "  </parent>\n  <creationTime>77</creationTime>\n"
                                 "  <memory snapshot='internal'/>\n  <disks>\n"
                                 "    <disk name='vda' snapshot='internal'/>\n"));
    assert_non_null(strstr(text, "\n  <inactiveDomain type='qemu'>\n"));
    assert_int_equal(snapshot_parse_whole(text, strlen(text), &params, &again, NULL), 0);
    assert_int_equal(snapshot_format(again, 0, true, &other), 0);
    assert_string_equal(text, other);
}

static void test_nothing_said(void **state) {
    CLEANUP_SNAPSHOT_DEF SnapshotDef *def = parse("<domainsnapshot><name/></domainsnapshot>");

    assert_null(def->name);
    assert_int_equal(def->n_disks, 0);
    assert_int_equal(def->memory, SNAPSHOT_UNSAID);
    assert_null(snapshot_def_free(NULL));
}

static void refuse(const char *xml, const char *words) {
    CLEANUP_ERROR Error *error = NULL;
    SnapshotDef *def = NULL;

    if (snapshot_parse(xml, strlen(xml), &def, &error) >= 0)
        fail_msg("taken: %s", xml);
    assert_null(def);
    if (!strstr(error->message, words))
        fail_msg("%s: %s", xml, error->message);
}

static void test_refused(void **state) {
    static const struct {
        const char *inside, *words;
    } rows[] = {
        {"<name>.a</name>", "'.a'"},
        {"<name>a/b</name>", "'a/b'"},
        {"<name>../../etc/x</name>", "name"},
        {"<memory snapshot='often'/>", "often"},
        {"<disks><disk/></disks>", "name"},
        {"<disks><disk name='vda' snapshot='maybe'/></disks>", "maybe"},
        {"<disks><disk name='vda' type='paper'/></disks>", "paper"},
        {"<disks><disk name='vda'><driver type='vhs'/></disk></disks>", "vhs"},
        {"<disks><disk name='vda'/><disk name='vdb'/><disk name='vda'/></disks>", "twice"},
        {"<disks><disk name='vda'><source file='o'/></disk></disks>", "absolute"},
        {"<disks><disk name='vda' snapshot='no'><source file='/o'/></disk></disks>", "<source>"},
        {"<disks><disk name='vda' snapshot='internal'><source file='/o'/></disk></disks>",
         "<source>"},
        {"<disks><disk name='vda' snapshot='manual'><source file='/o'/></disk></disks>",
         "<source>"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_FREE char *xml = strf("<domainsnapshot>%s</domainsnapshot>", rows[i].inside);

        refuse(xml, rows[i].words);
    }
    refuse("<domain/>", "'domain'");
    refuse("<domainsnapshot>", "domain_snapshot");
    refuse("", "domain_snapshot");
}

/* Too large, too deep, an entity that grows, a file of the host. */
static void test_hostile(void **state) {
    CLEANUP_FREE char *large = calloc(1, SNAPSHOT_XML_MAX + 2), *deep = calloc(1, 20000);
    CLEANUP_SNAPSHOT_DEF SnapshotDef *def = NULL;
    CLEANUP_ERROR Error *error = NULL, *other = NULL;

    assert_true(large && deep);
    memset(large, ' ', SNAPSHOT_XML_MAX + 1);
    memcpy(large, "<domainsnapshot/>", strlen("<domainsnapshot/>"));
    assert_true(snapshot_parse(large, SNAPSHOT_XML_MAX + 1, &def, &error) < 0);
    strcpy(deep, "<domainsnapshot>");
    for (int i = 0; i < 1000; i++)
        strcat(deep, "<disks>");
    assert_true(snapshot_parse(deep, strlen(deep), &def, &other) < 0);
    refuse("<!DOCTYPE d [<!ENTITY a 'b'>]><domainsnapshot><name>&a;</name></domainsnapshot>", "");
    refuse("<!DOCTYPE d [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><domainsnapshot><name>&a;</name>"
           "</domainsnapshot>",
           "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),        cmocka_unit_test(test_fixed_point),
        cmocka_unit_test(test_nothing_said), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_hostile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
