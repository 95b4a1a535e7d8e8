/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The images of a disk: found, learnt of QEMU's replies (also of such that lack members or go in a
 * circle), put on top, taken out, and still to be read when there are as many as there may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "conf/domain-format.h"
#include "conf/domain-parse.h"
#include "domain/services.h"
#include "driver/disk-chain.h"
#include "driver/storage.h"
#include "util/file.h"

/* A definition with one disk, vda, of /d/top.qcow2. */
static DomainDef *make(const char *below) {
    CLEANUP_FREE char *xml = strf("<domain type='qemu'><name>d</name><memory>65536</memory>"
                                  "<os><type arch='x86_64' machine='q35'>hvm</type></os><devices>"
                                  "<disk type='file'><driver name='qemu' type='qcow2'/>"
                                  "<source file='/d/top.qcow2'/>%s<target dev='vda' bus='virtio'/>"
                                  "<alias name='ua-vda'/>"
                                  "</disk></devices></domain>",
                                  below);
    CLEANUP_ERROR Error *error = NULL;
    DomainDef *def = NULL;

    if (domain_parse(xml, strlen(xml), &(DomainParseParams){0}, &def, &error) < 0)
        fail_msg("%s", error_message(error));
    return def;
}

/* Completes the chain from the reply, in which the disk's own node is "top". */
static int complete(DomainDef *def, const char *reply) {
    CLEANUP_JSON json_object *nodes = json_tokener_parse(reply);
    Storage *storage = storage_new(&(StorageParams){.etc = "/nonexistent", .run = "/nonexistent"});
    Services services = {.storage = storage};
    const Domain domain = {.services = &services};
    int r;

    assert_non_null(storage);
    free(def->disks[0].source.node);
    def->disks[0].source.node = strdup("top");
    r = chain_complete(&domain, def, &def->disks[0], nodes);
    storage_free(storage);
    return r;
}

static void check_chain(const DiskDef *disk, const char *wanted) {
    char text[500] = "";

    for (size_t i = 0; chain_at(disk, i); i++) {
        const StorageSource *at = chain_at(disk, i);

        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s:%s", i ? " " : "",
                 at->path, at->format == DISK_FORMAT_RAW ? "raw" : "qcow2");
    }
    assert_string_equal(text, wanted);
}

#define TOP "{\"node-name\":\"top\",\"drv\":\"qcow2\",\"file\":\"/d/top.qcow2\","
#define TOP_ON(file) TOP "\"backing_file\":\"" file "\"}"

static void test_learns_what_qemu_has(void **state) {
    CLEANUP_DOMAIN_DEF DomainDef *def = make("");
    const DiskDef *disk = &def->disks[0];

    assert_false(chain_is_closed(disk));
    assert_int_equal(
        complete(def,
                 "[" TOP_ON("/d/a") ","
                                    "{\"node-name\":\"#1\",\"drv\":\"qcow2\",\"file\":\"/d/a\","
                                    "\"backing_file\":\"/d/b\"},"
                                    "{\"node-name\":\"#2\",\"drv\":\"raw\",\"file\":\"/d/b\"}]"),
        0);
    check_chain(disk, "/d/top.qcow2:qcow2 /d/a:qcow2 /d/b:raw");
    assert_true(chain_is_closed(disk));
    assert_string_equal(chain_at(disk, 2)->node, "#2");
    for (unsigned i = 0; i < 3; i++) {
        CLEANUP_FREE char *name = strf("vda[%u]", chain_index(disk, i));

        assert_true(chain_index(disk, i) > 0);
        assert_int_equal(chain_place(disk, chain_index(disk, i)), i);
        assert_int_equal(chain_find(disk, name), i);
        assert_int_equal(chain_find(disk, chain_at(disk, i)->path), i);
    }
}

