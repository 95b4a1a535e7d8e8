/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Vireo's own program: operations, vCPU changes with a plan, a deadline or no waiting, the QMP
 * trace. */
#include <time.h>

#include "access-view.h"
#include "access.h"
#include "daemon.h"
#include "journal.h"
#include "metrics-text.h"
#include "doctor.h"
#include "domain/vcpu-verdict.h"
#include "driver/tune.h"

enum { LIST_UNDER_WAY = 1 };

static int set_text(remote_opt_string *to, const char *text) {
    if (!text)
        return 0;
    *to = calloc(1, sizeof(remote_string));
    if (*to)
        **to = strdup(text);
    return *to && **to ? 0 : -ENOMEM;
}

static int make_operation(const Driver *driver, const Operation *operation, vireo_operation *ret,
                          Error **reterr) {
    const Domain *domain = store_uuid(driver->services.store, operation->uuid);

    ret->id = operation->id;
    ret->dom.name = strdup(operation->name);
    memcpy(ret->dom.uuid, operation->uuid, sizeof(ret->dom.uuid));
    ret->dom.id = domain ? domain_id(domain) : -1;
    ret->what = operation_describe(operation);
    ret->state = strdup(operation_state_name(operation->state));
    ret->started = operation->started;
    ret->ended = operation->ended;
    ret->done = (unsigned)operation->n_done;
    ret->plug = operation->plug;
    ret->vcpus.vcpus_val = calloc(operation->n_vcpus + 1, sizeof(u_int));
    if (!ret->dom.name || !ret->what || !ret->state || !ret->vcpus.vcpus_val ||
        set_text(&ret->detail, operation->detail) < 0 ||
        set_text(&ret->guest, operation->guest) < 0)
        return error_no_memory(reterr);
    for (size_t i = 0; i < operation->n_vcpus; i++)
        ret->vcpus.vcpus_val[ret->vcpus.vcpus_len++] = operation->vcpus[i];
    return 0;
}

static bool is_listed(const Client *client, const Operation *operation,
                      const vireo_operation_list_args *args) {
    if (!access_sees(client, operation->uuid) ||
        ((args->flags & LIST_UNDER_WAY) && operation_has_ended(operation)))
        return false;
    return !args->dom || memcmp(args->dom->uuid, operation->uuid, sizeof(operation->uuid)) == 0;
}

HANDLER(operation_list) {
    vireo_operation_list_args *args = args_;
    vireo_operation_list_ret *ret = ret_;
    const Operation *first;
    size_t n = 0;
    int r = dispatch_flags(args->flags, LIST_UNDER_WAY, "vireoOperationList", reterr);

    if (r >= 0)
        r = access_look(client_of(session), reterr);
    if (r < 0)
        return r;
    first = operation_log_first(driver_of(session)->services.operations);
    for (const Operation *at = first; at; at = at->next)
        n += is_listed(client_of(session), at, args);
    n = MIN_OF(n, (size_t)VIREO_OPERATIONS_MAX);
    ret->operations.operations_val = calloc(n + 1, sizeof(vireo_operation));
    if (!ret->operations.operations_val)
        return error_no_memory(reterr);
    for (const Operation *at = first; at && ret->operations.operations_len < n; at = at->next)
        if (is_listed(client_of(session), at, args)) {
            r = make_operation(driver_of(session), at,
                               &ret->operations.operations_val[ret->operations.operations_len++],
                               reterr);
            if (r < 0)
                return r;
        }
    return 0;
}

/* Of a domain that the client may do that with; the domain may be no more. */
static int find(RpcSession *session, uint64_t id, AccessClass class, Operation **ret,
                Error **reterr) {
    CLEANUP(operation_unrefp) Operation *operation = NULL;
    int r;

    operation = operation_find(driver_of(session)->services.operations, id, reterr);
    if (!operation)
        return -EINVAL;
    operation_ref(operation);
    r = access_check_named(client_of(session), class, operation->name, operation->uuid, reterr);
    if (r >= 0)
        *ret = TAKE_PTR(operation);
    return r;
}

