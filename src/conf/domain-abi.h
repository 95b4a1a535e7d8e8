/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What of a definition the guest sees: it stays the same when a guest that runs gets another
 * definition, on another host or from a file. */
#pragma once

#include "conf/domain-def.h"
#include "conf/element.h"

/* Whether the guest sees the same machine. Else the first difference's path, as
 * "devices/disk[2]/target@bus", is put into `path`. Names, sources, limits and what else is the
 * host's may differ. */
bool domain_abi_equal(const DomainDef *a, const DomainDef *b, char path[ELEMENT_PATH_SIZE]);