static void test_learns_no_more_than_it_may(void **state) {
    static const char *const replies[] = {
        "[]", "{}", "[null,7]", "[{\"node-name\":\"top\",\"backing_file\":7}]",
        /* nobody has it, two have it, a format that is none here, a file for which there is none */
        "[" TOP_ON("/d/a") "]",
        "[" TOP_ON("/d/a") ",{\"node-name\":\"1\",\"drv\":\"raw\",\"file\":\"/d/a\"},"
                           "{\"node-name\":\"2\",\"drv\":\"raw\",\"file\":\"/d/a\"}]",
        "[" TOP_ON("/d/a") ",{\"node-name\":\"1\",\"drv\":\"vmdk\",\"file\":\"/d/a\"}]",
        "[" TOP_ON("/d/a") ",{\"drv\":\"raw\",\"file\":\"/d/a\"}]",
        "[" TOP_ON("/d/a") ",{\"node-name\":\"1\",\"file\":\"/d/a\"}]",
        /* places where no header may point */
        "[" TOP_ON("/etc/a") ",{\"node-name\":\"1\",\"drv\":\"raw\",\"file\":\"/etc/a\"}]",
        "[" TOP_ON(
            "/d/../etc/a") ",{\"node-name\":\"1\",\"drv\":\"raw\",\"file\":\"/d/../etc/a\"}]",
        "[" TOP_ON("a") ",{\"node-name\":\"1\",\"drv\":\"raw\",\"file\":\"a\"}]",
        "[" TOP_ON("") ",{\"node-name\":\"1\",\"drv\":\"raw\",\"file\":\"\"}]",
        /* itself */
        "[" TOP_ON("/d/top.qcow2") "]"};

    for (size_t i = 0; i < ARRAY_SIZE(replies); i++) {
        CLEANUP_DOMAIN_DEF DomainDef *def = make("");

        assert_int_equal(complete(def, replies[i]), 0);
        check_chain(&def->disks[0], "/d/top.qcow2:qcow2");
    }
}

static void test_circle(void **state) {
    CLEANUP_DOMAIN_DEF DomainDef *def = make("");

    assert_int_equal(
        complete(def,
                 "[" TOP_ON("/d/a") ","
                                    "{\"node-name\":\"#1\",\"drv\":\"qcow2\",\"file\":\"/d/a\","
                                    "\"backing_file\":\"/d/b\"},"
                                    "{\"node-name\":\"#2\",\"drv\":\"qcow2\",\"file\":\"/d/b\","
                                    "\"backing_file\":\"/d/a\"}]"),
        0);
    check_chain(&def->disks[0], "/d/top.qcow2:qcow2 /d/a:qcow2 /d/b:qcow2");
    assert_false(chain_is_closed(&def->disks[0]));
}

/* What the XML says below is not asked of QEMU. */
static void test_said(void **state) {
    CLEANUP_DOMAIN_DEF DomainDef *def = make("<backingStore type='file'><format type='qcow2'/>"
                                             "<source file='/x/a'/><backingStore/></backingStore>");

    assert_true(chain_is_closed(&def->disks[0]));
    assert_int_equal(complete(def, "[" TOP_ON("/d/z") ",{\"node-name\":\"z\",\"drv\":\"raw\","
                                                      "\"file\":\"/d/z\"}]"),
                     0);
    check_chain(&def->disks[0], "/d/top.qcow2:qcow2 /x/a:qcow2");
}

static void test_find_refuses(void **state) {
    static const char *const names[] = {
        "",        "vda",   "vda[",    "vda[]",  "vda[0]",          "vda[9]",
        "vda[-1]", "vda[1", "vda[1]x", "vdb[1]", "vda[4294967297]", "vda[99999999999999999999999]",
        "/d/none", "vda[x]"};
    CLEANUP_DOMAIN_DEF DomainDef *def = make("");

    assert_int_equal(complete(def, "[]"), 0);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        assert_int_equal(chain_find(&def->disks[0], names[i]), -ENOENT);
    assert_null(chain_disk(def, "vdb"));
    assert_ptr_equal(chain_disk(def, "vda"), &def->disks[0]);
    assert_null(chain_at(&def->disks[0], 1));
    assert_int_equal(chain_index(&def->disks[0], 1), 0);
}

static void push(DiskDef *disk, unsigned n) {
    StorageSource source = {.type = DISK_FILE, .format = DISK_FORMAT_QCOW2};

    source.path = strf("/d/%u", n);
    source.node = strf("overlay-%u", n);
    assert_true(source.path && source.node);
    assert_int_equal(chain_push(disk, &source, n), 0);
    assert_null(source.path);
}

