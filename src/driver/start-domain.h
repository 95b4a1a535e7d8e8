/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A persistent domain's start. */
#pragma once

#include "domain/domain.h"

/* From its managed save when there is one, which `force_boot` throws away; else it boots. Takes the
 * job. On a fiber. */
int start_domain(Domain *domain, bool paused, bool force_boot, Error **reterr);
