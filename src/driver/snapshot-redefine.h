/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A snapshot that is said to be there: nothing is made but its file. */
#pragma once

#include "domain/domain.h"

/* Takes *def on success; one of the same name is replaced. Job held, on a fiber. */
int snapshot_redefine(Domain *domain, SnapshotDef **def, unsigned flags, char **ret_name,
                      Error **reterr);
