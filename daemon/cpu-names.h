/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names of CPU models that clients choose from. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Those that libvirt has a table of, for the architecture; NULL: it has none, and any name of the
 * emulator's is taken. */
const char *const *cpu_names(const char *arch, size_t *ret_n);
/* Whether libvirt has a name for it, and whether it knows CPUs of it. */
bool cpu_is_arch(const char *name);
bool cpu_has_names(const char *arch);
