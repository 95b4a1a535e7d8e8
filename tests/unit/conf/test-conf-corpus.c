/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The definitions that people published, as libvirt 9.0 keeps them: each file of the corpus is
 * parsed, filled in and written, and compared with what libvirt's dumpxml --inactive says after a
 * define; once more, and nothing changes. The score is printed with the files that differ. The
 * corpus is beside the source tree; without it the test is skipped. CORPUS_OUT=DIR keeps what was
 * written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>

#include "conf/domain-fill.h"
#include "conf/domain-format.h"
#include "conf/domain-parse.h"
#include "util/file.h"

#define SKIPPED 77
#define AT_LEAST 172 /* files that are equal: raise it when there are more */

/* What QEMU 7.2 says of its machines. */
static const char *canonical(const char *machine) {
    if (!machine || streq(machine, "pc"))
        return "pc-i440fx-7.2";
    return streq(machine, "q35") ? "pc-q35-7.2" : machine;
}

/* What is made up where nobody gave it is as in the other file: a uuid, MAC addresses. */
static void take_made_up(DomainDef *def, const char *xml, const char *wanted) {
    DomainParseParams params = {.default_arch = "x86_64"};
    CLEANUP_DOMAIN_DEF DomainDef *other = NULL;

    assert_int_equal(domain_parse(wanted, strlen(wanted), &params, &other, NULL), 0);
    if (!def->has_uuid)
        memcpy(def->uuid, other->uuid, sizeof(def->uuid));
    for (size_t i = 0; i < def->n_interfaces && i < other->n_interfaces; i++)
        if (!strcasestr(xml, def->interfaces[i].mac))
            memcpy(def->interfaces[i].mac, other->interfaces[i].mac, 17);
    if (def->has_genid && (!def->genid || !*def->genid) && other->genid) {
        free(def->genid);
        def->genid = strdup(other->genid);
    }
}

/* Parsed, filled in, written; NULL with the reason on stdout. */
static char *define(const char *file, const char *xml, const char *wanted) {
    DomainParseParams params = {.default_arch = "x86_64"};
    CLEANUP_DOMAIN_DEF DomainDef *def = NULL;
    CLEANUP_ERROR Error *error = NULL;
    DomainFillParams fill = {.emulator = "/usr/bin/qemu-system-x86_64",
                             .nvram_dir = "/var/lib/libvirt/qemu/nvram",
                             .cpu_model = "qemu64"};
    char *text = NULL;

    if (domain_parse(xml, strlen(xml), &params, &def, &error) < 0) {
        printf("%s: refused: %s\n", file, error_message(error));
        return NULL;
    }
    take_made_up(def, xml, wanted);
    fill.machine = canonical(def->os.machine);
    if (domain_fill(def, &fill, &error) < 0) {
        printf("%s: not filled in: %s\n", file, error_message(error));
        return NULL;
    }
    assert_int_equal(domain_format(def, &(DomainFormatParams){0}, &text), 0);
    return text;
}

static void keep(const char *name, const char *text) {
    const char *dir = getenv("CORPUS_OUT");
    CLEANUP_FREE char *path = dir ? path_join(dir, name) : NULL;

    if (path)
        assert_int_equal(file_write_atomic(path, text, strlen(text), 0644), 0);
}

typedef struct Score {
    unsigned files, defined, equal, fixed;
} Score;

static void check(const char *file, Score *score) {
    const char *name = strrchr(file, '/') + 1;
    CLEANUP_FREE char *xml = NULL, *wanted = NULL, *first = NULL, *second = NULL;
    CLEANUP_FREE char *path = strf("%.*slibvirt-9.0/%s", (int)(name - file), file, name);

    assert_int_equal(file_read(file, DOMAIN_XML_MAX, &xml, NULL), 0);
    assert_int_equal(file_read(path, DOMAIN_XML_MAX, &wanted, NULL), 0);
    score->files++;
    first = define(name, xml, wanted);
    if (!first)
        return;
    score->defined++;
    keep(name, first);
    second = define(name, first, wanted);
    if (second && streq(first, second))
        score->fixed++;
    else
        printf("%s: a second define changes it\n", name);
    if (streq(first, wanted))
        score->equal++;
    else
        printf("%s: differs\n", name);
}

static void test_corpus(void **state) {
    CLEANUP_FREE char *pattern = path_join(CORPUS_DIR, "*.xml");
    Score score = {0};
    glob_t found = {0};

    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        check(found.gl_pathv[i], &score);
    globfree(&found);
    printf("corpus: %u of %u files define, %u are as libvirt 9.0 keeps them, %u are fixed points\n",
           score.defined, score.files, score.equal, score.fixed);
    assert_int_equal(score.defined, score.files);
    assert_int_equal(score.fixed, score.files);
    assert_true(score.equal >= AT_LEAST);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corpus)};

    if (access(CORPUS_DIR "/libvirt-9.0", R_OK) < 0) {
        printf("skipped: no corpus in %s\n", CORPUS_DIR);
        return SKIPPED;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
