/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The operations under way and the last that have ended, and the journal behind them.
 *
 * The journal is a file ID.json of its directory, on disk before the first command leaves, removed
 * when the operation has ended. After a crash the next daemon finds it and carries on from what
 * QEMU says is there (vcpu-operation.h). A plug that is done stays as ID.done, with the verdict so
 * far, for as long as somebody looks what the guest makes of it: the next daemon's verdict is still
 * that operation's.
 *
 * Ownership: the log holds a reference on each, also on the last OPERATION_HISTORY that have ended.
 */
#pragma once

#include "domain/domain.h"
#include "domain/operation.h"

#define OPERATION_HISTORY 100u

/* Called at each change of an operation's state. */
typedef void (*OperationListener)(Operation *operation, void *userdata);

/* Empty; the directory is copied. NULL: out of memory. */
OperationLog *operation_log_new(const char *directory, OperationListener listener, void *userdata);
/* NULL is fine. */
void operation_log_free(OperationLog *log);
/* The newest, then Operation.next. */
Operation *operation_log_first(const OperationLog *log);
/* Reads what the last daemon left; the operations are listed as ACTING, or as DONE with a verdict
 * that will come. A journal that cannot be read is named in the log and removed; one of a newer
 * vireod is named and stays. On a fiber. */
void operation_log_load(OperationLog *log);

/* Copies the request of a domain that runs. Listed at once, not yet written. *ret is a reference of
 * the caller's. */
int operation_begin(OperationLog *log, const Domain *domain, const VcpuRequest *request,
                    Operation **ret, Error **reterr);
/* Writes the journal; ERROR_SYSTEM. On a fiber. */
int operation_journal(const Operation *operation, Error **reterr);
/* Tells the listener; an ended operation loses its journal. The first outcome counts: one that has
 * ended (a client may cancel what is just being settled) stays as it is. `detail` may be NULL, is
 * copied. */
void operation_set_state(Operation *operation, OperationState state, const char *detail);
/* Sets `verdict` and `guest`, the last thing that is learnt of an operation; tells the listener.
 * The text is copied. The journal ends with GUEST_ONLINE. */
void operation_set_guest(Operation *operation, GuestVerdict verdict, const char *text);
/* Writes them to the journal, if it still is there; what fails is logged. On a fiber; the caller
 * holds a reference. */
void operation_journal_guest(Operation *operation);
/* Nobody looks any more: what was kept for the verdict ends. */
void operation_end_journal(Operation *operation);

/* A removal of vCPUs under way, for a daemon that gets its guest. NULL: out of memory. Caller
 * frees.
 */
char *operation_carry(const Operation *operation);
/* Goes on with it here: lists it, of the QEMU that the domain has, as pending, and journals it. The
 * definition's half is left out unless it is `defined` here, or about to be. ERROR_INVALID_ARG for
 * a text that is none. On a fiber; job held. */
int operation_adopt(OperationLog *log, const Domain *domain, bool defined, const char *text,
                    Error **reterr);

/* Borrowed; NULL and ERROR_INVALID_ARG when there is none. */
Operation *operation_find(const OperationLog *log, uint64_t id, Error **reterr);
/* Whether it was begun on the QEMU that the domain has. */
bool operation_is_of(const Operation *operation, const Domain *domain);
/* The one under way on that domain that has `vcpu` among its entities, not counting `but` (may be
 * NULL); or NULL. */
Operation *operation_of_vcpu(const OperationLog *log, const Domain *domain, unsigned vcpu,
                             const Operation *but);
