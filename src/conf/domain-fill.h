/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What libvirt adds to a definition when it is defined: implied devices, defaults, addresses. No
 * I/O: what QEMU or the host must say, the caller does. What was filled in is a fixed point. */
#pragma once

#include "conf/domain-def.h"

typedef struct DomainFillParams {
    const char *machine;  /* canonical name of def->os.machine (or of the default); NULL: unknown */
    const char *emulator; /* for a definition without one; NULL: it stays without */
    const char *nvram_dir; /* where private copies of the firmware's variables are; may be NULL */
    const char *cpu_model; /* of a definition without <cpu>: qemu64; NULL: it stays without */
} DomainFillParams;

/* ERROR_CONFIG_UNSUPPORTED, ERROR_XML for addresses that clash (both devices are named); -ENOMEM.
 */
int domain_fill(DomainDef *def, const DomainFillParams *params, Error **reterr);
