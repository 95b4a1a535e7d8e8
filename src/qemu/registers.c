/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "qemu/registers.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGING (1ul << 31)
#define DIGITS_32 8

int registers_of_kernel(const char *text) {
    const char *cr0, *idt, *cpl;
    size_t n_digits;

    assert(text);
    cr0 = strstr(text, "CR0=");
    idt = strstr(text, "IDT=");
    cpl = strstr(text, "CPL=");
    if (!cr0 || !idt || !cpl)
        return -ENODATA;
    if (!(strtoul(cr0 + strlen("CR0="), NULL, 16) & PAGING))
        return 0;
    /* A program of 32 bits below a kernel of 64: its registers are printed cut to 32. */
    if (cpl[strlen("CPL=")] == '3')
        return 1;
    idt += strlen("IDT=");
    idt += strspn(idt, " ");
    n_digits = strspn(idt, "0123456789abcdefABCDEF");
    return n_digits >= DIGITS_32 && strchr("89abcdefABCDEF", *idt);
}
