/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The admin program's calls about servers: which there are, their threads, their limits. */
#include <sys/resource.h>

#include "admin-internal.h"
#include "params.h"
#include "util/worker.h"

/* ---- which there are ---- */

RpcServer *admin_find_server(RpcSession *session, const char *name, Error **reterr) {
    const Daemon *daemon = admin_daemon(session);

    if (streq(name, ADMIN_SERVER_MAIN))
        return daemon->server;
    if (streq(name, ADMIN_SERVER_ADMIN))
        return daemon->admin;
    error_report(reterr, FROM_ADMIN, ERROR_NO_SERVER,
                 "there is no server '%s'; the servers are '" ADMIN_SERVER_MAIN
                 "' and '" ADMIN_SERVER_ADMIN "'",
                 name);
    return NULL;
}

HANDLER(list_servers) {
    static const char *const names[] = {ADMIN_SERVER_MAIN, ADMIN_SERVER_ADMIN};
    const admin_connect_list_servers_args *args = args_;
    admin_connect_list_servers_ret *ret = ret_;
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);

    if (r < 0)
        return r;
    ret->ret = ARRAY_SIZE(names);
    if (!args->need_results)
        return 0;
    ret->servers.servers_val = calloc(ARRAY_SIZE(names), sizeof(remote_string));
    if (!ret->servers.servers_val)
        return error_no_memory(reterr);
    ret->servers.servers_len = ARRAY_SIZE(names);
    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(names); i++)
        r = dispatch_string(&ret->servers.servers_val[i], names[i], reterr);
    return r;
}

HANDLER(lookup_server) {
    const admin_connect_lookup_server_args *args = args_;
    admin_connect_lookup_server_ret *ret = ret_;
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);

    if (r >= 0 && !admin_find_server(session, args->name, reterr))
        r = -ENOENT;
    return r < 0 ? r : dispatch_string(&ret->server, args->name, reterr);
}

/* The server that the call names; its flags are none. */
static int find(RpcSession *session, const RpcCall *call, const char *name, unsigned flags,
                RpcServer **ret, Error **reterr) {
    int r = dispatch_flags(flags, 0, call->proc->api, reterr);

    if (r < 0)
        return r;
    *ret = admin_find_server(session, name, reterr);
    return *ret ? 0 : -ENOENT;
}

/* ---- threads ---- */

/* The pool is the process's; calls of the admin program run on the loop alone. */
static WorkerCounts counts_of(const char *server) {
    return streq(server, ADMIN_SERVER_MAIN) ? worker_counts() : (WorkerCounts){0};
}

HANDLER(get_threadpool) {
    const admin_server_args *args = args_;
    admin_server_params_ret *ret = ret_;
    CLEANUP_PARAMS Params params = {0};
    RpcServer *server;
    WorkerCounts counts;
    int r = find(session, call, args->server, args->flags, &server, reterr);

    if (r < 0)
        return r;
    counts = counts_of(args->server);
    params_add_uint(&params, "minWorkers", counts.n_threads);
    params_add_uint(&params, "maxWorkers", counts.n_threads);
    params_add_uint(&params, "nWorkers", counts.n_threads);
    params_add_uint(&params, "freeWorkers", counts.n_free);
    params_add_uint(&params, "prioWorkers", 0);
    params_add_uint(&params, "jobQueueDepth", counts.n_waiting);
    return params_hand_over(&params, &ret->params.params_val, &ret->params.params_len, reterr);
}

/* What is so already may be set. */
HANDLER(set_threadpool) {
    static const ParamRule rules[] = {
        {"minWorkers", PARAM_UINT}, {"maxWorkers", PARAM_UINT}, {"prioWorkers", PARAM_UINT}};
    const admin_server_set_params_args *args = args_;
    const remote_typed_param *at[ARRAY_SIZE(rules)];
    RpcServer *server;
    int r = find(session, call, args->server, args->flags, &server, reterr);

    if (r >= 0)
        r = params_check(args->params.params_val, args->params.params_len, rules, ARRAY_SIZE(rules),
                         at, reterr);
    for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(rules); i++) {
        const unsigned has = i == 2 ? 0 : counts_of(args->server).n_threads;

        if (at[i] && at[i]->value.remote_param_value_u.ui != has)
            r = error_report(reterr, FROM_ADMIN, ERROR_OPERATION_UNSUPPORTED,
                             "%s of server '%s' is %u and cannot be changed: vireod serves all "
                             "clients on one thread, with a fixed pool for what may block",
                             rules[i].name, args->server, has);
    }
    return r;
}

/* ---- limits ---- */

