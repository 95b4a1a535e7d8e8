/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Snapshots inside of qcow2 images: by qemu-img while nothing has them open, else by QEMU's
 * snapshot jobs, whose first disk gets the guest's memory, too. Job held, on a fiber.
 *
 * `def` is aligned and has the domain as it was; the disks it is of are those of SNAPSHOT_INTERNAL,
 * and their images those that the domain had then. While QEMU makes or loads one it answers
 * nobody; it is waited for as long as it lives. */
#pragma once

#include "conf/snapshot.h"
#include "domain/domain.h"

/* Whether it can be made of the domain as it is. */
int snapshot_inside_check(const Domain *domain, const SnapshotDef *def, Error **reterr);

/* With the guest's memory, if it runs; it goes on afterwards if it did. After an error all is as
 * before, but when *ret_unknown: QEMU may still do it. */
int snapshot_inside_make(Domain *domain, const SnapshotDef *def, bool *ret_unknown, Error **reterr);
/* What is not there is deleted. After an error it may be gone from some of the images; doing it
 * again is right. */
int snapshot_inside_delete(Domain *domain, const SnapshotDef *def, Error **reterr);
/* The disks of a domain that does not run are as they were. After an error some of them are; doing
 * it again is right. */
int snapshot_inside_apply(const Domain *domain, const SnapshotDef *def, Error **reterr);
/* The same, and the memory, of a QEMU that has been started for it and is paused. */
int snapshot_inside_load(Domain *domain, const SnapshotDef *def, Error **reterr);
/* Whether it is in all of the images: 1, 0; -EAGAIN: QEMU is still at it; or an error, when nobody
 * can tell. */
int snapshot_inside_look(Domain *domain, const SnapshotDef *def, Error **reterr);
