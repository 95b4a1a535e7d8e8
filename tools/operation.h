/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations of the daemon: listing those that go on, and waiting for one. */
#pragma once

#include "vireo.h"

#define OPERATION_PENDING "pending"
#define OPERATION_DONE "done"

/* Operations of a domain (NULL: of all), also those that have ended when `all`. The caller
 * xdr_frees the result. */
int operation_list(Tool *tool, remote_domain *dom, bool all, vireo_operation_list_ret *ret,
                   Error **reterr);

/* Waits for an operation, on a terminal with a line that tells how far it is; fails as it does. One
 * that becomes pending is a failure too, unless to_the_end: then the wait goes on, and what the
 * guest makes of it is said. */
int operation_follow(Tool *tool, uint64_t id, bool to_the_end);