HANDLER(get_limits) {
    const admin_server_args *args = args_;
    admin_server_params_ret *ret = ret_;
    CLEANUP_PARAMS Params params = {0};
    const Budget *budget;
    const BudgetLimits *all;
    RpcServer *server;
    int r = find(session, call, args->server, args->flags, &server, reterr);

    if (r < 0)
        return r;
    budget = rpc_server_budget(server);
    all = &budget_limits(budget)->all;
    params_add_uint(&params, "nclients_max", (unsigned)all->of[BUDGET_SESSIONS]);
    params_add_uint(&params, "nclients", (unsigned)budget_used(budget, BUDGET_SESSIONS));
    params_add_uint(&params, "nclients_unauth_max", (unsigned)all->of[BUDGET_OPENING]);
    params_add_uint(&params, "nclients_unauth", (unsigned)budget_used(budget, BUDGET_OPENING));
    return params_hand_over(&params, &ret->params.params_val, &ret->params.params_len, reterr);
}

/* So many that files are left for the machines. */
static size_t sessions_possible(void) {
    struct rlimit limit = {.rlim_cur = 1024};

    getrlimit(RLIMIT_NOFILE, &limit);
    return rpc_sessions_possible(limit.rlim_cur);
}

static int check_limits(const char *server, size_t sessions, size_t opening, Error **reterr) {
    const size_t possible = sessions_possible();

    if (sessions == 0 || sessions > possible)
        return error_report(reterr, FROM_ADMIN, ERROR_INVALID_ARG,
                            "nclients_max of server '%s' can be 1 to %zu (half of the files that "
                            "vireod may open), not %zu",
                            server, possible, sessions);
    if (opening == 0 || opening > sessions)
        return error_report(reterr, FROM_ADMIN, ERROR_INVALID_ARG,
                            "nclients_unauth_max of server '%s' can be 1 to nclients_max, which is "
                            "%zu, not %zu",
                            server, sessions, opening);
    return 0;
}

/* Without a number for those that have not opened, theirs is no larger than the other. */
HANDLER(set_limits) {
    static const ParamRule rules[] = {{"nclients_max", PARAM_UINT},
                                      {"nclients_unauth_max", PARAM_UINT}};
    const admin_server_set_params_args *args = args_;
    const remote_typed_param *at[ARRAY_SIZE(rules)];
    RpcLimits limits;
    size_t sessions, opening;
    RpcServer *server;
    int r = find(session, call, args->server, args->flags, &server, reterr);

    if (r >= 0)
        r = params_check(args->params.params_val, args->params.params_len, rules, ARRAY_SIZE(rules),
                         at, reterr);
    if (r < 0)
        return r;
    limits = *budget_limits(rpc_server_budget(server));
    sessions = at[0] ? at[0]->value.remote_param_value_u.ui : limits.all.of[BUDGET_SESSIONS];
    opening = at[1] ? at[1]->value.remote_param_value_u.ui
                    : MIN_OF(limits.all.of[BUDGET_OPENING], sessions);
    r = check_limits(args->server, sessions, opening, reterr);
    if (r < 0)
        return r;
    rpc_limits_set_sessions(&limits, sessions, opening);
    budget_set_limits(rpc_server_budget(server), &limits);
    return 0;
}

HANDLER(update_tls) {
    return error_report(reterr, FROM_ADMIN, ERROR_OPERATION_UNSUPPORTED,
                        "vireod has no TLS: there are no certificates to read again");
}

const RpcProc admin_server_procs[] = {
    ADMIN_ROW(CONNECT_LIST_SERVERS, "ConnectListServers", 0, list_servers,
              XDR_OF(admin_connect_list_servers_args), XDR_OF(admin_connect_list_servers_ret)),
    ADMIN_ROW(CONNECT_LOOKUP_SERVER, "ConnectLookupServer", 0, lookup_server,
              XDR_OF(admin_connect_lookup_server_args), XDR_OF(admin_connect_lookup_server_ret)),
    ADMIN_ROW(SERVER_GET_THREADPOOL_PARAMETERS, "ServerGetThreadPoolParameters", 0, get_threadpool,
              XDR_OF(admin_server_args), XDR_OF(admin_server_params_ret)),
    ADMIN_ROW(SERVER_SET_THREADPOOL_PARAMETERS, "ServerSetThreadPoolParameters", RPC_PROC_WRITE,
              set_threadpool, XDR_OF(admin_server_set_params_args), NO_XDR),
    ADMIN_ROW(SERVER_GET_CLIENT_LIMITS, "ServerGetClientLimits", 0, get_limits,
              XDR_OF(admin_server_args), XDR_OF(admin_server_params_ret)),
    ADMIN_ROW(SERVER_SET_CLIENT_LIMITS, "ServerSetClientLimits", RPC_PROC_WRITE, set_limits,
              XDR_OF(admin_server_set_params_args), NO_XDR),
    ADMIN_ROW(SERVER_UPDATE_TLS_FILES, "ServerUpdateTlsFiles", RPC_PROC_WRITE, update_tls,
              XDR_OF(admin_server_args), NO_XDR),
};
const size_t admin_server_n_procs = ARRAY_SIZE(admin_server_procs);
