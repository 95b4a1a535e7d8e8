/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What disks of a domain are encrypted with, and what proves who it is at their hosts. The values
 * reach QEMU as descriptors, in no argument and in no message. */
#pragma once

#include "driver/start-parts.h"

/* Those of all disks, as descriptors that its QEMU is born with. Errors: those of secret_open and
 * secret_open_auth. */
int prepare_secrets(Domain *domain, StartParts *parts, Error **reterr);
/* Those of one disk, as descriptors of a QEMU that runs. prepare_secrets_close also after an error.
 * On a fiber, job held. */
int prepare_disk_secrets(Domain *domain, const DiskDef *disk, StartParts *parts, Error **reterr);
/* QEMU has read them, or has no need of them. On a fiber, job held. */
void prepare_secrets_close(Domain *domain, const StartParts *parts);
