/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One descriptor by its text, for tests that have no directories of them. */
#pragma once

#include "qemu/firmware.h"

/* -EBADMSG for a text that is no descriptor, -EOPNOTSUPP for firmware that is mapped in another way
 * than as flash or as a file; -ENOMEM. */
int firmware_parse(const char *text, size_t len, Firmware *ret);
