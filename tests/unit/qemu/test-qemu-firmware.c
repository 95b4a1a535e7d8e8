/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Firmware descriptors: read, chosen by what a definition asks for, and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>

#include "conf/domain-parse.h"
#include "qemu/firmware-internal.h"
#include "util/file.h"

#define DESCRIPTOR(file, vars, features)                                                           \
    "{\"interface-types\":[\"uefi\"],\"mapping\":{\"device\":\"flash\",\"executable\":"            \
    "{\"filename\":\"%1$s/" file "\",\"format\":\"raw\"},\"nvram-template\":"                      \
    "{\"filename\":\"%1$s/" vars "\",\"format\":\"raw\"}},"                                        \
    "\"targets\":[{\"architecture\":\"x86_64\",\"machines\":[\"pc-q35-*\"]}],"                     \
    "\"features\":[" features "]}"

static char base[] = "/tmp/vireo-firmware-XXXXXX";
static char *first, *second;

static void put(const char *directory, const char *name, const char *text) {
    CLEANUP_FREE char *path = path_join(directory, name);

    assert_int_equal(file_write_atomic(path, text, strlen(text), 0600), 0);
}

static void put_descriptor(const char *directory, const char *name, const char *format) {
    char text[2048];

    snprintf(text, sizeof(text), format, base);
    put(directory, name, text);
}

static DomainDef *domain(const char *os) {
    CLEANUP_FREE char *xml = strf("<domain type='qemu'><name>a</name><memory>1</memory>%s</domain>",
                                  os);
    DomainParseParams params = {.default_arch = "x86_64"};
    CLEANUP_ERROR Error *error = NULL;
    DomainDef *def = NULL;

    if (domain_parse(xml, strlen(xml), &params, &def, &error) < 0)
        fail_msg("%s", error_message(error));
    return def;
}

#define OS(inside) "<os firmware='efi'><type arch='x86_64'>hvm</type>" inside "</os>"

/* NULL: nothing suits. */
static void expect(const char *os, const char *machine, const char *file) {
    const char *const directories[] = {first, second, NULL};
    CLEANUP_DOMAIN_DEF DomainDef *def = domain(os);
    CLEANUP(firmware_done) Firmware firmware = {0};
    CLEANUP_ERROR Error *error = NULL;
    int r = firmware_choose(directories, def, machine, &firmware, &error);

    if (!file) {
        assert_true(r < 0);
        assert_int_equal(error->code, ERROR_CONFIG_UNSUPPORTED);
        return;
    }
    assert_int_equal(r, 0);
    if (!streq(strrchr(firmware.executable, '/') + 1, file))
        fail_msg("%s on %s: %s, not %s", os, machine, firmware.executable, file);
}

static void test_the_first_that_suits(void **state) {
    expect(OS(""), "pc-q35-7.2", "keys.fd");
    expect(OS("<firmware><feature enabled='no' name='enrolled-keys'/></firmware>"), "pc-q35-7.2",
           "secure.fd");
    expect(OS("<firmware><feature enabled='no' name='secure-boot'/></firmware>"), "pc-q35-7.2",
           "plain.fd");
    expect(OS("<loader secure='no'/>"), "pc-q35-7.2", "plain.fd");
    expect(OS("<loader secure='yes'/>"), "pc-q35-7.2", "keys.fd");
    expect(OS("") "<features><smm state='off'/></features>", "pc-q35-7.2", "plain.fd");
    expect(OS("") "<pm><suspend-to-mem enabled='yes'/></pm>", "pc-q35-7.2", "plain.fd");
    expect(OS(""), "pc-i440fx-7.2", NULL);
    expect(OS("<loader stateless='yes'/>"), "pc-q35-7.2", NULL);
    expect("<os firmware='bios'><type arch='x86_64'>hvm</type></os>", "pc-q35-7.2", NULL);
    expect("<os firmware='efi'><type arch='aarch64'>hvm</type></os>", "pc-q35-7.2", NULL);
}

static void test_all_that_there_is(void **state) {
    const char *const directories[] = {first, second, NULL};
    CLEANUP(firmware_list_done) FirmwareList list = {0}, none = {0};

    assert_int_equal(firmware_list(directories, "x86_64", "pc-q35-7.2", &list), 0);
    assert_true(list.uefi && list.secure_boot && !list.bios);
    assert_int_equal(list.n_flash, 3); /* not what is hidden, absent or broken */
    assert_non_null(strstr(list.flash[0], "keys.fd"));
    assert_non_null(strstr(list.flash[1], "secure.fd"));
    assert_non_null(strstr(list.flash[2], "plain.fd"));
    assert_int_equal(firmware_list(directories, "x86_64", "pc-i440fx-7.2", &none), 0);
    assert_true(!none.uefi && none.n_flash == 0);
}

