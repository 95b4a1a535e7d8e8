/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vCPU counts and single vCPUs: what the flags mean, live and in the persistent definition. */
#include "domain/agent-link.h"
#include "domain/files.h"
#include "domain/store.h"
#include "domain/vcpu-change.h"
#include "domain/vcpu-config.h"
#include "domain/vcpu-online.h"
#include "domain/vcpu-operation.h"
#include "domain/vcpu-request.h"
#include "driver/device.h"
#include "driver/driver.h"
#include "util/libvirt-numbers.h"

int driver_get_vcpus(Domain *domain, unsigned flags, Error **reterr) {
    bool live, config;
    const DomainDef *def;
    int r;

    if (flags & VCPU_GUEST) {
        CLEANUP_AGENT_VCPUS AgentVcpus vcpus = {0};

        if (!domain->run)
            return error_report(reterr, FROM_QEMU, ERROR_INVALID_ARG,
                                "vCPU count provided by the guest agent can only be requested for "
                                "live domains");
        r = agent_link_vcpus(domain, &vcpus, reterr);
        return r < 0 ? r : (int)agent_vcpus_online(&vcpus);
    }
    r = domain_resolve_affect(domain, flags, &live, &config, reterr);
    if (r < 0)
        return r;
    def = live ? domain->run->live : domain->config;
    return (flags & VCPU_MAXIMUM) ? (int)def->n_vcpus_max : (int)domain_def_online_vcpus(def);
}

static int change_config(Domain *domain, const VcpuRequest *request, Error **reterr) {
    int r = vcpu_config_commit(domain, request, reterr);

    if (r >= 0)
        operations_leave_config(domain, request);
    return r;
}

static int change_locked(Domain *domain, const VcpuRequest *request, uint64_t *ret_operation,
                         Error **reterr) {
    CLEANUP(hotplug_plan_done) HotplugPlan plan = {0};
    CLEANUP_DOMAIN_DEF DomainDef *wanted = NULL;
    CLEANUP(operation_unrefp) Operation *operation = NULL;
    GuestOnline *online;
    unsigned n_vcpus;
    bool live, config;
    int r;

    r = domain_resolve_affect(domain, request->flags, &live, &config, reterr);
    if (r >= 0 && live)
        vcpu_change_settle(domain);
    if (r >= 0)
        r = vcpu_request_check(domain, request, live, config, reterr);
    if (r >= 0 && config)
        r = vcpu_config_make(domain, request, &wanted, reterr); /* would it be valid? */
    if (r >= 0 && live)
        r = vcpu_request_plan(domain, request, &plan, reterr);
    if (r < 0)
        return r;
    if (plan.n_entities == 0)
        return config ? change_config(domain, request, reterr) : 0;
    r = config ? domain_try_config(domain, wanted, reterr) : 0; /* a full disk, before the guest */
    if (r < 0)
        return r;
    n_vcpus = hotplug_plan_vcpus(&domain->run->vcpus, &plan);
    online = plan.plug ? guest_online_begin(domain) : NULL;
    r = vcpu_operation_begin(domain, request, config, &plan, &operation, reterr);
    if (r < 0) {
        guest_online_finish(domain, online, NULL, 0);
        return r;
    }
    if (ret_operation)
        *ret_operation = operation->id;
    if (request->begun)
        fiber_cond_broadcast(request->begun);
    guest_online_wait(online);
    r = vcpu_operation_run(domain, operation, &plan, reterr);
    if (plan.plug)
        guest_online_finish(domain, online, operation, r < 0 ? 0 : n_vcpus);
    return r;
}

int driver_change_vcpus(Domain *domain, const VcpuRequest *request, uint64_t *ret_operation,
                        Error **reterr) {
    DomainJob job;
    int r;

    if (!request->single && request->count == 0)
        return error_argument(reterr, "virDomainSetVcpusFlags", "nvcpus",
                              "nvcpus in virDomainSetVcpusFlags must not be zero");
    if (request->flags & VCPU_GUEST)
        return driver_agent_set_count(domain, request->count, reterr);
    r = domain_job_begin(domain, &job, request->single ? "setvcpu" : "setvcpus", reterr);
    if (r < 0)
        return r;
    r = change_locked(domain, request, ret_operation, reterr);
    domain_job_end(domain, &job);
    return r;
}

/* A change on a fiber of its own, for a caller that wants to follow it. */
typedef struct BegunChange {
    unsigned n_refs; /* the fiber's and the caller's */
    Domain *domain;
    VcpuRequest request;
    uint64_t operation;
    bool over;
    int r;
    Error *error;
    FiberCond cond;
} BegunChange;

static void begun_change_unref(BegunChange *change) {
    if (--change->n_refs > 0)
        return;
    domain_unref(change->domain);
    vcpu_request_done(&change->request);
    error_free(change->error);
    fiber_cond_done(&change->cond);
    free(change);
}

static void run_change(void *userdata) {
    BegunChange *change = userdata;

    change->r = driver_change_vcpus(change->domain, &change->request, &change->operation,
                                    &change->error);
    change->over = true;
    fiber_cond_broadcast(&change->cond);
    begun_change_unref(change);
}

int driver_begin_change(Domain *domain, const VcpuRequest *request, uint64_t *ret_operation,
                        Error **reterr) {
    BegunChange *change = calloc(1, sizeof(BegunChange));
    int r;

    if (!change)
        return error_no_memory(reterr);
    change->n_refs = 2;
    change->domain = domain_ref(domain);
    change->request = *request;
    change->request.begun = &change->cond;
    change->request.ids = request->ids ? strdup(request->ids) : NULL;
    if ((request->ids && !change->request.ids) ||
        fiber_start("change-vcpus", run_change, change) < 0) {
        change->n_refs = 1;
        begun_change_unref(change);
        return error_no_memory(reterr);
    }
    while (!change->over && !change->operation)
        fiber_cond_wait(&change->cond, USEC_FOREVER);
    *ret_operation = change->operation;
    r = change->operation ? 0 : change->r; /* the operation tells its own outcome */
    if (r < 0)
        r = error_propagate(reterr, TAKE_PTR(change->error));
    begun_change_unref(change);
    return r;
}

int driver_cancel_operation(Operation *operation, Error **reterr) {
    return operation_cancel(operation, reterr);
}

int driver_retry_operation(Driver *driver, Operation *operation, uint64_t timeout_usec,
                           Error **reterr) {
    Domain *found = store_uuid(driver->services.store, operation->uuid);
    CLEANUP_DOMAIN Domain *domain = found ? domain_ref(found) : NULL;

    if (!domain)
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain is not running");
    return operation_is_of_device(operation)
               ? device_operation_retry(domain, operation, timeout_usec, reterr)
               : operation_retry(domain, operation, timeout_usec, reterr);
}
