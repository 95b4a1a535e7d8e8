/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the disks of a domain are encrypted with. */
#pragma once

#include "driver/start-parts.h"

/* The passphrases of its disks, as descriptors of its QEMU. Errors: secret_open's. */
int prepare_secrets(Domain *domain, StartParts *parts, Error **reterr);
