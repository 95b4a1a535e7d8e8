/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host has to have before a domain's QEMU can be started: taps, the firmware's variables,
 * programs that serve its devices, PCI devices in the hands of vfio, overlays of transient disks.
 * prepare_undo takes it back.
 *
 * The job is held in all of it. */
#pragma once

#include "driver/start-parts.h"

/* Makes them for the domain's run; its live definition gets the names of what was made. What is
 * there after an error prepare_undo removes. On a fiber. */
int prepare_start(Domain *domain, StartParts *ret, Error **reterr);
/* What only a running QEMU can be told, before its CPUs run. */
int prepare_settle(Domain *domain, uint64_t deadline, Error **reterr);
