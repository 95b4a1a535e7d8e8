/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The filters of lists of domains. */
#pragma once

#include "domain/domain.h"

enum { FILTER_ALL_BITS = (1 << 16) - 1 };

/* Whether the bits of virConnectListAllDomainsFlags let the domain through: of each group that has
 * any, one that fits. */
bool filter_matches(const Domain *domain, unsigned flags);
