/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What QEMU versions do wrong and Vireo works around or refuses: one table, asked for by name.
 *
 * Measured on QEMU 7.2.22, 10.0.13 and 11.1.3 (tests/qemus does it again). A version between two
 * measured ones is taken to be as the older, one beyond the last to be as the last. */
#pragma once

#include "qemu/capabilities.h"

typedef enum QuirkName {
    QUIRK_PLUG_AFTER_REMOVAL,  /* ends QEMU */
    QUIRK_RESET_AFTER_REMOVAL, /* ends QEMU, also by the guest; so do a migration and a save */
    QUIRK_VCPU_THREADS,        /* more vCPU threads in one run than the maximum of vCPUs end QEMU */
    QUIRK_SHARED_REMOVAL,      /* where vCPUs share a thread, device_del ends QEMU */
    QUIRK_LOST_INTERRUPTS, /* behind a missing APIC: vCPUs are removed one by one, from the top */
    QUIRK_NO_X2APIC,
    QUIRK_SMM_PLUG, /* hangs the guest */
    QUIRK_MAX_
} QuirkName;

typedef struct Quirk {
    DomainVirt virt;       /* with this accelerator */
    unsigned major, minor; /* before this version; 0.0: in all */
    const char *what;      /* "crashes when ..." */
    const char *remedy;    /* what to do; goes behind a semicolon */
} Quirk;

/* NULL: this QEMU does not have it. Without capabilities (`caps` NULL) it has all. */
const Quirk *quirk_of(const QemuCaps *caps, DomainVirt virt, QuirkName name);
/* "QEMU 7.2 without KVM crashes when ..."; caller frees, NULL: out of memory. */
char *quirk_text(const Quirk *quirk, const QemuCaps *caps);
/* ERROR_OPERATION_UNSUPPORTED: "cannot `what` in domain `name`: `why`, and QEMU ...; remedy". `why`
 * may be NULL. */
int quirk_refuse(const Quirk *quirk, const QemuCaps *caps, const char *what, const char *name,
                 const char *why, Error **reterr);
