/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What clients may use of the daemon, so that none can starve another. Each connection has an
 * account; what it takes is also taken from its user's (or its host's, when that is another one),
 * that of all ordinary users together and
 * that of everybody. Root and the daemon's own user are not ordinary: what is left between the last
 * two is kept for them. Pure counting. */
#pragma once

#include <sys/types.h>

#include "util/macro.h"

#define RPC_MAX_ACTIVE 5 /* calls of one connection */

typedef enum BudgetKind {
    BUDGET_SESSIONS,      /* connections */
    BUDGET_OPENING,       /* of these, those that have not opened yet */
    BUDGET_CALLS,         /* calls under way */
    BUDGET_HEAVY,         /* of these, those that need much memory */
    BUDGET_REGISTRATIONS, /* of events */
    BUDGET_BYTES,         /* packets that are not complete, and replies that were not read */
    BUDGET_KIND_MAX_
} BudgetKind;

typedef struct BudgetLimits {
    size_t of[BUDGET_KIND_MAX_];
} BudgetLimits;

typedef struct RpcLimits {
    BudgetLimits session, user, ordinary, all;
    uint64_t open_usec;  /* a connection that has not opened by then is closed */
    uint64_t stall_usec; /* as is one that takes nothing of its replies for so long */
} RpcLimits;

/* Of a daemon that may have so many file descriptors. */
RpcLimits rpc_limits_default(size_t n_fds);

/* How many connections a daemon that may have so many file descriptors can let in. */
size_t rpc_sessions_possible(size_t n_fds);
/* How many connections there may be in all, and of these, how many that have not opened yet. What
 * ordinary users may have of them is in proportion. */
void rpc_limits_set_sessions(RpcLimits *limits, size_t sessions, size_t opening);

typedef struct Budget Budget;
typedef struct Account Account;

/* Copies the limits. -ENOMEM. */
int budget_new(const RpcLimits *limits, Budget **ret);
/* All accounts have been closed. */
void budget_free(Budget *budget);
DEFINE_CLEANUP(Budget *, budget_free)
const RpcLimits *budget_limits(const Budget *budget);
/* Replaces them. What is taken already stays: beyond a smaller limit nothing more is given. */
void budget_set_limits(Budget *budget, const RpcLimits *limits);
/* What everybody has taken. */
size_t budget_used(const Budget *budget, BudgetKind kind);

/* A connection's account. `host`: another host's address, whose users are not known and count as
 * one that is ordinary; NULL: of this host. -ENOMEM. */
int account_new(Budget *budget, uid_t uid, const char *host, Account **ret);
/* Gives back what is still taken. */
void account_free(Account *account);
DEFINE_CLEANUP(Account *, account_free)

/* Takes n from all that the account belongs to, or nothing: false. */
bool account_take(Account *account, BudgetKind kind, size_t n);
void account_give(Account *account, BudgetKind kind, size_t n);
size_t account_used(const Account *account, BudgetKind kind);
/* Of the user, or of the host, of that other one. */
bool account_is_of(const Account *account, uid_t uid, const char *host);
/* Neither root nor the daemon's own user. */
bool account_is_ordinary(const Account *account);
