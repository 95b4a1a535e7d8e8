/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The way back of what was made for a domain that no longer runs. */
#pragma once

#include "domain/services.h"

/* Removes what was made for a domain of this uuid, whose QEMU is gone. What cannot be removed is
 * logged. On a fiber. */
void prepare_undo(const ServicePaths *paths, const uint8_t uuid[16]);
