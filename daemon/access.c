/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Classes of calls, and the questions about them. */
#include "access-internal.h"

#include <stdio.h>

#include "conf/uuid.h"
#include "rpc/frame.h"
#include "rpc/refusal.h"
#include "util/log.h"

/* libvirt's own access rules are finer; these have the same borders (the @acl comments of its
 * protocol file). The first beginning that fits counts; WRITE is the rest. */
static const struct {
    const char *begin;
    AccessClass class;
} classes[] = {
    {"virDomainSaveImage", ACCESS_SAVE},
    {"virDomainSave", ACCESS_SAVE},
    {"virDomainManagedSave", ACCESS_SAVE},
    {"virDomainRestore", ACCESS_SAVE},
    {"virDomainCoreDump", ACCESS_SAVE},
    {"virDomainQemuMonitor", ACCESS_MONITOR},
    {"virConnectDomainQemuMonitor", ACCESS_MONITOR},
    {"virDomainQemuAgent", ACCESS_AGENT},
    {"virDomainQemuAttach", ACCESS_MONITOR},
    {"virDomainAgent", ACCESS_AGENT},
    {"virDomainAuthorizedSSHKeys", ACCESS_AGENT},
    {"virDomainFS", ACCESS_AGENT},
    {"virDomainGetFSInfo", ACCESS_AGENT},
    {"virDomainGetGuest", ACCESS_AGENT},
    {"virDomainGetHostname", ACCESS_AGENT},
    {"virDomainGetTime", ACCESS_AGENT},
    {"virDomainSetGuest", ACCESS_AGENT},
    {"virDomainSetTime", ACCESS_AGENT},
    {"virDomainSetUserPassword", ACCESS_AGENT},
    {"virDomainMigrate", ACCESS_MIGRATE},
    {"virDomainBlock", ACCESS_BLOCK},
};

const char *access_class_name(AccessClass class) {
    static const char *const names[] = {
        [ACCESS_READ] = "read",       [ACCESS_WRITE] = "write", [ACCESS_SAVE] = "save",
        [ACCESS_MONITOR] = "monitor", [ACCESS_AGENT] = "agent", [ACCESS_MIGRATE] = "migrate",
        [ACCESS_BLOCK] = "block",
    };

    assert(class >= 0 && class < ACCESS_MAX_);
    return names[class];
}

AccessClass access_class_of(const RpcProc *proc) {
    if (!(proc->flags & RPC_PROC_WRITE))
        return ACCESS_READ;
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
        if (strncmp(proc->api, classes[i].begin, strlen(classes[i].begin)) == 0)
            return classes[i].class;
    return ACCESS_WRITE;
}

/* The domain is the one that the call names; its name is not told, since who may not read it may
 * know an id or a uuid only. The log has it. */
static int refuse(const Client *client, const char *action, bool domain, Error **reterr) {
    refusal_count(REFUSAL_POLKIT);
    return error_report(reterr, FROM_POLKIT, ERROR_ACCESS_DENIED,
                        "polkit does not let user %u (process %d) do %s%s; a rule for this action "
                        "can",
                        (unsigned)client->subject.uid, (int)client->subject.pid, action,
                        domain ? " with this domain" : "");
}

/* The names of the details are libvirt's, so that rules written for it see them. */
static int ask(Client *client, AccessClass class, const char *name, const char *uuid,
               Error **reterr) {
    const PolkitDetail details[] = {
        {"connect_driver", "QEMU"}, {"domain_name", name}, {"domain_uuid", uuid}};
    char action[32];
    int r;

    snprintf(action, sizeof(action), "org.vireo.%s", access_class_name(class));
    log_debug("asking polkit: %s of user %u (process %d)%s%s", action,
              (unsigned)client->subject.uid, (int)client->subject.pid, name ? " with domain " : "",
              name ? name : "");
    r = polkit_check(client->daemon->polkit, &client->subject, action, details,
                     name ? ARRAY_SIZE(details) : 1, true, reterr);
    if (r == -EACCES) {
        log_limited(LOG_INFO, "user %u (process %d) may not do %s%s%s",
                    (unsigned)client->subject.uid, (int)client->subject.pid, action,
                    name ? ": " : "", name ? name : "");
        r = refuse(client, action, name != NULL, reterr);
    }
    return r;
}

/* The domain may go while somebody thinks about it: its name is kept. */
int access_check_named(Client *client, AccessClass class, const char *name, const uint8_t uuid[16],
                       Error **reterr) {
    CLEANUP_FREE char *kept = NULL;
    char text[UUID_TEXT_SIZE];

    if (!rpc_session_has_gate(client->session))
        return 0;
    kept = strdup(name);
    if (!kept)
        return error_no_memory(reterr);
    uuid_format(uuid, text);
    return ask(client, class, kept, text, reterr);
}

int access_check(Client *client, AccessClass class, const Domain *domain, Error **reterr) {
    if (domain)
        return access_check_named(client, class, domain_name(domain), domain_def(domain)->uuid,
                                  reterr);
    return rpc_session_has_gate(client->session) ? ask(client, class, NULL, NULL, reterr) : 0;
}

static void wire_done(remote_domain *wire) {
    xdr_free((xdrproc_t)xdr_remote_domain, wire);
}

static void snapshot_done(remote_domain_snapshot *wire) {
    xdr_free((xdrproc_t)xdr_remote_domain_snapshot, wire);
}

/* Which domain the call is about, by its uuid: the name that the client sends is only his word. */
static int find_domain(Client *client, const RpcProc *proc, const uint8_t *payload, size_t len,
                       Domain **ret, Error **reterr) {
    CLEANUP(wire_done) remote_domain wire = {0};
    CLEANUP(snapshot_done) remote_domain_snapshot snapshot = {0};
    const bool of_snapshot = proc->flags & RPC_PROC_ON_SNAPSHOT;
    int r = of_snapshot
                ? frame_decode(payload, len, (xdrproc_t)xdr_remote_domain_snapshot, &snapshot)
                : frame_decode(payload, len, (xdrproc_t)xdr_remote_domain, &wire);

    if (r < 0)
        return error_report(reterr, FROM_RPC, ERROR_RPC, "Unable to decode message payload");
    return dispatch_domain(client->session, of_snapshot ? &snapshot.dom : &wire, ret, reterr);
}

int access_gate(RpcSession *session, const RpcProc *proc, const uint8_t *payload, size_t len,
                Error **reterr) {
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = 0;

    if (proc->flags & (RPC_PROC_ON_DOMAIN | RPC_PROC_ON_SNAPSHOT))
        r = find_domain(client_of(session), proc, payload, len, &domain, reterr);
    return r < 0 ? r : access_check(client_of(session), access_class_of(proc), domain, reterr);
}
