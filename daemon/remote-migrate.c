/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guests that move: libvirt's migration protocol version 3, with parameters. */
#include "daemon.h"
#include "driver/migrate.h"
#include "params.h"
#include "remote-migrate-peer.h"

/* ---- parameters ---- */

/* libvirt's names of them (libvirt-domain.h, VIR_MIGRATE_PARAM_*). */
enum {
    AT_URI,
    AT_DEST_NAME,
    AT_DEST_XML,
    AT_PERSIST_XML,
    AT_BANDWIDTH,
    AT_POSTCOPY_BANDWIDTH,
    AT_GRAPHICS_URI,
    AT_LISTEN_ADDRESS,
    AT_COMPRESSION,
    AT_XBZRLE_CACHE,
    AT_THROTTLE_FIRST,
    AT_THROTTLE_MORE,
    N_RULES
};
static const ParamRule rules[N_RULES] = {
    [AT_URI] = {"migrate_uri", PARAM_STRING},
    [AT_DEST_NAME] = {"destination_name", PARAM_STRING},
    [AT_DEST_XML] = {"destination_xml", PARAM_STRING},
    [AT_PERSIST_XML] = {"persistent_xml", PARAM_STRING},
    [AT_BANDWIDTH] = {"bandwidth", PARAM_ULLONG},
    [AT_POSTCOPY_BANDWIDTH] = {"bandwidth.postcopy", PARAM_ULLONG},
    [AT_GRAPHICS_URI] = {"graphics_uri", PARAM_STRING},
    [AT_LISTEN_ADDRESS] = {"listen_address", PARAM_STRING},
    [AT_COMPRESSION] = {"compression", PARAM_STRING},
    [AT_XBZRLE_CACHE] = {"compression.xbzrle.cache", PARAM_ULLONG},
    [AT_THROTTLE_FIRST] = {"auto_converge.initial", PARAM_INT},
    [AT_THROTTLE_MORE] = {"auto_converge.increment", PARAM_INT},
};

/* What is not done here, or is out of bounds. */
static int refuse_params(const remote_typed_param *const *at, Error **reterr) {
    if (at[AT_COMPRESSION] && !streq(at[AT_COMPRESSION]->value.remote_param_value_u.s, "xbzrle"))
        return error_report(reterr, FROM_QEMU, ERROR_ARGUMENT_UNSUPPORTED,
                            "a migration is compressed by 'xbzrle' only");
    for (size_t i = AT_THROTTLE_FIRST; i <= AT_THROTTLE_MORE; i++)
        if (at[i] &&
            (at[i]->value.remote_param_value_u.i < 1 || at[i]->value.remote_param_value_u.i > 99))
            return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                                "'%s' must be 1 to 99 percent", rules[i].name);
    return 0;
}

static uint64_t number_of(const remote_typed_param *param) {
    return param ? param->value.remote_param_value_u.ul : 0;
}

static const char *text_of(const remote_typed_param *param) {
    return param ? param->value.remote_param_value_u.s : NULL;
}

static unsigned percent_of(const remote_typed_param *param) {
    return param ? (unsigned)param->value.remote_param_value_u.i : 0;
}

static int read_params(RpcSession *session, const remote_typed_param *list, size_t n,
                       unsigned flags, MigrateParams *ret, Error **reterr) {
    const remote_typed_param *at[N_RULES];
    int r = params_check(list, n, rules, N_RULES, at, reterr);

    if (r >= 0)
        r = refuse_params(at, reterr);
    if (r < 0)
        return r;
    *ret = (MigrateParams){.uri = text_of(at[AT_URI]),
                           .dest_name = text_of(at[AT_DEST_NAME]),
                           .dest_xml = text_of(at[AT_DEST_XML]),
                           .persist_xml = text_of(at[AT_PERSIST_XML]),
                           .listen_address = text_of(at[AT_LISTEN_ADDRESS]),
                           .cache = number_of(at[AT_XBZRLE_CACHE]),
                           .throttle_first = percent_of(at[AT_THROTTLE_FIRST]),
                           .throttle_more = percent_of(at[AT_THROTTLE_MORE]),
                           .bandwidth = number_of(at[AT_BANDWIDTH]),
                           .postcopy_bandwidth = number_of(at[AT_POSTCOPY_BANDWIDTH]),
                           .flags = flags,
                           .owner = session};
    return 0;
}

/* Of the arguments of a phase. */
#define READ_PARAMS(args, to)                                                                      \
    read_params(session, (args)->params.params_val, (args)->params.params_len, (args)->flags, to,  \
                reterr)
