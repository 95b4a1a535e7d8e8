/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line of a machine that nobody starts, for a reader. */
#pragma once

#include "conf/domain-def.h"
#include "qemu/capabilities.h"

/* Directories of what a start would make, and of spice's certificates (or NULL); none is looked at.
 */
typedef struct NativePaths {
    const char *channels, *nvram, *helpers, *spice_tls;
} NativePaths;

/* The argv that `def`, filled in, would get, as if the host had made whatever it needs: taps have
 * the numbers of descriptors that nobody opened, a VNC display has the first port. Chooses firmware
 * by its descriptors, writes all that was chosen into `def`, and starts nothing. Reads files: on
 * the worker pool. ERROR_CONFIG_UNSUPPORTED for what QEMU cannot be told. The caller frees with
 * qemu_argv_free. */
int qemu_native_argv(DomainDef *def, const QemuCaps *caps, const NativePaths *paths,
                     char ***ret_argv, Error **reterr);
