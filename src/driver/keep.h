/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a domain's guest has written outside of its disks: the variables of its firmware, what its
 * TPM remembers. It outlives the guest, and at an undefine goes or stays as the flags say. */
#pragma once

#include "domain/domain.h"
#include "domain/services.h"

/* Whether the flags (UNDEFINE_NVRAM, UNDEFINE_KEEP_NVRAM, UNDEFINE_TPM, UNDEFINE_KEEP_TPM) say what
 * is to become of it: ERROR_OPERATION_INVALID when there are variables and nothing is said of them.
 */
int keep_check(const ServicePaths *paths, const DomainDef *def, unsigned flags, Error **reterr);
/* Removes what is not to be kept; what cannot be removed is logged. On a fiber. */
void keep_remove(const ServicePaths *paths, const DomainDef *def, unsigned flags);
