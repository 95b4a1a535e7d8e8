/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A vCPU change as an operation, from its journal entry to its outcome: by whoever asked for it, by
 * late evidence, by the next daemon. */
#pragma once

#include "domain/operation-log.h"
#include "domain/store.h"
#include "domain/vcpu-plan.h"

/* Lists and journals it, for a plan that has entities. Pending operations on the same vCPUs are
 * cancelled: what they wanted is journaled again, or not wanted any more. *ret is a reference of
 * the caller's. Job held. */
int vcpu_operation_begin(Domain *domain, const VcpuRequest *request, bool config,
                         const HotplugPlan *plan, Operation **ret, Error **reterr);
/* Does the live half, then the config half, and sets the outcome. ERROR_OPERATION_TIMEOUT: the
 * removal stays pending. Job held. */
int vcpu_operation_run(Domain *domain, Operation *operation, const HotplugPlan *plan,
                       Error **reterr);

/* Goes on, in the background, with the vCPU operations that an earlier daemon left of a domain that
 * was found again. */
void operations_resume(Domain *domain);
/* Fails those whose QEMU is no more. */
void operations_drop(const OperationLog *log, const DomainStore *store);
/* Ends the pending removals that are complete, and, with the guest's `rejection` (or NULL), those
 * that were refused. Job held. */
void operations_settle(Domain *domain, const char *rejection);
/* Of these, only those that were refused, without a question to QEMU. Job held. */
void operations_refuse(Domain *domain, const char *rejection);
/* Ends those whose guest has gone to another daemon, `where` for the sentence: they go on there.
 * Job held. */
void operations_leave(Domain *domain, const char *where);
/* The removals under way as operation_carry has them, oldest first, at most `max`, into `list`,
 * whose texts the caller frees, also after -ENOMEM. */
int operations_carry(const Domain *domain, char **list, size_t max, size_t *ret_n);
/* The definition was written after operations that are still under way had been asked for: what
 * they wanted of it does not come any more. `later`: a change of vCPUs; NULL: a whole definition.
 * Job held; suspends. */
void operations_leave_config(Domain *domain, const VcpuRequest *later);
/* Whether a pending removal has vCPUs that are there and that the guest is still to be asked for.
 */
bool operations_are_to_ask(const Domain *domain);
/* Fails everything under way on a domain that stops; it still has its run. */
void operations_fail(Domain *domain, const char *why);

/* Gives up waiting for a pending removal; the guest may still carry it out. */
int operation_cancel(Operation *operation, Error **reterr);
/* Asks the guest of a pending removal once more and waits again; timeout 0: the domain's default.
 */
int operation_retry(Domain *domain, Operation *operation, uint64_t timeout_usec, Error **reterr);
