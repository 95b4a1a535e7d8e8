/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "conf/domain-def.h"
#include "domain/services.h"

/* What a define adds to a definition: emulator, machine, default devices, addresses. */
int definition_fill(const Services *services, DomainDef *def, Error **reterr);