static void test_drop(void **state) {
    static const struct {
        size_t from, to;
        const char *left;
        size_t n_dropped;
    } rows[] = {
        {0, 1, "/d/8:qcow2 /d/7:qcow2 /d/top.qcow2:qcow2", 1},
        {0, 3, "/d/top.qcow2:qcow2", 3},
        {1, 2, "/d/9:qcow2 /d/7:qcow2 /d/top.qcow2:qcow2", 1},
        {1, 3, "/d/9:qcow2 /d/top.qcow2:qcow2", 2},
        {1, 4, "/d/9:qcow2", 3},
        {2, 9, "/d/9:qcow2 /d/8:qcow2", 2},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_DOMAIN_DEF DomainDef *def = make("");
        CLEANUP_CHAIN BackingStore *dropped = NULL;
        DiskDef *disk = &def->disks[0];
        size_t n = 0;

        for (unsigned k = 7; k < 10; k++)
            push(disk, k);
        assert_int_equal(chain_index(disk, 0), 9);
        assert_int_equal(chain_drop(disk, rows[i].from, rows[i].to, &dropped), 0);
        check_chain(disk, rows[i].left);
        for (const BackingStore *at = dropped; at; at = at->next)
            n += storage_is_there(&at->source);
        assert_int_equal(n, rows[i].n_dropped);
        assert_int_equal(chain_is_closed(disk), rows[i].to >= 4);
        if (rows[i].from == 0)
            assert_int_equal(chain_index(disk, 0), rows[i].to == 1 ? 8 : 0);
    }
}

/* The definition that is kept has the same images, and no numbers or nodes. */
static void test_config(void **state) {
    CLEANUP_DOMAIN_DEF DomainDef *live = make(""), *config = make("");

    push(&live->disks[0], 1);
    push(&live->disks[0], 2);
    assert_int_equal(chain_copy_to_config(&config->disks[0], &live->disks[0], false), 0);
    check_chain(&config->disks[0], "/d/top.qcow2:qcow2 /d/1:qcow2 /d/top.qcow2:qcow2");
    assert_int_equal(chain_copy_to_config(&config->disks[0], &live->disks[0], true), 0);
    check_chain(&config->disks[0], "/d/2:qcow2 /d/1:qcow2 /d/top.qcow2:qcow2");
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(chain_index(&config->disks[0], i), 0);
        assert_null(chain_at(&config->disks[0], i)->node);
    }
}

/* As many images as there may be, learnt or made, come back from the XML. */
static void check_read_back(const DomainDef *def) {
    CLEANUP_DOMAIN_DEF DomainDef *again = NULL;
    CLEANUP_ERROR Error *error = NULL;
    CLEANUP_FREE char *xml = NULL;

    assert_int_equal(domain_format(def, &(DomainFormatParams){0}, &xml), 0);
    if (domain_parse(xml, strlen(xml), &(DomainParseParams){0}, &again, &error) < 0)
        fail_msg("%s", error_message(error));
    assert_int_equal(chain_length(&again->disks[0]), CHAIN_MAX);
}

static void test_deep(void **state) {
    CLEANUP_DOMAIN_DEF DomainDef *made = make(""), *learnt = make("");
    CLEANUP_FREE char *reply = strf("[" TOP_ON("/d/0")), *whole = NULL;

    for (unsigned i = 1; i < CHAIN_MAX; i++)
        push(&made->disks[0], i);
    check_read_back(made);
    for (unsigned i = 0; i < 500; i++) {
        char *more = strf("%s,{\"node-name\":\"#%u\",\"drv\":\"qcow2\",\"file\":\"/d/%u\","
                          "\"backing_file\":\"/d/%u\"}",
                          reply, i, i, i + 1);

        free(reply);
        reply = more;
    }
    whole = strf("%s]", reply);
    assert_int_equal(complete(learnt, whole), 0);
    assert_int_equal(chain_length(&learnt->disks[0]), CHAIN_MAX);
    check_read_back(learnt);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns_what_qemu_has),
        cmocka_unit_test(test_learns_no_more_than_it_may),
        cmocka_unit_test(test_circle),
        cmocka_unit_test(test_said),
        cmocka_unit_test(test_find_refuses),
        cmocka_unit_test(test_drop),
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_deep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
