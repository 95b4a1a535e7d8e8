/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A live change of a device in the log of operations. */
#include "domain/operation-log.h"
#include "driver/device-internal.h"
#include "conf/domain-format.h"
#include "util/file.h"

static const char *const verbs[] = {[DEVICE_VERB_ATTACH] = "attach-device",
                                    [DEVICE_VERB_DETACH] = "detach-device",
                                    [DEVICE_VERB_UPDATE] = "update-device"};

DeviceVerb device_operation_verb(const Operation *operation) {
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
        if (streq(operation->device.verb, verbs[i]))
            return (DeviceVerb)i;
    return DEVICE_VERB_UPDATE;
}

/* The next of those under way on that device, from `at` on; or NULL. */
static Operation *under_way(Operation *at, const Domain *domain, const char *alias) {
    while (at && (operation_has_ended(at) || !operation_is_of_device(at) ||
                  !streq(at->device.alias, alias) || !operation_is_of(at, domain)))
        at = at->next;
    return at;
}

static void end_pending(Domain *domain, const char *alias, const Operation *but,
                        OperationState state, const char *detail) {
    Operation *next,
        *at = under_way(operation_log_first(domain->services->operations), domain, alias);

    for (; at; at = next) {
        next = under_way(at->next, domain, alias);
        if (at != but && at->state == OPERATION_PENDING)
            operation_set_state(at, state, detail);
    }
}

void device_operations_gone(Domain *domain, const char *alias) {
    end_pending(domain, alias, NULL, OPERATION_DONE, NULL);
}

void device_operations_refused(Domain *domain, const char *alias) {
    end_pending(domain, alias, NULL, OPERATION_REFUSED, "the guest refused");
}

static int fill(Operation *operation, const DeviceRequest *request, const char *alias) {
    OperationDevice *device = &operation->device;

    device->verb = strdup(verbs[request->verb]);
    device->alias = strdup(alias);
    device->xml = request->xml ? strdup(request->xml) : NULL;
    return device->verb && device->alias && (device->xml || !request->xml) ? 0 : -ENOMEM;
}

int device_operation_begin(Domain *domain, const DeviceRequest *request, bool config,
                           const char *alias, char *whole_consume, Operation **ret,
                           Error **reterr) {
    CLEANUP_FREE char *why = NULL;
    Operation *operation = NULL;
    int r = operation_begin(domain->services->operations, domain,
                            &(VcpuRequest){.flags = request->flags}, &operation, reterr);

    assert(domain_job_is_mine(domain));
    if (r < 0) {
        free(whole_consume);
        return r;
    }
    operation->live = true;
    operation->config = config;
    operation->plug = request->verb == DEVICE_VERB_ATTACH;
    operation->device.whole = whole_consume;
    operation->device.fails_as = OPERATION_UNDONE;
    r = fill(operation, request, alias) < 0 ? error_no_memory(reterr)
                                            : operation_journal(operation, reterr);
    if (r < 0) {
        operation_set_state(operation, OPERATION_UNDONE,
                            reterr && *reterr ? error_message(*reterr) : NULL);
        operation_unref(operation);
        return r;
    }
    why = strf("taken over by operation %llu", (unsigned long long)operation->id);
    end_pending(domain, alias, operation, OPERATION_CANCELLED, why);
    *ret = operation;
    return 0;
}

int device_operation_note_whole(Operation *operation, char *whole_consume, Error **reterr) {
    free(operation->device.whole);
    operation->device.whole = whole_consume;
    return whole_consume ? operation_journal(operation, reterr) : error_no_memory(reterr);
}

void device_operation_end(Domain *domain, Operation *operation, int result, const Error *error) {
    const bool there = domain->run &&
                       device_by_alias(domain->run->live, operation->device.alias).kind;

    if (operation_has_ended(operation)) /* the domain stopped meanwhile */
        return;
    if (result < 0 && device_is_cut_off(domain)) {
        operation_set_state(operation, OPERATION_ACTING, error_message(error));
    } else if (result < 0) {
        operation_set_state(operation, operation->device.fails_as, error_message(error));
    } else if (there && device_operation_verb(operation) == DEVICE_VERB_DETACH) {
        operation_set_state(operation, OPERATION_PENDING, "waiting for the guest");
        operation_step(operation, STEP_PENDING);
    } else {
        operation_set_state(operation, OPERATION_DONE, NULL);
    }
}

char *device_whole(DomainDef *shell, DomainDef *def, const DevicePlace *place) {
    void **items = (void **)((char *)shell + place->kind->array), *own = *items;
    size_t *count = (size_t *)((char *)shell + place->kind->count);
    char *text = NULL;

    *items = device_at(def, place);
    *count = 1;
    if (domain_format(shell, &(DomainFormatParams){.id = 1, .secrets = true}, &text) < 0)
        text = NULL;
    *items = own;
    *count = 0;
    return text;
}
