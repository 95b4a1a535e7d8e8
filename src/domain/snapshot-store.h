/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's snapshots in files, lib/snapshots/UUID/NAME.xml:
 *
 *     <snapshot version='1' current='3' work='making'>
 *       <domainsnapshot> ... </domainsnapshot>
 *     </snapshot>
 *
 * Each is written at once or not at all. A file of a later version, or one that says nothing that
 * can be used, is named in the log and left alone. All of this is done on a fiber, job held. */
#pragma once

#include "domain/domain.h"

/* ERROR_SYSTEM, and the file is as before. */
int snapshot_save(Domain *domain, const Snapshot *snapshot, Error **reterr);
/* Makes it the current one, in its file and in the list; with what else has changed in it. After an
 * error it is in neither. */
int snapshot_make_current(Domain *domain, Snapshot *snapshot, Error **reterr);
/* Removes its file and drops it; its children are its parent's, in their files first. ERROR_SYSTEM,
 * and it is still there. */
int snapshot_remove(Domain *domain, Snapshot *snapshot, Error **reterr);
/* Forgets all of them; what cannot be removed is logged. */
void snapshots_forget(Domain *domain);
/* Reads those of every listed domain. For the start of the daemon. -ENOMEM, -errno. */
int snapshots_load(const Services *services);
