/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A definition as the command line of its QEMU. */
#pragma once

#include "driver/driver.h"

/* The command line that a definition of that text would be started with, as one line for a shell,
 * with the variables of its environment before the program; qemu/native.h says what is made up.
 * Nothing is defined, started or made. Errors: those of a define, and of a start that QEMU refuses.
 * On a fiber. Caller frees. */
int driver_native(Driver *driver, const char *xml, char **ret, Error **reterr);
