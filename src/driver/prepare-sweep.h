/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What earlier daemons made for domains that run no more. */
#pragma once

#include "domain/services.h"

/* Removes it, once the domains that run were found again. On a fiber. */
void prepare_sweep(const Services *services);
/* Removes half-written files of a daemon that was killed (util/file.h) from the daemon's own
 * directories; not from where images are. Before anything is written. On a fiber. */
void prepare_sweep_temporaries(const ServicePaths *paths);
