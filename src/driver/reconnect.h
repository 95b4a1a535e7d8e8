/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One domain's QEMU is connected again: by a new daemon, or because the monitor broke. Whatever was
 * known of it is asked anew. */
#pragma once

#include "domain/domain.h"
#include "driver/strays.h"

/* Tries to connect to the QEMU of a domain that has a run, and tries on in the background. `first`
 * counts as a first try (Services.n_first_tries) of one that an earlier daemon left. Without memory
 * nobody tries: -ENOMEM, or a line of the log. */
int reconnect_first(Domain *domain);
void reconnect_again(Domain *domain);
/* Makes a QEMU whose status file is lost the domain's: what runs is taken from the persistent
 * definition and from QEMU. On a fiber, job held; after an error all is as before. */
int reconnect_adopt(Domain *domain, const Stray *stray, Error **reterr);