HANDLER(operation_get) {
    vireo_operation_args *args = args_;
    CLEANUP(operation_unrefp) Operation *operation = NULL;
    int r = find(session, args->id, ACCESS_READ, &operation, reterr);

    return r < 0 ? r
                 : make_operation(driver_of(session), operation,
                                  &((vireo_operation_ret *)ret_)->operation, reterr);
}

/* Returns the operation as it is at its end, or at the deadline. */
HANDLER(operation_await) {
    vireo_operation_timeout_args *args = args_;
    CLEANUP(operation_unrefp) Operation *operation = NULL;
    int r = find(session, args->id, ACCESS_READ, &operation, reterr);

    if (r < 0)
        return r;
    if (args->timeout_ms)
        operation_wait(operation,
                       deadline_in(MIN_OF(args->timeout_ms, UINT64_C(86400000)) * USEC_PER_MSEC));
    return make_operation(driver_of(session), operation, &((vireo_operation_ret *)ret_)->operation,
                          reterr);
}

HANDLER(operation_cancel) {
    vireo_operation_args *args = args_;
    CLEANUP(operation_unrefp) Operation *operation = NULL;
    int r = find(session, args->id, ACCESS_WRITE, &operation, reterr);

    return r < 0 ? r : driver_cancel_operation(operation, reterr);
}

HANDLER(operation_retry) {
    vireo_operation_timeout_args *args = args_;
    CLEANUP(operation_unrefp) Operation *operation = NULL;
    int r = find(session, args->id, ACCESS_WRITE, &operation, reterr);

    return r < 0
               ? r
               : driver_retry_operation(driver_of(session), operation,
                                        MIN_OF(args->timeout_ms, UINT64_C(3600000)) * USEC_PER_MSEC,
                                        reterr);
}

static VcpuRequest request_of(const vireo_change_vcpus_args *args) {
    return (VcpuRequest){.single = args->ids != NULL,
                         .ids = args->ids ? *args->ids : NULL,
                         .count = args->count,
                         .enable = args->enable,
                         .flags = args->flags,
                         .timeout_usec = MIN_OF(args->timeout_ms, UINT64_C(3600000)) *
                                         USEC_PER_MSEC,
                         .async = args->async == 1};
}

static int check_change_flags(unsigned flags, Error **reterr) {
    return dispatch_flags(flags, AFFECT_LIVE | AFFECT_CONFIG | VCPU_HOTPLUGGABLE,
                          "vireoChangeVcpus", reterr);
}

HANDLER(change_vcpus) {
    vireo_change_vcpus_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    VcpuRequest request = request_of(args);
    int r = check_change_flags(args->flags, reterr);

    if (r >= 0)
        r = dispatch_domain(session, &args->dom, &domain, reterr);
    if (r < 0)
        return r;
    return args->async == 2
               ? driver_begin_change(domain, &request, &((vireo_change_vcpus_ret *)ret_)->operation,
                                     reterr)
               : driver_change_vcpus(domain, &request, &((vireo_change_vcpus_ret *)ret_)->operation,
                                     reterr);
}

HANDLER(plan_vcpus) {
    vireo_change_vcpus_args *args = args_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    VcpuRequest request = request_of(args);
    int r = check_change_flags(args->flags, reterr);

    if (r >= 0)
        r = dispatch_domain(session, &args->dom, &domain, reterr);
    return r < 0
               ? r
               : driver_plan_vcpus(domain, &request, &((vireo_plan_vcpus_ret *)ret_)->plan, reterr);
}

HANDLER(reconcile) {
    remote_domain_args *args = args_;
    vireo_reconcile_ret *ret = ret_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    int r = dispatch_domain(session, &args->dom, &domain, reterr);

    if (r >= 0)
        r = driver_reconcile(domain, &ret->text, reterr);
    if (r < 0)
        return r;
    ret->differences = (unsigned)r;
    ret->total = domain->run ? domain->run->n_drifts : 0;
    return 0;
}

static int add_verdict(vireo_guest_vcpus_ret *ret, unsigned vcpu, GuestVerdict verdict) {
    vireo_guest_vcpu *to = &ret->vcpus.vcpus_val[ret->vcpus.vcpus_len];

    *to = (vireo_guest_vcpu){.vcpu = vcpu, .verdict = strdup(guest_verdict_name(verdict))};
    ret->vcpus.vcpus_len += to->verdict != NULL;
    return to->verdict ? 0 : -ENOMEM;
}

