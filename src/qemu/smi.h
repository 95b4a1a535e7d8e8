/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a machine's firmware has agreed with QEMU about the system management interrupts of vCPUs
 * that come.
 *
 * q35's LPC bridge (ICH9-LPC) offers it in x-smi-cpu-hotplug; the firmware takes it late in its
 * boot, then x-smi-negotiated-features has bit 1, until the next reset. From then on the guest's
 * ACPI raises an SMI for each vCPU that comes, and the firmware looks after it before the guest
 * does. Facts: QEMU's docs/specs/acpi_cpu_hotplug, hw/isa/lpc_ich9.c, from QEMU 5.2 on. */
#pragma once

#include "qemu/monitor.h"

typedef enum SmiPlug {
    SMI_PLUG_NONE,   /* not offered, or the firmware has taken others only */
    SMI_PLUG_OPEN,   /* offered, and the firmware has taken nothing yet */
    SMI_PLUG_AGREED, /* a plug raises an SMI */
} SmiPlug;

/* NONE also where QEMU has no such bridge. `ret_begun`: the machine's CPUs have run. On a fiber;
 * -ETIMEDOUT, or the disconnect's errno, with the error of monitor_run. */
int smi_plug_query(Monitor *monitor, uint64_t deadline, SmiPlug *ret, bool *ret_begun,
                   Error **reterr);
