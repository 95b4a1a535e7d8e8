/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The files that a machine starts from. */
#pragma once

#include "domain/domain.h"

/* Whether kernel, initrd and images are there. What a startupPolicy allows to be missing is left
 * out of the live definition: of a drive its medium, else the disk; clients are told (DISK_CHANGE).
 * Looks on the worker pool, for an image may be on a host that does not answer. Aliases are
 * assigned; job held, before there is a QEMU. ERROR_SYSTEM names the file. */
int start_check_files(Domain *domain, Error **reterr);
