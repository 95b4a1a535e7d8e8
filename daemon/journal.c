/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One function a kind. */
#include "journal.h"

#include <stdio.h>

#include "conf/uuid.h"
#include "util/log.h"

/* Drawn once (journalctl --new-id128); units/vireo.catalog explains each. */
#define KIND_CALL "05ea10285edc4eda8ce5d62b070aaf6d"
#define KIND_LIFECYCLE "aaed6b2d56cc4252814b39438ffcab49"
#define KIND_VCPU_REMOVED "17eff86f5b7748b2a7686184c3e23598"
#define KIND_DRIFT "e06c372ecb724d83ab8302fb73f8be9f"
#define KIND_OPERATION "31ebc60ecc204340b5d5cb368d9188b1"

#define NUMBER_TEXT_SIZE 24u

static const char *number_text(char text[NUMBER_TEXT_SIZE], uint64_t number) {
    snprintf(text, NUMBER_TEXT_SIZE, "%llu", (unsigned long long)number);
    return text;
}

static const char *uuid_text(char text[UUID_TEXT_SIZE], const uint8_t uuid[16]) {
    uuid_format(uuid, text);
    return text;
}

void journal_call(RpcSession *session, const RpcCall *call, const Domain *domain,
                  const Error *error) {
    const char *name = domain ? domain_name(domain) : NULL;
    const char *address = rpc_session_peer(session)->host;
    const char *host = *address ? address : NULL;
    const uid_t client = rpc_session_peer_uid(session);
    const pid_t process = rpc_session_peer_pid(session);
    char uid[NUMBER_TEXT_SIZE], pid[NUMBER_TEXT_SIZE], uuid[UUID_TEXT_SIZE];
    const LogField fields[] = {
        {"MESSAGE_ID", KIND_CALL},
        {"API", call->proc->api},
        {"CLIENT_UID", client == RPC_PEER_NOBODY ? NULL : number_text(uid, client)},
        {"CLIENT_PID", host ? NULL : number_text(pid, (uint64_t)process)},
        {"CLIENT_ADDRESS", host},
        {"DOMAIN", name},
        {"UUID", domain ? uuid_text(uuid, domain_def(domain)->uuid) : NULL},
    };

    log_write_fields(LOG_INFO, fields, ARRAY_SIZE(fields), "%s called %s%s%s%s: %s",
                     rpc_session_peer(session)->text, call->proc->api, name ? " for domain '" : "",
                     name ? name : "", name ? "'" : "", error ? error_message(error) : "done");
}

void journal_lifecycle(Domain *domain, LifecycleEvent event) {
    static const char *const names[] = {
        [EVENT_DEFINED] = "is defined",        [EVENT_UNDEFINED] = "is undefined",
        [EVENT_STARTED] = "has started",       [EVENT_SUSPENDED] = "is paused",
        [EVENT_RESUMED] = "runs again",        [EVENT_STOPPED] = "has stopped",
        [EVENT_SHUTDOWN] = "is shutting down", [EVENT_PMSUSPENDED] = "is suspended by its guest",
        [EVENT_CRASHED] = "has crashed",
    };
    char uuid[UUID_TEXT_SIZE];
    const LogField fields[] = {{"MESSAGE_ID", KIND_LIFECYCLE},
                               {"DOMAIN", domain_name(domain)},
                               {"UUID", uuid_text(uuid, domain_def(domain)->uuid)}};

    log_write_fields(LOG_INFO, fields, ARRAY_SIZE(fields), "domain '%s' %s", domain_name(domain),
                     names[event]);
}

void journal_vcpu_removed(Domain *domain, unsigned vcpu) {
    char uuid[UUID_TEXT_SIZE], number[NUMBER_TEXT_SIZE];
    const LogField fields[] = {{"MESSAGE_ID", KIND_VCPU_REMOVED},
                               {"DOMAIN", domain_name(domain)},
                               {"UUID", uuid_text(uuid, domain_def(domain)->uuid)},
                               {"VCPU", number_text(number, vcpu)}};

    log_write_fields(LOG_INFO, fields, ARRAY_SIZE(fields), "domain '%s': vCPU %u removed",
                     domain_name(domain), vcpu);
}

void journal_drift(Domain *domain, const char *text) {
    char uuid[UUID_TEXT_SIZE];
    const LogField fields[] = {{"MESSAGE_ID", KIND_DRIFT},
                               {"DOMAIN", domain_name(domain)},
                               {"UUID", uuid_text(uuid, domain_def(domain)->uuid)}};

    log_write_fields(LOG_INFO, fields, ARRAY_SIZE(fields),
                     "domain '%s': others had changed what its threads may use: %s",
                     domain_name(domain), text);
}

void journal_operation(const Operation *operation) {
    CLEANUP_FREE char *what = operation_describe(operation);
    const char *more = operation->guest && !operation->guest_pending ? operation->guest
                                                                     : operation->detail;
    char uuid[UUID_TEXT_SIZE], id[NUMBER_TEXT_SIZE], vcpu[NUMBER_TEXT_SIZE];
    const LogField fields[] = {
        {"MESSAGE_ID", KIND_OPERATION},
        {"DOMAIN", operation->name},
        {"UUID", uuid_text(uuid, operation->uuid)},
        {"OPERATION", number_text(id, operation->id)},
        {"VCPU", operation->n_vcpus == 1 ? number_text(vcpu, operation->vcpus[0]) : NULL}};

    if (operation_has_ended(operation))
        log_write_fields(LOG_INFO, fields, ARRAY_SIZE(fields),
                         "domain '%s': operation %s (%s): %s%s%s", operation->name, id,
                         what ? what : "a change of vCPUs", operation_state_name(operation->state),
                         more ? ": " : "", more ? more : "");
}
