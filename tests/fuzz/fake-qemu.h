/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A QEMU that is only its monitor: four single-vCPU entities, the first plugged at boot. Its
 * behaviour is chosen by one byte, so that a fuzzer can have it refuse, fall silent or end at bad
 * moments. */
#pragma once

#include "driver/driver.h"

enum {
    QEMU_DELETES = 0,     /* the low three bits: what device_del leads to */
    QEMU_HINTS = 1,       /* DEVICE_DELETED for a child only */
    QEMU_REJECTS = 2,     /* ACPI_DEVICE_OST 1 */
    QEMU_IN_PROGRESS = 3, /* ACPI_DEVICE_OST 0x84, then silence */
    QEMU_SILENT = 4,      /* accepted, no event */
    QEMU_NOT_FOUND = 5,
    QEMU_GUEST_ERROR = 6,
    QEMU_CLOSES = 7,
    QEMU_LATE = 8,       /* events come with the answer to the next command */
    QEMU_ADD_FAILS = 16, /* every second device_add */
    QEMU_NO_ENTITIES = 32,
    QEMU_SHUTS_DOWN = 64, /* on cont, stop and system_powerdown */
    QEMU_ENDS = 128,      /* closes the connection at the 8th command */
};

/* Makes a defined domain run. On a fiber. */
void fake_qemu_start(Domain *domain, unsigned behaviour);
/* The QEMU goes, if it is still there. */
void fake_qemu_end(void);
