/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A migration that the source's vireod leads: libvirt's peer to peer. The client makes one call and
 * may go; this vireod is the other's client. */
#pragma once

#include "driver/migrate.h"

/* All five phases; `uri` is the other vireod's. On a fiber. What is known where when something ends
 * in the middle is said in driver/migrate.h: the link between the two decides, not this call. */
int migrate_lead(Domain *domain, const MigrateParams *params, const char *uri, Error **reterr);
