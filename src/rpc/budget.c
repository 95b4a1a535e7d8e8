/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Accounts in a tree: session, user, ordinary users, everybody. */
#include "rpc/budget.h"

#define MIB ((size_t)1 << 20)
#define FDS_FOR_CLIENTS 2u /* one in so many file descriptors is for clients */
#define SESSIONS_MAX 1000u
#define OPENING_OF_USER 20u

typedef struct Purse {
    struct Purse *parent;
    const BudgetLimits *limits;
    size_t used[BUDGET_KIND_MAX_];
} Purse;

typedef struct User {
    Purse purse;
    struct User *next;
    uid_t uid;
    char *host; /* NULL: this one */
    unsigned n_refs;
} User;

struct Budget {
    RpcLimits limits;
    Purse all, ordinary;
    User *users;
};

struct Account {
    Purse purse;
    Budget *budget;
    User *user;
};

/* A quarter is kept for those who are not ordinary. */
void rpc_limits_set_sessions(RpcLimits *limits, size_t sessions, size_t opening) {
    const size_t ordinary = sessions - sessions / 4;

    limits->user.of[BUDGET_SESSIONS] = MAX_OF(sessions / 5, (size_t)1);
    limits->user.of[BUDGET_OPENING] = MIN_OF(opening, (size_t)OPENING_OF_USER);
    limits->ordinary.of[BUDGET_SESSIONS] = ordinary;
    limits->ordinary.of[BUDGET_OPENING] = MIN_OF(opening, MAX_OF(sessions / 4, (size_t)1));
    limits->all.of[BUDGET_SESSIONS] = sessions;
    limits->all.of[BUDGET_OPENING] = opening;
    limits->all.of[BUDGET_CALLS] = RPC_MAX_ACTIVE * sessions;
}

size_t rpc_sessions_possible(size_t n_fds) {
    return n_fds / FDS_FOR_CLIENTS;
}

RpcLimits rpc_limits_default(size_t n_fds) {
    const size_t sessions = MIN_OF(rpc_sessions_possible(n_fds), (size_t)SESSIONS_MAX);
    RpcLimits limits = {
        .session = {{[BUDGET_SESSIONS] = 1,
                     [BUDGET_OPENING] = 1,
                     [BUDGET_CALLS] = RPC_MAX_ACTIVE,
                     [BUDGET_HEAVY] = 2,
                     [BUDGET_REGISTRATIONS] = 512,
                     [BUDGET_BYTES] = 64 * MIB /* two replies of the largest size */}},
        .user = {{[BUDGET_CALLS] = 40,
                  [BUDGET_HEAVY] = 2,
                  [BUDGET_REGISTRATIONS] = 1024,
                  [BUDGET_BYTES] = 64 * MIB}},
        .ordinary = {{[BUDGET_CALLS] = 200,
                      [BUDGET_HEAVY] = 4,
                      [BUDGET_REGISTRATIONS] = 4096,
                      [BUDGET_BYTES] = 128 * MIB}},
        .all = {{[BUDGET_HEAVY] = 64, [BUDGET_REGISTRATIONS] = 65536, [BUDGET_BYTES] = 1024 * MIB}},
        .open_usec = UINT64_C(20) * USEC_PER_SEC,
        .stall_usec = UINT64_C(60) * USEC_PER_SEC,
    };

    rpc_limits_set_sessions(&limits, sessions, sessions);
    return limits;
}

int budget_new(const RpcLimits *limits, Budget **ret) {
    Budget *budget = calloc(1, sizeof(Budget));

    if (!budget)
        return -ENOMEM;
    budget->limits = *limits;
    budget->all.limits = &budget->limits.all;
    budget->ordinary = (Purse){.parent = &budget->all, .limits = &budget->limits.ordinary};
    *ret = budget;
    return 0;
}

void budget_free(Budget *budget) {
    if (!budget)
        return;
    assert(!budget->users);
    free(budget);
}

const RpcLimits *budget_limits(const Budget *budget) {
    return &budget->limits;
}

void budget_set_limits(Budget *budget, const RpcLimits *limits) {
    budget->limits = *limits;
}

size_t budget_used(const Budget *budget, BudgetKind kind) {
    return budget->all.used[kind];
}

static bool is_ordinary(const User *user) {
    return user->host || (user->uid != 0 && user->uid != geteuid());
}

static bool is_user(const User *user, uid_t uid, const char *host) {
    return user->uid == uid && streq_ptr(user->host, host);
}

static User *user_new(Budget *budget, uid_t uid, const char *host) {
    User *user = calloc(1, sizeof(User));

    if (!user)
        return NULL;
    *user = (User){.uid = uid, .host = host ? strdup(host) : NULL, .next = budget->users};
    if (host && !user->host) {
        free(user);
        return NULL;
    }
    user->purse.parent = is_ordinary(user) ? &budget->ordinary : &budget->all;
    user->purse.limits = is_ordinary(user) ? &budget->limits.user : &budget->limits.all;
    budget->users = user;
    return user;
}

static User *user_get(Budget *budget, uid_t uid, const char *host) {
    User *user = budget->users;

    while (user && !is_user(user, uid, host))
        user = user->next;
    if (!user)
        user = user_new(budget, uid, host);
    if (!user)
        return NULL;
    user->n_refs++;
    return user;
}

static void user_unref(Budget *budget, User *user) {
    User **at = &budget->users;

    if (--user->n_refs > 0)
        return;
    while (*at != user)
        at = &(*at)->next;
    *at = user->next;
    free(user->host);
    free(user);
}

int account_new(Budget *budget, uid_t uid, const char *host, Account **ret) {
    Account *account = calloc(1, sizeof(Account));
    User *user = account ? user_get(budget, uid, host) : NULL;

    if (!user) {
        free(account);
        return -ENOMEM;
    }
    *account = (Account){.budget = budget,
                         .user = user,
                         .purse = {.parent = &user->purse, .limits = &budget->limits.session}};
    *ret = account;
    return 0;
}

void account_free(Account *account) {
    if (!account)
        return;
    for (BudgetKind kind = 0; kind < BUDGET_KIND_MAX_; kind++)
        account_give(account, kind, account->purse.used[kind]);
    user_unref(account->budget, account->user);
    free(account);
}

bool account_take(Account *account, BudgetKind kind, size_t n) {
    for (const Purse *purse = &account->purse; purse; purse = purse->parent)
        if (n > purse->limits->of[kind] - MIN_OF(purse->used[kind], purse->limits->of[kind]))
            return false;
    for (Purse *purse = &account->purse; purse; purse = purse->parent)
        purse->used[kind] += n;
    return true;
}

void account_give(Account *account, BudgetKind kind, size_t n) {
    for (Purse *purse = &account->purse; purse; purse = purse->parent) {
        assert(purse->used[kind] >= n);
        purse->used[kind] -= n;
    }
}

size_t account_used(const Account *account, BudgetKind kind) {
    return account->purse.used[kind];
}

bool account_is_of(const Account *account, uid_t uid, const char *host) {
    return is_user(account->user, uid, host);
}

bool account_is_ordinary(const Account *account) {
    return is_ordinary(account->user);
}