static void test_what_was_chosen_is_written_down(void **state) {
    const char *const directories[] = {first, second, NULL};
    CLEANUP_DOMAIN_DEF DomainDef *def = domain(OS(""));
    CLEANUP(firmware_done) Firmware firmware = {0};

    assert_int_equal(firmware_choose(directories, def, "pc-q35-7.2", &firmware, NULL), 0);
    assert_int_equal(firmware_apply(&firmware, def), 0);
    assert_string_equal(def->os.loader, firmware.executable);
    assert_string_equal(def->os.loader_type, "pflash");
    assert_string_equal(def->os.nvram_template, firmware.nvram_template);
    assert_true(def->os.loader_readonly == TRISTATE_YES && def->os.has_nvram);
    assert_true(def->os.loader_secure == TRISTATE_YES && def->features.smm == TRISTATE_YES);
}

static void test_the_template_of_an_executable(void **state) {
    const char *const directories[] = {first, second, NULL};
    CLEANUP_FREE char *known = path_join(base, "secure.fd"), *guessed = NULL, *found = NULL;
    CLEANUP_FREE char *code = path_join(base, "X_CODE.secboot.fd"), *vars = NULL;

    assert_int_equal(firmware_find_template(directories, known, &found), 0);
    assert_string_equal(strrchr(found, '/') + 1, "vars.fd");
    assert_int_equal(firmware_find_template(directories, code, &guessed), -ENOENT);
    put(base, "X_VARS.fd", "");
    assert_int_equal(firmware_find_template(directories, code, &guessed), 0);
    vars = path_join(base, "X_VARS.fd");
    assert_string_equal(guessed, vars);
    unlink(vars);
}

static void test_damaged_descriptors(void **state) {
    static const struct {
        const char *text;
        int r;
    } rows[] = {{"", -EBADMSG},
                {"{", -EBADMSG},
                {"[]", -EBADMSG},
                {"{}", -EBADMSG},
                {"{\"mapping\":7}", -EBADMSG},
                {"{\"mapping\":{\"device\":\"flash\"}}", -EBADMSG},
                {"{\"mapping\":{\"device\":\"flash\",\"executable\":{\"filename\":3}}}", -EBADMSG},
                {"{\"mapping\":{\"device\":\"kernel\",\"filename\":\"/a\"}}", -EOPNOTSUPP},
                {"{\"mapping\":{\"device\":\"memory\",\"filename\":\"/a\"},\"targets\":[7,{},"
                 "{\"architecture\":\"x\",\"machines\":[1,null]}],\"features\":{}}",
                 0}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(firmware_done) Firmware firmware = {0};
        int r = firmware_parse(rows[i].text, strlen(rows[i].text), &firmware);

        if (r != rows[i].r)
            fail_msg("%s: %d", rows[i].text, r);
        assert_int_equal(firmware.n_targets, 0);
    }
}

static int set_up(void **state) {
    if (!mkdtemp(base) || !(first = path_join(base, "first")) ||
        !(second = path_join(base, "second")) || mkdir(first, 0700) < 0 || mkdir(second, 0700) < 0)
        return -1;
    for (const char *const *name = (const char *const[]){"keys.fd", "secure.fd", "plain.fd", NULL};
         *name; name++)
        put(base, *name, "");
    put(first, "10-hidden.json", "");
    put_descriptor(second, "10-hidden.json", DESCRIPTOR("hidden.fd", "vars.fd", ""));
    put_descriptor(second, "15-not-there.json", DESCRIPTOR("absent.fd", "vars.fd", ""));
    put(second, "17-broken.json", "{");
    put_descriptor(
        second, "20-keys.json",
        DESCRIPTOR("keys.fd", "vars.fd", "\"secure-boot\",\"enrolled-keys\",\"requires-smm\""));
    put_descriptor(first, "30-secure.json",
                   DESCRIPTOR("secure.fd", "vars.fd", "\"secure-boot\",\"requires-smm\""));
    put_descriptor(second, "40-plain.json", DESCRIPTOR("plain.fd", "vars.fd", "\"acpi-s3\""));
    return 0;
}

static int tear_down(void **state) {
    CLEANUP_FREE char *command = strf("rm -r %s", base);

    free(first);
    free(second);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_first_that_suits),
        cmocka_unit_test(test_all_that_there_is),
        cmocka_unit_test(test_what_was_chosen_is_written_down),
        cmocka_unit_test(test_the_template_of_an_executable),
        cmocka_unit_test(test_damaged_descriptors),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
