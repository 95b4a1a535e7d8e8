/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "qemu/quirks.h"

static bool has(unsigned major, unsigned minor, QuirkName name) {
    return quirk_of(&(QemuCaps){.major = major, .minor = minor}, DOMAIN_VIRT_QEMU, name);
}

static void test_measured_versions(void **state) {
    static const struct {
        QuirkName name;
        bool in_7_2, in_10_0, in_11_1;
    } rows[] = {
        {QUIRK_PLUG_AFTER_REMOVAL, true, false, false},
        {QUIRK_RESET_AFTER_REMOVAL, true, false, false},
        {QUIRK_VCPU_THREADS, true, true, true},
        {QUIRK_SHARED_REMOVAL, true, true, true},
        {QUIRK_LOST_INTERRUPTS, true, false, false},
        {QUIRK_NO_X2APIC, true, false, false},
        {QUIRK_SMM_PLUG, true, true, true},
    };

    assert_int_equal(ARRAY_SIZE(rows), QUIRK_MAX_);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(has(7, 2, rows[i].name), rows[i].in_7_2);
        assert_int_equal(has(10, 0, rows[i].name), rows[i].in_10_0);
        assert_int_equal(has(11, 1, rows[i].name), rows[i].in_11_1);
    }
}

static void test_versions_between_and_beyond(void **state) {
    assert_true(has(2, 11, QUIRK_PLUG_AFTER_REMOVAL));
    assert_true(has(9, 2, QUIRK_PLUG_AFTER_REMOVAL)); /* not measured: as the older neighbour */
    assert_true(has(8, 2, QUIRK_NO_X2APIC));
    assert_false(has(9, 0, QUIRK_NO_X2APIC));
    assert_true(has(99, 0, QUIRK_VCPU_THREADS));
    assert_false(has(99, 0, QUIRK_LOST_INTERRUPTS));
}

static void test_kvm_and_the_unknown(void **state) {
    for (QuirkName name = 0; name < QUIRK_MAX_; name++) {
        assert_null(quirk_of(&(QemuCaps){.major = 7, .minor = 2}, DOMAIN_VIRT_KVM, name));
        assert_non_null(quirk_of(NULL, DOMAIN_VIRT_QEMU, name));
    }
}

static void test_the_sentence(void **state) {
    const QemuCaps caps = {.major = 7, .minor = 2};
    CLEANUP_ERROR Error *error = NULL;

    for (QuirkName name = 0; name < QUIRK_MAX_; name++) {
        const Quirk *quirk = quirk_of(&caps, DOMAIN_VIRT_QEMU, name);
        CLEANUP_FREE char *text = quirk_text(quirk, NULL);

        assert_non_null(text);
        assert_non_null(quirk->remedy);
    }
    assert_true(quirk_refuse(quirk_of(&caps, DOMAIN_VIRT_QEMU, QUIRK_PLUG_AFTER_REMOVAL), &caps,
                             "plug a vCPU", "vm", "a vCPU was removed from it", &error) < 0);
    assert_string_equal(error_message(error),
                        "Operation not supported: cannot plug a vCPU in domain 'vm': a vCPU was "
                        "removed from it, and QEMU 7.2 without KVM crashes when a vCPU is plugged "
                        "after a removal; shut the domain down and start it again");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measured_versions),
        cmocka_unit_test(test_versions_between_and_beyond),
        cmocka_unit_test(test_kvm_and_the_unknown),
        cmocka_unit_test(test_the_sentence),
    };

    return cmocka_run_group_tests_name("qemu/quirks", tests, NULL, NULL);
}
