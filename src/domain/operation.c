/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "domain/operation.h"

#include <signal.h>
#include <unistd.h>

#include "util/file.h"

static const char *const state_names[OPERATION_STATE_MAX_] = {
    "acting", "pending", "done", "undone", "refused", "failed", "cancelled"};
static const char *const step_names[OPERATION_STEP_MAX_] = {
    "journaled", "sent", "answered", "confirmed", "tuned", "pending", "saved", "config", "ended"};

const char *operation_state_name(OperationState state) {
    assert(state < OPERATION_STATE_MAX_);
    return state_names[state];
}

const char *operation_step_name(OperationStep step) {
    assert(step < OPERATION_STEP_MAX_);
    return step_names[step];
}

void vcpu_request_done(VcpuRequest *request) {
    free(request->ids);
    *request = (VcpuRequest){0};
}

Operation *operation_ref(Operation *operation) {
    assert(operation->n_refs > 0);
    operation->n_refs++;
    return operation;
}

void operation_unref(Operation *operation) {
    if (!operation)
        return;
    assert(operation->n_refs > 0);
    if (--operation->n_refs > 0)
        return;
    fiber_cond_done(&operation->cond);
    vcpu_request_done(&operation->request);
    free(operation->device.verb);
    free(operation->device.alias);
    free(operation->device.xml);
    free(operation->device.whole);
    free(operation->name);
    free(operation->vcpus);
    free(operation->detail);
    free(operation->guest);
    free(operation);
}

Operation *operation_alloc(uint64_t id, const char *name, const VcpuRequest *request) {
    Operation *operation = calloc(1, sizeof(Operation));

    assert(name);
    if (!operation)
        return NULL;
    operation->n_refs = 1;
    operation->id = id;
    operation->name = strdup(name);
    operation->request = *request;
    operation->request.begun = NULL;
    operation->request.ids = request->ids ? strdup(request->ids) : NULL;
    if (!operation->name || (request->ids && !operation->request.ids)) {
        operation_unref(operation);
        return NULL;
    }
    return operation;
}

char *operation_describe(const Operation *operation) {
    const VcpuRequest *request = &operation->request;
    const char *live = operation->live ? " --live" : "",
               *config = operation->config ? " --config" : "";

    if (operation_is_of_device(operation))
        return strf("%s %s%s%s", operation->device.verb, operation->device.alias, live, config);
    if (request->single)
        return strf("setvcpu %s %s%s%s", request->ids, request->enable ? "--enable" : "--disable",
                    live, config);
    return strf("setvcpus %u%s%s", request->count, live, config);
}

int operation_wait(Operation *operation, uint64_t deadline) {
    while (!operation_has_ended(operation) || operation->guest_pending) {
        int r = fiber_cond_wait(&operation->cond, deadline);

        if (r < 0)
            return r;
    }
    return 0;
}

void operation_step(const Operation *operation, OperationStep step) {
    static const char *crash_at;
    static bool looked;

    if (!looked)
        crash_at = getenv("VIREOD_CRASH_AT");
    looked = true;
    if (operation && crash_at && streq(crash_at, step_names[step]))
        kill(getpid(), SIGKILL);
}
