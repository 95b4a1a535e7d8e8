/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The readings of domains and their vCPUs. */
#pragma once

#include "metrics-page.h"
#include "metrics-sample.h"

/* Adds those of the sample. On a fiber: a worker writes. -ENOMEM. */
int metrics_add_domains(Page *page, const Sample *sample);
