/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's start: from a definition to a machine whose guest runs. */
#pragma once

#include "domain/domain.h"

/* Starts it as `def` says. Flags (util/libvirt-numbers.h): START_PAUSED (its guest does not run
 * yet), START_RESET_NVRAM (the variables of its firmware are made from their template again, and
 * stay so whatever comes of the start). A start that fails leaves nothing behind. On a fiber, job
 * held. */
int start_locked(Domain *domain, const DomainDef *def, unsigned flags, Error **reterr);
/* The same with the guest of a saved image; NULL: it boots. */
struct SaveSource;
int start_restored(Domain *domain, const DomainDef *def, const struct SaveSource *source,
                   unsigned flags, Error **reterr);
