/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The config half of a vCPU change: the persistent definition as a request wants it. */
#pragma once

#include "domain/domain.h"
#include "domain/operation.h"

/* Makes and validates it; nothing is changed yet. The domain has a persistent definition. */
int vcpu_config_make(const Domain *domain, const VcpuRequest *request, DomainDef **ret,
                     Error **reterr);
/* Makes it anew and puts it in the place of the old one once its file is written. On a fiber, job
 * held. */
int vcpu_config_commit(Domain *domain, const VcpuRequest *request, Error **reterr);
