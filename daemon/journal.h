/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the journal keeps of what happens to domains, with fields to find it by: DOMAIN, UUID, VCPU,
 * OPERATION, CLIENT_UID, CLIENT_PID, API, and a MESSAGE_ID for each kind (vireod(8) lists them,
 * `journalctl -x` explains them). Without a journal these are lines like others. */
#pragma once

#include "daemon.h"

/* A call that changes something: who made it, and what came of it. `domain` NULL: it is about none.
 */
void journal_call(RpcSession *session, const RpcCall *call, const Domain *domain,
                  const Error *error);
void journal_lifecycle(Domain *domain, LifecycleEvent event);
void journal_vcpu_removed(Domain *domain, unsigned vcpu);
void journal_drift(Domain *domain, const char *text);
/* When it has ended, and again when the guest's verdict on its vCPUs is known or changes. */
void journal_operation(const Operation *operation);
