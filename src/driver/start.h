/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's start: from a definition to a machine whose guest runs. */
#pragma once

#include "domain/domain.h"

/* Starts it as `def` says; `paused`: its guest does not run yet. A start that fails leaves nothing
 * behind. On a fiber, job held. */
int start_locked(Domain *domain, const DomainDef *def, bool paused, Error **reterr);
/* The same with the guest of a saved image; NULL: it boots. */
struct SaveSource;
int start_restored(Domain *domain, const DomainDef *def, const struct SaveSource *source,
                   bool paused, Error **reterr);