HANDLER(guest_vcpus) {
    remote_domain_args *args = args_;
    vireo_guest_vcpus_ret *ret = ret_;
    CLEANUP_DOMAIN Domain *domain = NULL;
    VcpuMap *map;
    int r = dispatch_domain(session, &args->dom, &domain, reterr);

    if (r < 0)
        return r;
    if (!domain->run)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain is not running");
    map = &domain->run->vcpus;
    ret->vcpus.vcpus_val = calloc(domain->run->live->n_vcpus_max + 1, sizeof(vireo_guest_vcpu));
    if (!ret->vcpus.vcpus_val)
        return error_no_memory(reterr);
    for (unsigned id = 0; id < domain->run->live->n_vcpus_max; id++) {
        const VcpuEntity *entity = vcpu_map_by_id(map, id);

        if (entity && entity->qom_path && entity->verdict != GUEST_UNTOLD &&
            add_verdict(ret, id, entity->verdict) < 0)
            return error_no_memory(reterr);
    }
    return 0;
}

/* ---- events ---- */

/* Reports QMP lines as long as one client wants them. */
void vireo_update_trace(Daemon *daemon) {
    bool wanted = false;

    for (const Client *client = daemon->clients; client; client = client->next)
        wanted |= (client->vireo_kinds & VIREO_EVENT_TRACE) != 0;
    driver_set_trace(daemon->driver, wanted);
}

HANDLER(event_register) {
    vireo_event_register_args *args = args_;
    Client *client = client_of(session);
    int r = dispatch_flags(args->kinds,
                           VIREO_EVENT_OPERATION | VIREO_EVENT_TRACE | VIREO_EVENT_DRIFT,
                           "vireoEventRegister", reterr);

    if (r < 0)
        return r;
    if ((args->kinds & VIREO_EVENT_TRACE) && rpc_session_readonly(session))
        return error_report(reterr, FROM_RPC, ERROR_OPERATION_DENIED,
                            "read only access prevents the QMP trace");
    if (args->kinds & VIREO_EVENT_TRACE)
        r = access_check(client, ACCESS_MONITOR, NULL, reterr);
    if (r < 0)
        return r;
    client->vireo_kinds = args->kinds;
    client->vireo_filtered = args->dom != NULL;
    if (args->dom)
        memcpy(client->vireo_uuid, args->dom->uuid, sizeof(client->vireo_uuid));
    vireo_update_trace(client->daemon);
    return 0;
}

static bool wants(const Client *client, unsigned kind, const uint8_t uuid[16]) {
    return (client->vireo_kinds & kind) &&
           (!client->vireo_filtered ||
            memcmp(client->vireo_uuid, uuid, sizeof(client->vireo_uuid)) == 0);
}

static void send_event(Client *client, const remote_domain *about, int procedure, xdrproc_t xdr,
                       void *message) {
    access_send_event(client, &(AccessEvent){.uuid = (const uint8_t *)about->uuid,
                                             .name = about->name,
                                             .program = VIREO_PROGRAM,
                                             .version = VIREO_VERSION_1,
                                             .procedure = procedure,
                                             .xdr = xdr,
                                             .payload = message});
}

void vireo_send_operation(Operation *operation, void *userdata) {
    Daemon *daemon = userdata;
    vireo_operation_msg message = {0};
    bool made = false;

    metrics_count_operation(operation);
    journal_operation(operation);
    for (Client *client = daemon->clients; client; client = client->next) {
        if (!wants(client, VIREO_EVENT_OPERATION, operation->uuid))
            continue;
        if (!made && make_operation(daemon->driver, operation, &message.operation, NULL) < 0)
            break;
        made = true;
        send_event(client, &message.operation.dom, VIREO_PROC_EVENT_OPERATION,
                   (xdrproc_t)xdr_vireo_operation_msg, &message);
    }
    xdr_free((xdrproc_t)xdr_vireo_operation_msg, (char *)&message);
}