#define GIVE_COOKIE(args, to)                                                                      \
    ((to)->cookie = (args)->cookie_in.cookie_in_val,                                               \
     (to)->cookie_len = (args)->cookie_in.cookie_in_len)
/* libvirt's cookies end with a zero byte. */
#define TAKE_COOKIE(ret, text)                                                                     \
    ((ret)->cookie_out.cookie_out_len = (u_int)strlen(text) + 1,                                   \
     (ret)->cookie_out.cookie_out_val = TAKE_PTR(text))

static int put_uri(char *uri_consume, remote_opt_string *ret, Error **reterr) {
    *ret = calloc(1, sizeof(**ret));
    if (!*ret) {
        free(uri_consume);
        return error_no_memory(reterr);
    }
    **ret = uri_consume;
    return 0;
}

/* ---- the phases ---- */

HANDLER(begin) {
    remote_domain_migrate_begin3_params_args *args = args_;
    remote_domain_migrate_begin3_params_ret *ret = ret_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    CLEANUP_FREE char *cookie = NULL;
    MigrateParams params;
    int r = READ_PARAMS(args, &params);

    if (r >= 0)
        r = dispatch_domain(session, &args->dom, &domain, reterr);
    if (r >= 0)
        r = driver_migrate_begin(domain, &params, &ret->xml, &cookie, reterr);
    if (r >= 0)
        TAKE_COOKIE(ret, cookie);
    return r;
}

HANDLER(prepare) {
    remote_domain_migrate_prepare3_params_args *args = args_;
    remote_domain_migrate_prepare3_params_ret *ret = ret_;
    CLEANUP_FREE char *cookie = NULL, *uri = NULL;
    MigrateParams params;
    int r = READ_PARAMS(args, &params);

    if (r < 0)
        return r;
    GIVE_COOKIE(args, &params);
    r = driver_migrate_prepare(&driver_of(session)->services, &params, &uri, &cookie, reterr);
    if (r >= 0)
        r = put_uri(TAKE_PTR(uri), &ret->uri_out, reterr);
    if (r >= 0)
        TAKE_COOKIE(ret, cookie);
    return r;
}

static int lead(Domain *domain, const MigrateParams *params, const char *uri, Error **reterr) {
    return uri ? migrate_lead(domain, params, uri, reterr)
               : error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                              "it is not said where to: the migration has no connection URI");
}

HANDLER(perform) {
    remote_domain_migrate_perform3_params_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    MigrateParams params;
    int r = READ_PARAMS(args, &params);

    if (r >= 0)
        r = dispatch_domain(session, &args->dom, &domain, reterr);
    if (r < 0)
        return r;
    GIVE_COOKIE(args, &params);
    if (args->flags & MIGRATE_PEER2PEER)
        return lead(domain, &params, dispatch_opt(args->dconnuri), reterr);
    return driver_migrate_perform(domain, &params, reterr);
}

HANDLER(finish) {
    remote_domain_migrate_finish3_params_args *args = args_;
    remote_domain_migrate_finish3_params_ret *ret = ret_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    MigrateParams params;
    int r = READ_PARAMS(args, &params);

    if (r < 0)
        return r;
    GIVE_COOKIE(args, &params);
    r = driver_migrate_finish(&driver_of(session)->services, &params, args->cancelled, &domain,
                              reterr);
    return r < 0 ? r : dispatch_make_domain(domain, &ret->dom, reterr);
}

HANDLER(confirm) {
    remote_domain_migrate_confirm3_params_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    MigrateParams params;
    int r = READ_PARAMS(args, &params);

    if (r >= 0)
        r = dispatch_domain(session, &args->dom, &domain, reterr);
    return r < 0 ? r : driver_migrate_confirm(domain, &params, args->cancelled, reterr);
}

/* ---- how fast ---- */

#define SPEED_POSTCOPY 1u

DOMAIN_FUNC(set_speed, remote_domain_migrate_set_max_speed_args, void) {
    return args->flags & SPEED_POSTCOPY
               ? driver_migrate_set_postcopy_speed(domain, args->bandwidth, reterr)
               : driver_migrate_set_speed(domain, args->bandwidth, reterr);
}

DOMAIN_FUNC(get_speed, remote_domain_flags_args, remote_domain_migrate_get_max_speed_ret) {
    uint64_t speed = driver_migrate_speed(domain);
    int r = args->flags & SPEED_POSTCOPY ? driver_migrate_get_postcopy_speed(domain, &speed, reterr)
                                         : 0;

    ret->bandwidth = speed;
    return r;
}

DOMAIN_FUNC(set_downtime, remote_domain_migrate_set_max_downtime_args, void) {
    return driver_migrate_set_downtime(domain, args->downtime, reterr);
}

