/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks on a whole definition, after parse and after every change of the vCPU map. */
#pragma once

#include "conf/domain-def.h"

/* vCPU rules of BEHAVIOUR.md section 3 "Rules at parse", topology product equals the maximum, NUMA
 * cells name only existing vCPUs and do not overlap, unique disk targets. libvirt's code and words
 * where scripts grep for them (BEHAVIOUR.md 8). */
int domain_validate(const DomainDef *def, Error **reterr);
