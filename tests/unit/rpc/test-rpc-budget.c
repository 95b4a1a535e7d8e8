/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Budgets: who may take what, and that root is never locked out by others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "rpc/budget.h"

enum { NOBODY = 65534, SOMEBODY = 1000, N_FDS = 2000 };

static Budget *budget;

static int set_up(void **state) {
    RpcLimits limits = rpc_limits_default(N_FDS);

    return budget_new(&limits, &budget);
}

static int tear_down(void **state) {
    budget_free(budget);
    return 0;
}

static size_t limit_of(const BudgetLimits *limits, BudgetKind kind) {
    return limits->of[kind];
}

/* Opens as many connections as this user gets, from `base` up to so many users. */
static size_t open_all(Account **accounts, size_t max, uid_t base, unsigned n_users) {
    size_t n = 0;

    for (unsigned refused = 0; refused < n_users && n < max;) {
        Account *account = NULL;

        assert_int_equal(account_new(budget, base + refused, NULL, &account), 0);
        if (account_take(account, BUDGET_SESSIONS, 1)) {
            accounts[n++] = account;
            continue;
        }
        account_free(account);
        refused++;
    }
    return n;
}

static void test_one_user_gets_a_part(void **state) {
    Account *accounts[N_FDS];
    size_t n = open_all(accounts, N_FDS, NOBODY, 1);

    assert_int_equal(n, limit_of(&budget_limits(budget)->user, BUDGET_SESSIONS));
    while (n > 0)
        account_free(accounts[--n]);
}

/* However many users there are, root has a quarter left. */
static void test_root_keeps_a_reserve(void **state) {
    Account *accounts[N_FDS], *root = NULL;
    size_t n = open_all(accounts, N_FDS, SOMEBODY, 100), left = 0;

    assert_int_equal(n, limit_of(&budget_limits(budget)->ordinary, BUDGET_SESSIONS));
    assert_int_equal(account_new(budget, 0, NULL, &root), 0);
    assert_false(account_is_ordinary(root));
    assert_true(account_take(root, BUDGET_SESSIONS, 1));
    assert_true(account_take(root, BUDGET_CALLS, RPC_MAX_ACTIVE));
    assert_true(account_take(root, BUDGET_BYTES, 32 << 20));
    left = limit_of(&budget_limits(budget)->all, BUDGET_SESSIONS) - n;
    assert_true(left >= 200);
    account_free(root);
    while (n > 0)
        account_free(accounts[--n]);
}

static void test_a_refused_take_takes_nothing(void **state) {
    const size_t user = limit_of(&budget_limits(budget)->user, BUDGET_REGISTRATIONS),
                 session = limit_of(&budget_limits(budget)->session, BUDGET_REGISTRATIONS);
    Account *first = NULL, *second = NULL, *third = NULL;

    assert_int_equal(account_new(budget, NOBODY, NULL, &first), 0);
    assert_int_equal(account_new(budget, NOBODY, NULL, &second), 0);
    assert_int_equal(account_new(budget, NOBODY, NULL, &third), 0);
    assert_true(account_take(first, BUDGET_REGISTRATIONS, session));
    assert_false(account_take(first, BUDGET_REGISTRATIONS, 1));
    assert_true(account_take(second, BUDGET_REGISTRATIONS, user - session));
    assert_false(account_take(third, BUDGET_REGISTRATIONS, 1));
    assert_int_equal(account_used(third, BUDGET_REGISTRATIONS), 0);
    account_free(second); /* gives all of it back */
    assert_true(account_take(third, BUDGET_REGISTRATIONS, 1));
    account_give(third, BUDGET_REGISTRATIONS, 1);
    account_free(first);
    account_free(third);
}

static void test_sizes_do_not_wrap(void **state) {
    Account *account = NULL;

    assert_int_equal(account_new(budget, NOBODY, NULL, &account), 0);
    assert_true(account_take(account, BUDGET_BYTES, 1));
    assert_false(account_take(account, BUDGET_BYTES, SIZE_MAX));
    assert_int_equal(account_used(account, BUDGET_BYTES), 1);
    account_free(account);
}

static void test_limits_follow_the_descriptors(void **state) {
    RpcLimits few = rpc_limits_default(256), many = rpc_limits_default(1 << 20);

    assert_int_equal(few.all.of[BUDGET_SESSIONS], 128);
    assert_int_equal(many.all.of[BUDGET_SESSIONS], 1000);
    assert_true(few.ordinary.of[BUDGET_SESSIONS] < few.all.of[BUDGET_SESSIONS]);
}

/* Another host is one user, and an ordinary one, whatever number its users have. */
static void test_a_host_is_a_user(void **state) {
    const size_t max = limit_of(&budget_limits(budget)->user, BUDGET_OPENING);
    Account *accounts[N_FDS], *other = NULL;
    size_t n = 0;

    do {
        assert_int_equal(account_new(budget, (uid_t)-1, "192.0.2.1", &accounts[n]), 0);
        assert_false(account_is_of(accounts[n], (uid_t)-1, NULL));
        assert_true(account_is_of(accounts[n], (uid_t)-1, "192.0.2.1"));
    } while (account_take(accounts[n++], BUDGET_OPENING, 1));
    assert_int_equal(n - 1, max);
    assert_int_equal(account_new(budget, (uid_t)-1, "192.0.2.2", &other), 0);
    assert_true(account_take(other, BUDGET_OPENING, 1));
    account_free(other);
    assert_int_equal(account_new(budget, 0, "192.0.2.2", &other), 0);
    assert_true(account_is_ordinary(other));
    account_free(other);
    while (n > 0)
        account_free(accounts[--n]);
}

/* A limit that is made smaller takes nothing from those who are there, and root keeps its part. */
static void test_limits_can_change(void **state) {
    Account *accounts[N_FDS], *root = NULL;
    RpcLimits limits = *budget_limits(budget);
    size_t n = open_all(accounts, N_FDS, SOMEBODY, 100);

    assert_int_equal(budget_used(budget, BUDGET_SESSIONS), n);
    rpc_limits_set_sessions(&limits, 8, 4);
    budget_set_limits(budget, &limits);
    assert_int_equal(budget_used(budget, BUDGET_SESSIONS), n);
    assert_int_equal(account_new(budget, 0, NULL, &root), 0);
    assert_false(account_take(root, BUDGET_SESSIONS, 1));
    while (n > 0)
        account_free(accounts[--n]);
    n = open_all(accounts, N_FDS, SOMEBODY, 100);
    assert_int_equal(n, 6);
    assert_true(account_take(root, BUDGET_SESSIONS, 1));
    assert_true(account_take(root, BUDGET_OPENING, 1));
    account_free(root);
    while (n > 0)
        account_free(accounts[--n]);
    rpc_limits_set_sessions(&limits, 1, 1);
    assert_int_equal(limits.user.of[BUDGET_SESSIONS], 1);
    assert_int_equal(limits.ordinary.of[BUDGET_SESSIONS], 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {TEST(test_one_user_gets_a_part),
                                       TEST(test_root_keeps_a_reserve),
                                       TEST(test_a_refused_take_takes_nothing),
                                       TEST(test_sizes_do_not_wrap),
                                       TEST(test_limits_follow_the_descriptors),
                                       TEST(test_limits_can_change),
                                       TEST(test_a_host_is_a_user)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