DOMAIN_FUNC(get_downtime, remote_domain_flags_args, remote_domain_migrate_get_max_downtime_ret) {
    uint64_t ms = 0;
    int r = driver_migrate_get_downtime(domain, &ms, reterr);

    ret->downtime = ms;
    return r;
}

DOMAIN_FUNC(set_cache, remote_domain_migrate_set_compression_cache_args, void) {
    return driver_migrate_set_cache(domain, args->cacheSize, reterr);
}

DOMAIN_FUNC(get_cache, remote_domain_flags_args, remote_domain_migrate_get_compression_cache_ret) {
    uint64_t bytes = 0;
    int r = driver_migrate_get_cache(domain, &bytes, reterr);

    ret->cacheSize = bytes;
    return r;
}

DOMAIN_FUNC(start_postcopy, void, void) {
    int r = domain_check_active(domain, reterr);

    return r < 0 ? r : driver_migrate_start_postcopy(domain, reterr);
}

/* ---- rows ---- */

#define PHASE_ROW(number, api, how, run, args, ...)                                                \
    {                                                                                              \
        REMOTE_PROC_DOMAIN_MIGRATE_##number, "virDomainMigrate" api, RPC_PROC_WRITE | (how), run,  \
            XDR_OF(args), __VA_ARGS__                                                              \
    }

const RpcProc migrate_procs[] = {
    PHASE_ROW(BEGIN3_PARAMS, "Begin3Params", RPC_PROC_ON_DOMAIN, begin,
              remote_domain_migrate_begin3_params_args,
              XDR_OF(remote_domain_migrate_begin3_params_ret)),
    PHASE_ROW(PREPARE3_PARAMS, "Prepare3Params", 0, prepare,
              remote_domain_migrate_prepare3_params_args,
              XDR_OF(remote_domain_migrate_prepare3_params_ret)),
    PHASE_ROW(PERFORM3_PARAMS, "Perform3Params", RPC_PROC_ON_DOMAIN, perform,
              remote_domain_migrate_perform3_params_args,
              XDR_OF(remote_domain_migrate_perform3_params_ret)),
    PHASE_ROW(FINISH3_PARAMS, "Finish3Params", 0, finish, remote_domain_migrate_finish3_params_args,
              XDR_OF(remote_domain_migrate_finish3_params_ret)),
    PHASE_ROW(CONFIRM3_PARAMS, "Confirm3Params", RPC_PROC_ON_DOMAIN, confirm,
              remote_domain_migrate_confirm3_params_args, NO_XDR),
    FLAGS_ROW(DOMAIN_MIGRATE_SET_MAX_SPEED, "DomainMigrateSetMaxSpeed", RPC_PROC_WRITE, set_speed,
              SPEED_POSTCOPY, remote_domain_migrate_set_max_speed_args, NO_XDR),
    FLAGS_ROW(DOMAIN_MIGRATE_GET_MAX_SPEED, "DomainMigrateGetMaxSpeed", RPC_PROC_WRITE, get_speed,
              SPEED_POSTCOPY, remote_domain_flags_args,
              XDR_OF(remote_domain_migrate_get_max_speed_ret)),
    FLAGS_ROW(DOMAIN_MIGRATE_SET_MAX_DOWNTIME, "DomainMigrateSetMaxDowntime", RPC_PROC_WRITE,
              set_downtime, 0, remote_domain_migrate_set_max_downtime_args, NO_XDR),
    FLAGS_ROW(DOMAIN_MIGRATE_GET_MAX_DOWNTIME, "DomainMigrateGetMaxDowntime", RPC_PROC_WRITE,
              get_downtime, 0, remote_domain_flags_args,
              XDR_OF(remote_domain_migrate_get_max_downtime_ret)),
    FLAGS_ROW(DOMAIN_MIGRATE_SET_COMPRESSION_CACHE, "DomainMigrateSetCompressionCache",
              RPC_PROC_WRITE, set_cache, 0, remote_domain_migrate_set_compression_cache_args,
              NO_XDR),
    FLAGS_ROW(DOMAIN_MIGRATE_GET_COMPRESSION_CACHE, "DomainMigrateGetCompressionCache",
              RPC_PROC_WRITE, get_cache, 0, remote_domain_flags_args,
              XDR_OF(remote_domain_migrate_get_compression_cache_ret)),
    FLAGS_ROW(DOMAIN_MIGRATE_START_POST_COPY, "DomainMigrateStartPostCopy", RPC_PROC_WRITE,
              start_postcopy, 0, remote_domain_flags_args, NO_XDR),
};
const size_t migrate_n_procs = ARRAY_SIZE(migrate_procs);
