/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a snapshot of disks has changed in the definitions, and what is left of one that was cut
 * short. */
#pragma once

#include <json-c/json.h>

#include "domain/domain.h"

/* Finishes or takes back what an earlier daemon, or a lost answer, left; job held, on a fiber. */
void snapshot_settle(Domain *domain);
/* The same until QEMU has said what became of it, by a fiber of its own, if there is one to be
 * settled. */
void snapshot_settle_soon(Domain *domain);

/* ---- both definitions ---- */

/* Takes the texts of a source that has a path and a node. -ENOMEM. */
int snapshot_copy_source(const StorageSource *from, StorageSource *to);
/* The disk has the overlay on top. -ENOMEM. */
int snapshot_push(DiskDef *disk, const Overlay *overlay, bool live);
/* The persistent definition as it will be: every disk that has the image that an overlay is above
 * has the overlay. *ret NULL: it stays. -ENOMEM. */
int snapshot_next_config(const Domain *domain, const DomainDef *live, const Overlay *overlays,
                         size_t n, DomainDef **ret);
/* Writes it; the domain has it then. Takes it in every case. NULL: nothing is done. After an error
 * all is as before, unless it `happened`: then the file alone is, and follows with the next change.
 */
int snapshot_write_config(Domain *domain, DomainDef *config_consume, bool happened, Error **reterr);
/* The persistent definition has none of the overlays any more. After an error all is as before. */
int snapshot_restore_config(Domain *domain, const Overlay *overlays, size_t n, Error **reterr);
/* It has happened: the live definition says so, with what QEMU has told meanwhile. Takes it. */
int snapshot_adopt(Domain *domain, DomainDef *next_consume, Error **reterr);
/* QEMU's user gives the overlay's file back. */
void snapshot_release(Domain *domain, const DomainDef *def, const Overlay *overlay);
