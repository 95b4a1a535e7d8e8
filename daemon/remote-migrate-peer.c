/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "remote-migrate-peer.h"

#include "params.h"
#include "rpc/client.h"

#define PREPARE_MS 120000
#define FINISH_MS 360000               /* the other side waits for its last word from here, too */
#define POSTCOPY_MS (24 * 3600 * 1000) /* for the rest of the guest's memory to go there */

#define CALL_PEER(peer, number, args_type, args, ret_type, ret, ms, reterr)                        \
    rpc_client_call(peer, REMOTE_PROGRAM, REMOTE_PROC_DOMAIN_MIGRATE_##number,                     \
                    (xdrproc_t)xdr_##args_type, args, (xdrproc_t)xdr_##ret_type, ret, ms, reterr)

/* One of them, with what its phases have given back. */
typedef struct Lead {
    Domain *domain;
    MigrateParams params;
    RpcClient *peer;
    char *name, *xml, *cookie; /* of Begin */
    remote_domain_migrate_prepare3_params_ret prepared;
} Lead;

static void lead_done(Lead *lead) {
    rpc_client_free(lead->peer);
    xdr_free((xdrproc_t)xdr_remote_domain_migrate_prepare3_params_ret, &lead->prepared);
    free(lead->name);
    free(lead->xml);
    free(lead->cookie);
}

static void add_text(Params *params, const char *name, const char *text) {
    if (text)
        params_add_string(params, name, text);
}

static int prepare(Lead *lead, Error **reterr) {
    CLEANUP_PARAMS Params params = {0};
    remote_domain_migrate_prepare3_params_args args = {.flags = lead->params.flags};

    add_text(&params, "destination_xml", lead->xml);
    add_text(&params, "destination_name", lead->params.dest_name);
    add_text(&params, "persistent_xml", lead->params.persist_xml);
    add_text(&params, "migrate_uri", lead->params.uri);
    add_text(&params, "listen_address", lead->params.listen_address);
    if (params.failed)
        return error_no_memory(reterr);
    args.params.params_val = params.list;
    args.params.params_len = (u_int)params.n;
    args.cookie_in.cookie_in_val = lead->cookie;
    args.cookie_in.cookie_in_len = (u_int)strlen(lead->cookie) + 1;
    return CALL_PEER(lead->peer, PREPARE3_PARAMS, remote_domain_migrate_prepare3_params_args, &args,
                     remote_domain_migrate_prepare3_params_ret, &lead->prepared, PREPARE_MS,
                     reterr);
}

static int perform(Lead *lead, Error **reterr) {
    MigrateParams params = lead->params;

    if (lead->prepared.uri_out)
        params.uri = *lead->prepared.uri_out;
    params.cookie = lead->prepared.cookie_out.cookie_out_val;
    params.cookie_len = lead->prepared.cookie_out.cookie_out_len;
    return driver_migrate_perform(lead->domain, &params, reterr);
}

static int finish(Lead *lead, bool cancelled, Error **reterr) {
    CLEANUP_PARAMS Params params = {0};
    remote_domain_migrate_finish3_params_args args = {.flags = lead->params.flags,
                                                      .cancelled = cancelled};
    remote_domain_migrate_finish3_params_ret ret = {0};
    int r;

    add_text(&params, "destination_name",
             lead->params.dest_name ? lead->params.dest_name : lead->name);
    if (params.failed)
        return error_no_memory(reterr);
    args.params.params_val = params.list;
    args.params.params_len = (u_int)params.n;
    r = CALL_PEER(lead->peer, FINISH3_PARAMS, remote_domain_migrate_finish3_params_args, &args,
                  remote_domain_migrate_finish3_params_ret, &ret,
                  driver_migrate_in_postcopy(lead->domain) ? POSTCOPY_MS : FINISH_MS, reterr);
    if (r >= 0)
        xdr_free((xdrproc_t)xdr_remote_domain_migrate_finish3_params_ret, &ret);
    return r;
}

/* From the other side's Prepare on each phase has to follow, whatever the one before it says. */
static int move(Lead *lead, Error **reterr) {
    CLEANUP_ERROR Error *error = NULL, *unfinished = NULL, *unconfirmed = NULL;
    const bool offline = lead->params.flags & MIGRATE_OFFLINE; /* no guest, no state */
    int performed = offline ? 0 : perform(lead, &error);
    int finished = finish(lead, performed < 0, &unfinished);
    int confirmed = 0;

    lead->params.lost = unfinished && migrate_is_lost(unfinished);
    if (performed >= 0) /* one that fails has gone back by itself */
        confirmed = driver_migrate_confirm(lead->domain, &lead->params, finished < 0, &unconfirmed);
    if (performed < 0)
        return error_propagate(reterr, TAKE_PTR(error));
    if (finished < 0)
        return error_propagate(reterr, TAKE_PTR(unfinished));
    return confirmed < 0 ? error_propagate(reterr, TAKE_PTR(unconfirmed)) : 0;
}

int migrate_lead(Domain *domain, const MigrateParams *params, const char *uri, Error **reterr) {
    CLEANUP(lead_done) Lead lead = {.domain = domain, .params = *params};
    int r;

    lead.params.owner = &lead; /* no connection's: the client may go */
    if (domain->state == DOMAIN_PAUSED)
        lead.params.flags |= MIGRATE_PAUSED;
    lead.name = strdup(domain_name(domain));
    if (!lead.name)
        return error_no_memory(reterr);
    r = driver_migrate_begin(domain, &lead.params, &lead.xml, &lead.cookie, reterr);
    if (r >= 0)
        r = rpc_client_open(uri, false, &lead.peer, reterr);
    if (r >= 0)
        r = prepare(&lead, reterr);
    return r < 0 ? r : move(&lead, reterr);
}
