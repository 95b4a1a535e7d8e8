/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Secrets. A value leaves the daemon in the reply of get-value alone. */
#include "remote-secret.h"

#include "conf/uuid.h"
#include "registration.h"

enum { /* virConnectListAllSecretsFlags */
       SECRETS_EPHEMERAL = 1,
       SECRETS_NO_EPHEMERAL = 2,
       SECRETS_PRIVATE = 4,
       SECRETS_NO_PRIVATE = 8,
       SECRETS_ALL_BITS = 15
};

static SecretStore *secrets_of(RpcSession *session) {
    return driver_of(session)->secrets;
}

static int make_secret(const Secret *secret, remote_secret *ret, Error **reterr) {
    memcpy(ret->uuid, secret->def->uuid, 16);
    ret->usageType = (int)secret->def->usage;
    return dispatch_string(&ret->usageID, secret_usage_id(secret->def), reterr);
}

static int found(const Secret *secret, remote_secret_ret *ret, Error **reterr) {
    return secret ? make_secret(secret, &ret->secret, reterr) : -ENOENT;
}

/* ---- lists ---- */

/* A pair of flags: neither asks for all. */
static bool either(unsigned flags, unsigned yes, unsigned no, Tristate is) {
    return !(flags & (yes | no)) || flags & (is == TRISTATE_YES ? yes : no);
}

static bool matches(const Secret *secret, unsigned flags) {
    return either(flags, SECRETS_EPHEMERAL, SECRETS_NO_EPHEMERAL, secret->def->ephemeral) &&
           either(flags, SECRETS_PRIVATE, SECRETS_NO_PRIVATE, secret->def->private);
}

static unsigned count(RpcSession *session, unsigned flags) {
    unsigned n = 0;

    for (const Secret *at = secrets_first(secrets_of(session)); at; at = at->next)
        n += matches(at, flags);
    return n;
}

HANDLER(number) {
    ((remote_int_ret *)ret_)->value = (int)count(session, 0);
    return 0;
}

HANDLER(names) {
    const int max = ((const remote_max_args *)args_)->max;
    remote_names_ret *ret = ret_;
    const unsigned n = max < 0 ? 0 : MIN_OF(count(session, 0), (unsigned)max);
    char text[UUID_TEXT_SIZE];
    int r = 0;

    ret->names.names_val = calloc(n + 1, sizeof(remote_string));
    if (!ret->names.names_val)
        return error_no_memory(reterr);
    for (const Secret *at = secrets_first(secrets_of(session));
         at && r >= 0 && ret->names.names_len < n; at = at->next) {
        uuid_format(at->def->uuid, text);
        r = dispatch_string(&ret->names.names_val[ret->names.names_len++], text, reterr);
    }
    return r;
}

HANDLER(list_all) {
    const remote_list_all_args *args = args_;
    remote_connect_list_all_secrets_ret *ret = ret_;
    int r = dispatch_flags(args->flags, SECRETS_ALL_BITS, call->proc->api, reterr);

    if (r < 0)
        return r;
    ret->ret = count(session, args->flags);
    if (!args->need_results || !ret->ret)
        return 0;
    ret->secrets.secrets_val = calloc(ret->ret, sizeof(remote_secret));
    if (!ret->secrets.secrets_val)
        return error_no_memory(reterr);
    for (const Secret *at = secrets_first(secrets_of(session)); at && r >= 0; at = at->next)
        if (matches(at, args->flags))
            r = make_secret(at, &ret->secrets.secrets_val[ret->secrets.secrets_len++], reterr);
    return r;
}

/* ---- one secret ---- */

HANDLER(by_uuid) {
    const remote_uuid_args *args = args_;

    return found(secret_by_uuid(secrets_of(session), (const uint8_t *)args->uuid, reterr), ret_,
                 reterr);
}

HANDLER(by_usage) {
    const remote_secret_lookup_by_usage_args *args = args_;

    return found(secret_by_usage(secrets_of(session), args->usageType, args->usageID, reterr), ret_,
                 reterr);
}

HANDLER(define) {
    const remote_xml_flags_args *args = args_;
    Secret *secret = NULL;
    int r = dispatch_flags(args->flags, 1, call->proc->api, reterr); /* VALIDATE: always done */

    if (r >= 0)
        r = secrets_define(secrets_of(session), args->xml, &secret, reterr);
    return r < 0 ? r : found(secret, ret_, reterr);
}

HANDLER(undefine) {
    const remote_secret_args *args = args_;

    return secrets_undefine(secrets_of(session), (const uint8_t *)args->secret.uuid, reterr);
}

HANDLER(get_xml) {
    const remote_secret_flags_args *args = args_;
    remote_xml_ret *ret = ret_;
    const Secret *secret = NULL;
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);

    if (r < 0)
        return r;
    secret = secret_by_uuid(secrets_of(session), (const uint8_t *)args->secret.uuid, reterr);
    if (!secret)
        return -ENOENT;
    ret->xml = secret_format(secret->def);
    return ret->xml ? 0 : error_no_memory(reterr);
}

HANDLER(set_value) {
    remote_secret_set_value_args *args = args_;
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);

    if (r >= 0 && args->value.value_len == 0)
        r = error_argument(reterr, call->proc->api, "value", "value in %s must not be NULL",
                           call->proc->api);
    if (r >= 0)
        r = secrets_set_value(secrets_of(session), (const uint8_t *)args->secret.uuid,
                              args->value.value_val, args->value.value_len, reterr);
    if (args->value.value_len > 0)
        explicit_bzero(args->value.value_val, args->value.value_len);
    return r;
}

