/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Small things a QEMU is asked for: keys, an NMI. Both take the domain's job, on a
 * fiber. */
#pragma once

#include "domain/domain.h"

/* Presses these keys together for `holdtime_ms` (0: QEMU's default). codeset is libvirt's
 * virKeycodeSet: Linux, XT and QEMU's own numbers are known. */
int driver_send_key(Domain *domain, unsigned codeset, unsigned holdtime_ms, const unsigned *keys,
                    size_t n_keys, Error **reterr);
int driver_inject_nmi(Domain *domain, Error **reterr);
