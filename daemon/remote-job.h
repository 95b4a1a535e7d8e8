/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Jobs of domains as clients are told of them. */
#pragma once

#include "daemon.h"
#include "driver/transfer.h"
#include "params.h"

/* libvirt's names (libvirt-domain.h, VIR_DOMAIN_JOB_*). */
void job_add_params(Params *params, const TransferStats *stats);
