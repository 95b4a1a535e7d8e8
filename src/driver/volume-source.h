/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks whose source is a volume of a storage pool: where it is, for those who open it. */
#pragma once

#include "conf/domain-def.h"
#include "driver/storage.h"

/* Fills in the path of each disk that is a volume, and its format when the disk says none. Looks at
 * what the pools know; suspends not. ERROR_NO_STORAGE_POOL, _VOL, ERROR_OPERATION_INVALID: the pool
 * is not active; ERROR_NO_MEMORY. Those before the one that failed are filled in. */
int volume_source_resolve(const Storage *storage, DomainDef *def, Error **reterr);
/* The same of one disk, which may be of any type. */
int volume_source_resolve_disk(const Storage *storage, DiskDef *disk, Error **reterr);