static int check_readable(const Secret *secret, Error **reterr) {
    char text[UUID_TEXT_SIZE];

    if (secret->def->private == TRISTATE_YES)
        return error_report(reterr, FROM_SECRET, ERROR_INVALID_SECRET, "secret is private");
    uuid_format(secret->def->uuid, text);
    return secret->value ? 0
                         : error_report(reterr, FROM_SECRET, ERROR_NO_SECRET,
                                        "secret '%s' does not have a value", text);
}

HANDLER(get_value) {
    const remote_secret_flags_args *args = args_;
    remote_secret_get_value_ret *ret = ret_;
    const Secret *secret = NULL;
    int r = dispatch_flags(args->flags, 0, call->proc->api, reterr);

    if (r < 0)
        return r;
    secret = secret_by_uuid(secrets_of(session), (const uint8_t *)args->secret.uuid, reterr);
    r = secret ? check_readable(secret, reterr) : -ENOENT;
    if (r < 0)
        return r;
    ret->value.value_val = malloc(secret->value_len);
    if (!ret->value.value_val)
        return error_no_memory(reterr);
    memcpy(ret->value.value_val, secret->value, secret->value_len);
    ret->value.value_len = (unsigned)secret->value_len;
    return 0;
}

/* ---- events ---- */

static void send_one(const Client *client, int callback_id, const remote_secret *wire,
                     SecretEvent event) {
    if (event == SECRET_VALUE_CHANGED) {
        remote_secret_event_value_changed_msg message = {callback_id, *wire};

        rpc_session_send_event(client->session, REMOTE_PROGRAM, REMOTE_VERSION,
                               REMOTE_PROC_SECRET_EVENT_VALUE_CHANGED,
                               (xdrproc_t)xdr_remote_secret_event_value_changed_msg, &message);
    } else {
        remote_secret_event_lifecycle_msg message = {callback_id, *wire, (int)event, 0};

        rpc_session_send_event(client->session, REMOTE_PROGRAM, REMOTE_VERSION,
                               REMOTE_PROC_SECRET_EVENT_LIFECYCLE,
                               (xdrproc_t)xdr_remote_secret_event_lifecycle_msg, &message);
    }
}

void secret_send_event(const Secret *secret, SecretEvent event, void *userdata) {
    const Daemon *daemon = userdata;
    const int event_id = EVENT_OF_SECRETS + (event == SECRET_VALUE_CHANGED);
    remote_secret wire = {.usageType = (int)secret->def->usage,
                          .usageID = (char *)secret_usage_id(secret->def)};

    memcpy(wire.uuid, secret->def->uuid, 16);
    for (const Client *client = daemon->clients; client; client = client->next)
        for (const Registration *at = client->registrations; at; at = at->next)
            if (at->event_id == event_id && (!at->filtered || memcmp(at->uuid, wire.uuid, 16) == 0))
                send_one(client, at->callback_id, &wire, event);
}

/* ---- rows ---- */

const RpcProc secret_procs[] = {
    {REMOTE_PROC_CONNECT_NUM_OF_SECRETS, "virConnectNumOfSecrets", 0, number, NO_XDR,
     XDR_OF(remote_int_ret)},
    {REMOTE_PROC_CONNECT_LIST_SECRETS, "virConnectListSecrets", 0, names, XDR_OF(remote_max_args),
     XDR_OF(remote_names_ret)},
    {REMOTE_PROC_CONNECT_LIST_ALL_SECRETS, "virConnectListAllSecrets", 0, list_all,
     XDR_OF(remote_list_all_args), XDR_OF(remote_connect_list_all_secrets_ret)},
    {REMOTE_PROC_SECRET_LOOKUP_BY_UUID, "virSecretLookupByUUID", 0, by_uuid,
     XDR_OF(remote_uuid_args), XDR_OF(remote_secret_ret)},
    {REMOTE_PROC_SECRET_LOOKUP_BY_USAGE, "virSecretLookupByUsage", 0, by_usage,
     XDR_OF(remote_secret_lookup_by_usage_args), XDR_OF(remote_secret_ret)},
    {REMOTE_PROC_SECRET_DEFINE_XML, "virSecretDefineXML", RPC_PROC_WRITE, define,
     XDR_OF(remote_xml_flags_args), XDR_OF(remote_secret_ret)},
    {REMOTE_PROC_SECRET_UNDEFINE, "virSecretUndefine", RPC_PROC_WRITE, undefine,
     XDR_OF(remote_secret_args), NO_XDR},
    {REMOTE_PROC_SECRET_GET_XML_DESC, "virSecretGetXMLDesc", 0, get_xml,
     XDR_OF(remote_secret_flags_args), XDR_OF(remote_xml_ret)},
    {REMOTE_PROC_SECRET_SET_VALUE, "virSecretSetValue", RPC_PROC_WRITE, set_value,
     XDR_OF(remote_secret_set_value_args), NO_XDR},
    {REMOTE_PROC_SECRET_GET_VALUE, "virSecretGetValue", RPC_PROC_WRITE, get_value,
     XDR_OF(remote_secret_flags_args), XDR_OF(remote_secret_get_value_ret)},
};
const size_t secret_n_procs = ARRAY_SIZE(secret_procs);
