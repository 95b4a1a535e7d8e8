/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's start: from a definition to a machine whose guest runs. */
#pragma once

#include "domain/domain.h"

/* Starts it as `def` says; `paused`: its guest does not run yet. A start that fails leaves nothing
 * behind. On a fiber, job held. */
int start_locked(Domain *domain, const DomainDef *def, bool paused, Error **reterr);
/* Starts a persistent domain. Takes the job. */
int start_domain(Domain *domain, bool paused, Error **reterr);
