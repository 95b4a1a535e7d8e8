/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a client's request for vCPUs asks of a domain, and whether it can be. Nothing is changed or
 * sent. */
#pragma once

#include "domain/operation.h"
#include "domain/vcpu-plan.h"

/* The ids of a list like "2-3"; at least one. ERROR_INVALID_ARG. */
int vcpu_request_ids(const char *list, Bitmap **ret, Error **reterr);
/* Refuses ids that a definition does not have; `which` of the two it is, for the sentence. */
int vcpu_request_check_ids(const DomainDef *def, const Bitmap *ids, const char *which,
                           Error **reterr);
/* Counts and ids against the definitions that are to be changed. */
int vcpu_request_check(const Domain *domain, const VcpuRequest *request, bool live, bool config,
                       Error **reterr);
/* The live half: everything that can be known to fail fails here. The plan has no entities when all
 * is so already. */
int vcpu_request_plan(Domain *domain, const VcpuRequest *request, HotplugPlan *plan,
                      Error **reterr);
