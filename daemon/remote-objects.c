/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Classes of objects there are none of: their lists are empty, each look-up has its own "not
 * found", and events may be registered for and never come. Clients ask for all of them as they
 * start. The events of networks, storage pools and secrets are registered for here, too. */
#include "registration.h"

/* ---- lists ---- */

HANDLER(empty) {
    return 0;
}

/* ---- look-ups ---- */

/* What the row's `data` says. */
typedef struct Missing {
    ErrorCode code;
    ErrorFrom from;
    const char *what; /* of the sentence: "no storage pool with matching name" */
} Missing;

static int not_found(const RpcCall *call, const char *name, Error **reterr) {
    const Missing *missing = call->proc->data;

    return error_report(reterr, missing->from, missing->code, "%s '%.200s'", missing->what, name);
}

HANDLER(by_name) {
    return not_found(call, ((remote_name_args *)args_)->name, reterr);
}

HANDLER(by_uuid) {
    char text[UUID_TEXT_SIZE];

    uuid_format((const uint8_t *)((remote_uuid_args *)args_)->uuid, text);
    return not_found(call, text, reterr);
}

/* ---- events ---- */

/* The row's `data`: the kind, and how many events it has. */
typedef struct EventKind {
    int kind, n_events;
} EventKind;

HANDLER(register_event) {
    const EventKind *kind = call->proc->data;
    const int event_id = *(int *)args_; /* the first of every such struct */
    remote_connect_domain_event_callback_register_any_ret *ret = ret_;
    Registration *registration = NULL;
    int r;

    if (event_id < 0 || event_id >= kind->n_events)
        return error_report(reterr, FROM_RPC, ERROR_INTERNAL, "unsupported event ID %d", event_id);
    r = registration_add(client_of(session), kind->kind + event_id, NULL, &registration, reterr);
    if (r >= 0)
        ret->callbackID = registration->callback_id;
    return r;
}

HANDLER(deregister_event) {
    const EventKind *kind = call->proc->data;
    remote_connect_domain_event_callback_deregister_any_args *args = args_;

    return registration_remove(client_of(session), kind->kind, args->callbackID, reterr);
}

static const EventKind network_events = {EVENT_OF_NETWORKS, 1}, pool_events = {EVENT_OF_POOLS, 2},
                       secret_events = {EVENT_OF_SECRETS, 2};

/* ---- rows ---- */

#define NUMBER_ROW(number, api)                                                                    \
    { REMOTE_PROC_##number, "vir" api, 0, empty, NO_XDR, XDR_OF(remote_int_ret) }
#define NAMES_ROW(number, api)                                                                     \
    { REMOTE_PROC_##number, "vir" api, 0, empty, XDR_OF(remote_max_args), XDR_OF(remote_names_ret) }
#define LIST_ROW(number, api)                                                                      \
    {                                                                                              \
        REMOTE_PROC_##number, "vir" api, 0, empty, XDR_OF(remote_list_all_args),                   \
            XDR_OF(remote_empty_list_ret)                                                          \
    }
#define LOOKUP_ROW(number, api, how, args, missing)                                                \
    { REMOTE_PROC_##number, "vir" api, 0, how, XDR_OF(args), NO_XDR, missing }
#define EVENT_ROWS(number, api, args, kind)                                                        \
    {REMOTE_PROC_CONNECT_##number##_EVENT_REGISTER_ANY,                                            \
     "virConnect" api "EventRegisterAny",                                                          \
     0,                                                                                            \
     register_event,                                                                               \
     XDR_OF(args),                                                                                 \
     XDR_OF(remote_connect_domain_event_callback_register_any_ret),                                \
     kind},                                                                                        \
    {                                                                                              \
        REMOTE_PROC_CONNECT_##number##_EVENT_DEREGISTER_ANY,                                       \
            "virConnect" api "EventDeregisterAny", 0, deregister_event,                            \
            XDR_OF(remote_connect_domain_event_callback_deregister_any_args), NO_XDR, kind         \
    }

static const Missing filter_name = {ERROR_NO_NWFILTER, FROM_NWFILTER,
                                    "no nwfilter with matching name"},
                     filter_uuid = {ERROR_NO_NWFILTER, FROM_NWFILTER,
                                    "no nwfilter with matching uuid"};

const RpcProc object_procs[] = {
    EVENT_ROWS(NETWORK, "Network", remote_named_event_register_args, &network_events),

    EVENT_ROWS(STORAGE_POOL, "StoragePool", remote_named_event_register_args, &pool_events),

    EVENT_ROWS(SECRET, "Secret", remote_secret_event_register_args, &secret_events),

    NUMBER_ROW(CONNECT_NUM_OF_NWFILTERS, "ConnectNumOfNWFilters"),
    NAMES_ROW(CONNECT_LIST_NWFILTERS, "ConnectListNWFilters"),
    LIST_ROW(CONNECT_LIST_ALL_NWFILTERS, "ConnectListAllNWFilters"),
    LIST_ROW(CONNECT_LIST_ALL_NWFILTER_BINDINGS, "ConnectListAllNWFilterBindings"),
    LOOKUP_ROW(NWFILTER_LOOKUP_BY_NAME, "NWFilterLookupByName", by_name, remote_name_args,
               &filter_name),
    LOOKUP_ROW(NWFILTER_LOOKUP_BY_UUID, "NWFilterLookupByUUID", by_uuid, remote_uuid_args,
               &filter_uuid),
};
const size_t object_n_procs = ARRAY_SIZE(object_procs);
