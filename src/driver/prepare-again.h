/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Helpers of managed <reservations> (driver/prepare-helper.h) that end although their disk is still
 * there are started again: QEMU connects to the new one with the guest's next reservation. */
#pragma once

#include "domain/domain.h"

/* Watches those of all disks of the run that are not watched yet; one that has ended by now is
 * started. Job held, on a fiber. */
void prepare_again_watch(Domain *domain);
