/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "conf/domain-def.h"

/* A copy of the text where there is none yet. -ENOMEM. */
int fill_text(char **to, const char *text);
/* All but controllers and addresses. -ENOMEM. */
int domain_fill_devices(DomainDef *def);
