/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a label lets a QEMU open by its definition, and what is said of labels elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "run-world.h"

#include "conf/domain-parse.h"
#include "driver/confinement.h"
#include "driver/label-apparmor.h"
#include "driver/label.h"
#include "driver/label-models.h"
#include "driver/named-files.h"
#include "driver/start-parts.h"
#include "driver/start-shown.h"
#include "host/apparmor.h"
#include "util/file.h"

static DomainDef *parse(const char *elements) {
    CLEANUP_FREE char *xml = strf("<domain type='qemu'><name>a</name><memory>65536</memory>"
                                  "<os><type machine='pc'>hvm</type></os>%s</domain>",
                                  elements);
    DomainDef *def = NULL;

    assert_int_equal(domain_parse(xml, strlen(xml),
                                  &(DomainParseParams){.default_arch = "x86_64", .live = true},
                                  &def, NULL),
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

static size_t count_labels(const DomainDef *def, const char *model) {
    size_t n = 0;

    for (size_t i = 0; i < def->n_seclabels; i++)
        n += streq_ptr(def->seclabels[i].model, model);
    return n;
}

static void start_anew(RunWorld *world) {
    DomainDef *live = world->domain->run->live;

    assert_int_equal(start_show(world->domain, &(QemuConfine){0}, NULL), 0);
    assert_int_equal(count_labels(live, "apparmor"), 0);
    assert_int_equal(count_labels(live, "dac"), 1);
    assert_int_equal(count_labels(live, "selinux"), 1);
    assert_string_equal(live->seclabels[0].model, "selinux");
    assert_string_equal(live->seclabels[0].baselabel, "s:o:t:s0");
    assert_null(live->seclabels[0].label);
    assert_null(live->seclabels[0].imagelabel);
}

/* What a saved or migrated QEMU wore is not what the next one wears, on a host that may not even
 * have the module; what its author asked for stays. */
static void test_labels_of_another_run(void **state) {
    run_world("<seclabel type='dynamic' model='apparmor' relabel='yes'><label>vireo-1</label>"
              "<imagelabel>vireo-1</imagelabel></seclabel>"
              "<seclabel type='dynamic' model='selinux' relabel='yes'>"
              "<baselabel>s:o:t:s0</baselabel><label>s:o:t:s0:c1</label>"
              "<imagelabel>s:o:f:s0:c1</imagelabel></seclabel>"
              "<seclabel type='dynamic' model='dac' relabel='yes'><label>+7:+7</label></seclabel>",
              start_anew);
}

/* ---- labels that could not be given when the daemon began ---- */

static bool in_the_way;
static unsigned n_tried;

int __wrap_label_models_choose(const char *setting, const char *run, const LabelModel **ret,
                               char **ret_why, Error **reterr);

int __wrap_label_models_choose(const char *setting, const char *run, const LabelModel **ret,
                               char **ret_why, Error **reterr) {
    n_tried++;
    *ret = in_the_way ? NULL : &label_apparmor;
    *ret_why = in_the_way ? strdup("the parser hangs") : NULL;
    return 0;
}

static void test_labels_are_tried_again(void **state) {
    Confinement *confinement = confinement_new(&(ConfinementParams){.security_driver = "auto"});

    assert_non_null(confinement);
    n_tried = 0;
    assert_int_equal(confinement_try_label(confinement, NULL), 0);
    assert_int_equal(n_tried, 0); /* the host has none */
    confinement->no_label = strdup("it was not there yet");
    in_the_way = true;
    assert_int_equal(confinement_try_label(confinement, NULL), 0);
    assert_null(confinement->label);
    assert_string_equal(confinement->no_label, "the parser hangs");
    in_the_way = false;
    assert_int_equal(confinement_try_label(confinement, NULL), 0);
    assert_ptr_equal(confinement->label, &label_apparmor);
    assert_null(confinement->no_label);
    assert_int_equal(confinement_try_label(confinement, NULL), 0);
    assert_int_equal(n_tried, 2);
    confinement_free(confinement);
}

static void check_hint(const DomainDef *def, const char *said, const char *expected) {
    CLEANUP_FREE char *hint = label_hint(def, said);

    assert_non_null(hint);
    if (*expected)
        assert_non_null(strstr(hint, expected));
    else
        assert_string_equal(hint, "");
}

/* A start that failed says where a file is let in. */
static void test_hint(void **state) {
    CLEANUP_DOMAIN_DEF DomainDef *worn = parse(
        "<seclabel type='dynamic' model='apparmor' relabel='yes'><label>vireo-1</label>"
        "</seclabel>");
    CLEANUP_DOMAIN_DEF DomainDef *own = parse(
        "<seclabel type='static' model='apparmor' relabel='no'><label>mine</label>"
        "</seclabel>");
    CLEANUP_DOMAIN_DEF DomainDef *bare = parse("");

    check_hint(worn, "Could not open '/w/a': Permission denied", "'vireo-1'");
    check_hint(worn, "Could not open '/w/a': Permission denied", "local/vireo-qemu");
    check_hint(own, "Could not open '/w/a': Permission denied", "in that profile");
    check_hint(worn, "Could not open '/w/a': No such file or directory", "");
    check_hint(bare, "Could not open '/w/a': Permission denied", "");
}

/* ---- a host whose AppArmor can be used, but not by us ---- */

static int worn;
static unsigned n_removed;

int __wrap_apparmor_load(const char *path, const char *text, Error **reterr);
int __wrap_apparmor_remove(const char *sysfs, const char *name);
int __wrap_qemu_confine_try(const QemuConfine *confine, QemuConfineStep *ret_step);

static char *loaded; /* the last one's text */

int __wrap_apparmor_load(const char *path, const char *text, Error **reterr) {
    free(loaded);
    loaded = strdup(text);
    return 0;
}

int __wrap_apparmor_remove(const char *sysfs, const char *name) {
    n_removed++;
    return 0;
}

int __wrap_qemu_confine_try(const QemuConfine *confine, QemuConfineStep *ret_step) {
    assert_string_equal(confine->label.text, "exec vireo-trial");
    assert_non_null(strstr(confine->label.attributes[0], "/exec"));
    *ret_step = CONFINE_LABEL;
    return worn;
}

static void try_profile(RunWorld *world) {
    CLEANUP_ERROR Error *error = NULL;

    worn = -EACCES;
    assert_true(label_apparmor.try(world->dir, &error) < 0);
    assert_non_null(strstr(error_message(error), "change_profile"));
    assert_int_equal(n_removed, 1);
    worn = 0;
    assert_int_equal(label_apparmor.try(world->dir, NULL), 0);
    assert_int_equal(n_removed, 2);
}

/* A vireod that has a profile itself may load one for a QEMU and not be let change to it. */
static void test_profile_that_cannot_be_worn(void **state) {
    run_world("", try_profile);
}

/* ---- what block jobs and snapshots write to ---- */

#define BELOW(index, path, more)                                                                   \
    "<backingStore type='file' index='" index "'><format type='qcow2'/><source file='" path        \
    "'/>" more "</backingStore>"

static void check_rule(const char *path, const char *access) {
    CLEANUP_FREE char *rule = strf("\"%s\" %s,", path, access);

    if (!strstr(loaded, rule))
        fail_msg("no rule %s in %s", rule, loaded);
}

static void check_rules(Domain *domain, const char *base, const char *above) {
    label_settle(domain);
    check_rule("/none/top", "rwk");
    check_rule("/none/above", above);
    check_rule("/none/mid", "rk");
    check_rule("/none/base", base);
}

static void write_below(RunWorld *world) {
    Domain *domain = world->domain;
    const Made made = {.kind = MADE_LABEL, .name = "vireo-1", .detail = "apparmor"};
    BlockJob job = {.disk = strdup("vda"),
                    .id = strdup("commit-2"),
                    .kind = BLOCK_JOB_COMMIT,
                    .top = 2,
                    .base = 1};
    Overlay overlay = {
        .disk = strdup("vda"),
        .node = strdup("overlay-5"),
        .source = {.type = DISK_FILE, .path = strdup("/none/over"), .node = strdup("overlay-5")}};
    DomainJob held;

    assert_int_equal(domain_job_begin(domain, &held, "test", NULL), 0);
    assert_int_equal(start_parts_note(domain, &made, NULL), 0);
    check_rules(domain, "rk", "rk");
    assert_int_equal(run_add_block_job(&domain->run->disks, &job), 0);
    check_rules(domain, "rwk", "rwk");
    domain->run->disks.jobs[0].phase = BLOCK_JOB_SETTLED;
    check_rules(domain, "rk", "rk");
    assert_null(strstr(loaded, "/none/over"));
    assert_int_equal(run_add_overlay(&domain->run->disks, &overlay), 0);
    check_rules(domain, "rk", "rk");
    check_rule("/none/over", "rwk");
    domain_job_end(domain, &held);
    free(TAKE_PTR(loaded));
}

/* Whatever else has the profile made anew meanwhile. */
static void test_what_is_written_to(void **state) {
    run_world(
        "<devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
        "<source file='/none/top' index='4'/>" BELOW(
            "3", "/none/above",
            BELOW("2", "/none/mid",
                  BELOW("1", "/none/base",
                        "<backingStore/>"))) "<target dev='vda' bus='virtio'/></disk></devices>",
        write_below);
}

int main(void) {
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_files_besides_images),
                                              cmocka_unit_test(test_labels_of_another_run),
                                              cmocka_unit_test(test_labels_are_tried_again),
                                              cmocka_unit_test(test_hint),
                                              cmocka_unit_test(test_profile_that_cannot_be_worn),
                                              cmocka_unit_test(test_what_is_written_to)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
