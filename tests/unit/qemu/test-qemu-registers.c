/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "qemu/registers.h"

/* As QEMU prints them, without the lines between. */
static int kernel(int cpl, const char *idt, const char *cr0) {
    char text[300];

    snprintf(text, sizeof(text),
             "\nCPU#1\nEIP=0000fff0 EFL=00000002 [-------] CPL=%d II=0 A20=1 SMM=0 HLT=1\n"
             "GDT=     000f6180 00000037\nIDT=     %s\n"
             "CR0=%s CR2=00000000 CR3=00000000 CR4=00000000\n",
             cpl, idt, cr0);
    return registers_of_kernel(text);
}

static void test_firmware(void **state) {
    assert_int_equal(kernel(0, "00000000 0000ffff", "60000010"), 0); /* in reset */
    assert_int_equal(kernel(0, "000f61be 00000000", "00000011"), 0); /* SeaBIOS */
    /* OVMF: in its memory, then where it leaves a CPU to the guest. */
    assert_int_equal(kernel(0, "000000000ff300e8 0000021f", "80000033"), 0);
    assert_int_equal(kernel(0, "000000000f4200e8 00000fff", "80010033"), 0);
    assert_int_equal(kernel(0, "0f4200e8 00000fff", "00010033"), 0);
}

static void test_kernel(void **state) {
    assert_int_equal(kernel(0, "ffffffff8d404000 000001ff", "80050033"), 1); /* Linux, early */
    assert_int_equal(kernel(0, "fffffe0000000000 00000fff", "80050033"), 1);
    assert_int_equal(kernel(3, "fffffe0000000000 00000fff", "80050033"), 1);
    assert_int_equal(kernel(3, "00000000 00000fff", "80050033"), 1); /* a program of 32 bits */
    assert_int_equal(kernel(0, "ff400000 000007ff", "80050033"), 1); /* a kernel of 32 bits */
    assert_int_equal(kernel(0, "80b95400 000007ff", "8001003b"), 1);
}

static void test_anything_else(void **state) {
    assert_int_equal(registers_of_kernel(""), -ENODATA);
    assert_int_equal(registers_of_kernel("NIP c000000000000000 LR 0 CTR 0 XER 0"), -ENODATA);
    assert_int_equal(registers_of_kernel("CR0=80050033 CPL=0"), -ENODATA);
    assert_int_equal(registers_of_kernel("CPL=0 CR0=80050033 IDT="), 0);
    assert_int_equal(registers_of_kernel("IDT=     fffffe00 CPL= CR0="), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_firmware),
        cmocka_unit_test(test_kernel),
        cmocka_unit_test(test_anything_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
