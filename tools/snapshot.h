/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which snapshot a command means. */
#pragma once

#include "vireo.h"

static inline void snapshot_done(remote_domain_snapshot *snapshot) {
    xdr_free((xdrproc_t)xdr_remote_domain_snapshot, (char *)snapshot);
}
#define CLEANUP_SNAPSHOT CLEANUP(snapshot_done)

/* That of the option --snapshotname; else the current one, which --current has to ask for unless it
 * goes without saying (`usual`). Says what is wrong. */
int snapshot_named(Tool *tool, const Args *args, bool usual, remote_domain_snapshot *ret);
/* That of a name. */
int snapshot_lookup(Tool *tool, const remote_domain *dom, const char *name,
                    remote_domain_snapshot *ret, Error **reterr);
/* Those of a domain, or the children of `from` (NULL: all); flags: SNAPSHOT_LIST_*. The caller
 * xdr_frees the result. */
int snapshot_list(Tool *tool, const remote_domain *dom, const remote_domain_snapshot *from,
                  unsigned flags, remote_domain_snapshot_list_ret *ret, Error **reterr);
