/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which disks a snapshot is of, and how. */
#pragma once

#include "conf/snapshot.h"

/* Brings <disks> into the order of the domain's: one for each, all said; `usual` for those that go
 * without saying, and `must`: what is said otherwise is refused. The snapshot has its name. */
int snapshot_align(SnapshotDef *def, const DomainDef *domain, SnapshotPlace usual, bool must,
                   Error **reterr);
