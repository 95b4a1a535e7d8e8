/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* placement='auto': the nodes that numad advises, for the CPUs, the memory, or both. A <vcpu>
 * placed so places memory that nothing else is said of, as in libvirt. */
#pragma once

#include "conf/domain-def.h"
#include "util/error.h"

/* Asks numad for a definition that wants it; on a fiber. */
int placement_advise(DomainDef *live, Error **reterr);
/* Gives a definition with placement='auto' the nodes that were advised. */
int placement_apply(DomainDef *live, const Bitmap *nodes, Error **reterr);
