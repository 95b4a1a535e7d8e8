/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who registered for what. */
#include "registration.h"

#include "rpc/refusal.h"
#include "util/log.h"

static void registration_free(Registration *registration) {
    if (registration->pattern)
        regfree(registration->pattern);
    free(registration->pattern);
    free(registration->monitor_event);
    free(registration->device);
    free(registration);
}

int registration_add(Client *client, int event_id, const remote_domain *filter, Registration **ret,
                     Error **reterr) {
    CLEANUP_FREE Registration *registration = calloc(1, sizeof(Registration));

    if (!registration)
        return error_no_memory(reterr);
    if (!account_take(rpc_session_account(client->session), BUDGET_REGISTRATIONS, 1)) {
        refusal_count(REFUSAL_LIMIT);
        return error_report(reterr, FROM_RPC, ERROR_OPERATION_FAILED,
                            "too many event registrations of this client or its user; deregister "
                            "those that are not needed");
    }
    registration->event_id = event_id;
    registration->callback_id = client->next_callback_id++;
    if (filter) {
        registration->filtered = true;
        memcpy(registration->uuid, filter->uuid, sizeof(registration->uuid));
    }
    registration->next = client->registrations;
    log_debug("client %d: event %d registered as callback %d",
              (int)rpc_session_peer_pid(client->session), event_id, registration->callback_id);
    *ret = client->registrations = TAKE_PTR(registration);
    return 0;
}

static void drop(Client *client, Registration **at) {
    Registration *gone = *at;

    *at = gone->next;
    account_give(rpc_session_account(client->session), BUDGET_REGISTRATIONS, 1);
    registration_free(gone);
}

int registration_remove(Client *client, int kind, int callback_id, Error **reterr) {
    Registration **at = &client->registrations;

    while (*at && ((*at)->callback_id != callback_id ||
                   (*at)->event_id / EVENT_KIND_SIZE != kind / EVENT_KIND_SIZE))
        at = &(*at)->next;
    if (!*at)
        return error_report(reterr, FROM_RPC, ERROR_INTERNAL, "%s event callback %d not registered",
                            kind == EVENT_OF_NETWORKS       ? "network"
                            : kind == EVENT_OF_POOLS        ? "storage pool"
                            : kind == EVENT_OF_NODE_DEVICES ? "node device"
                            : kind == EVENT_OF_SECRETS      ? "secret"
                                                            : "domain",
                            callback_id);
    drop(client, at);
    return 0;
}

bool registration_matches(const Registration *registration, int event_id, const Domain *domain) {
    return registration->event_id == event_id &&
           (!registration->filtered ||
            memcmp(registration->uuid, domain_def(domain)->uuid, sizeof(registration->uuid)) == 0);
}

void registration_remove_all(Client *client) {
    while (client->registrations)
        drop(client, &client->registrations);
}