void vireo_send_trace(Domain *domain, char direction, const char *text, size_t len,
                      void *userdata) {
    Daemon *daemon = userdata;
    CLEANUP_FREE char *copy = strndup(text, MIN_OF(len, (size_t)REMOTE_STRING_MAX - 1));
    struct timespec now;
    vireo_trace_msg message = {.direction = direction, .text = copy};

    if (!copy)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    message.usec = (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
    message.dom = (remote_domain){.name = (char *)domain_name(domain), .id = domain_id(domain)};
    memcpy(message.dom.uuid, domain_def(domain)->uuid, sizeof(message.dom.uuid));
    for (Client *client = daemon->clients; client; client = client->next)
        if (wants(client, VIREO_EVENT_TRACE, domain_def(domain)->uuid))
            send_event(client, &message.dom, VIREO_PROC_EVENT_TRACE, (xdrproc_t)xdr_vireo_trace_msg,
                       &message);
}

void vireo_send_drift(Domain *domain, unsigned n, const char *text, void *userdata) {
    Daemon *daemon = userdata;
    vireo_drift_msg message = {.differences = n, .text = (char *)text};

    journal_drift(domain, text);
    message.dom = (remote_domain){.name = (char *)domain_name(domain), .id = domain_id(domain)};
    memcpy(message.dom.uuid, domain_def(domain)->uuid, sizeof(message.dom.uuid));
    for (Client *client = daemon->clients; client; client = client->next)
        if (wants(client, VIREO_EVENT_DRIFT, domain_def(domain)->uuid))
            send_event(client, &message.dom, VIREO_PROC_EVENT_DRIFT, (xdrproc_t)xdr_vireo_drift_msg,
                       &message);
}

const RpcProc vireo_procs[] = {
    {VIREO_PROC_OPERATION_LIST, "vireoOperationList", 0, operation_list,
     XDR_OF(vireo_operation_list_args), XDR_OF(vireo_operation_list_ret)},
    {VIREO_PROC_OPERATION_GET, "vireoOperationGet", 0, operation_get, XDR_OF(vireo_operation_args),
     XDR_OF(vireo_operation_ret)},
    {VIREO_PROC_OPERATION_AWAIT, "vireoOperationAwait", 0, operation_await,
     XDR_OF(vireo_operation_timeout_args), XDR_OF(vireo_operation_ret)},
    {VIREO_PROC_OPERATION_CANCEL, "vireoOperationCancel", RPC_PROC_WRITE, operation_cancel,
     XDR_OF(vireo_operation_args), NO_XDR},
    {VIREO_PROC_OPERATION_RETRY, "vireoOperationRetry", RPC_PROC_WRITE, operation_retry,
     XDR_OF(vireo_operation_timeout_args), NO_XDR},
    {VIREO_PROC_CHANGE_VCPUS, "vireoChangeVcpus", RPC_PROC_WRITE | RPC_PROC_ON_DOMAIN, change_vcpus,
     XDR_OF(vireo_change_vcpus_args), XDR_OF(vireo_change_vcpus_ret)},
    {VIREO_PROC_PLAN_VCPUS, "vireoPlanVcpus", RPC_PROC_ON_DOMAIN, plan_vcpus,
     XDR_OF(vireo_change_vcpus_args), XDR_OF(vireo_plan_vcpus_ret)},
    {VIREO_PROC_EVENT_REGISTER, "vireoEventRegister", 0, event_register,
     XDR_OF(vireo_event_register_args), NO_XDR},
    {VIREO_PROC_CHECK_XML, "vireoCheckXML", 0, doctor_check_xml, XDR_OF(vireo_check_xml_args),
     XDR_OF(vireo_check_xml_ret)},
    {VIREO_PROC_DOCTOR, "vireoDoctor", 0, doctor_look, XDR_OF(vireo_doctor_args),
     XDR_OF(vireo_doctor_ret)},
    {VIREO_PROC_RECONCILE, "vireoReconcile", RPC_PROC_WRITE | RPC_PROC_ON_DOMAIN, reconcile,
     XDR_OF(remote_domain_args), XDR_OF(vireo_reconcile_ret)},
    {VIREO_PROC_GUEST_VCPUS, "vireoGuestVcpus", RPC_PROC_ON_DOMAIN, guest_vcpus,
     XDR_OF(remote_domain_args), XDR_OF(vireo_guest_vcpus_ret)},
};
const size_t vireo_n_procs = ARRAY_SIZE(vireo_procs);
