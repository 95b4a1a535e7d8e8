/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domain's records in the host's audit log: start, stop, and each change of what it was given
 * (util/audit.h).
 *
 * All on a fiber; they are built on the loop and sent by a worker. Without an
 * auditor, or with one that has no socket, nothing is built and nothing waits. */
#pragma once

#include "domain/audit-queue.h"
#include "domain/domain.h"

/* A change of the vCPU count. */
void audit_records_add_vcpus(AuditRecords *records, const Domain *domain, unsigned old_count,
                             unsigned new_count, bool success);
/* Sends and empties them; what audit_level says is required and cannot be written is logged as an
 * error. */
void audit_records_send(AuditRecords *records, Domain *domain);

/* A call that changes something, with who made it; `domain` NULL: it is about none. Waits until it
 * is written. */
void audit_call(AuditQueue *queue, const Domain *domain, const char *api, const AuditCaller *caller,
                bool success);

/* What the domain was given and that it started, or could not. With audit required, a start that
 * cannot be recorded is an error. */
int audit_domain_start(Domain *domain, bool success, Error **reterr);
/* `reason`: "destroyed", "shutdown", "failed". */
void audit_domain_stop(Domain *domain, const char *reason);
