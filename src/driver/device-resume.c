/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on devices that an earlier daemon began, that QEMU has not answered in time, or that
 * are asked for once more. What QEMU has decides: an attach whose device is there is finished, one
 * whose device is not is taken back. A QEMU that answers the next connection has carried out what
 * the one before told it, or will never. */
#include "conf/device-parse.h"
#include "conf/domain-parse.h"
#include "domain/operation-log.h"
#include "domain/operation-resume.h"
#include "domain/removal.h"
#include "driver/device-internal.h"
#include "util/file.h"
#include "util/log.h"

static DeviceRequest request_of(const Operation *operation) {
    return (DeviceRequest){.verb = device_operation_verb(operation),
                           .xml = operation->device.xml,
                           .alias = operation->device.xml ? NULL : operation->device.alias,
                           .flags = operation->request.flags};
}

static int go_on_attach(Domain *domain, Operation *operation, Error **reterr) {
    const char *whole = operation->device.whole ? operation->device.whole : "";
    const DomainParseParams params = {.live = true};
    CLEANUP_DOMAIN_DEF DomainDef *one = NULL;
    DevicePlace place;
    int r, there;

    if (device_by_alias(domain->run->live, operation->device.alias).kind)
        return 0;
    r = domain_parse(whole, strlen(whole), &params, &one, reterr);
    if (r >= 0)
        r = device_only(one, &place, reterr);
    if (r < 0)
        return r;
    there = device_is_in_qemu(domain, operation->device.alias, reterr);
    operation->device.fails_as = there ? OPERATION_FAILED : OPERATION_UNDONE;
    if (there < 0)
        return there;
    r = domain_check_active(domain, reterr);
    if (r < 0)
        return r;
    return device_attach_go_on(domain, one, &place, there > 0, operation->device.alias, reterr);
}

static int go_on_update(Domain *domain, Operation *operation, Error **reterr) {
    const char *xml = operation->device.xml ? operation->device.xml : "";
    CLEANUP_DOMAIN_DEF DomainDef *one = NULL;
    DevicePlace place, old;
    int r = device_parse(xml, domain->run->live, &one, reterr);

    if (r >= 0)
        r = device_only(one, &place, reterr);
    if (r >= 0)
        r = device_find(domain->run->live, one, &place, strstr(xml, "<mac") != NULL, &old, reterr);
    return r < 0 ? r : device_update_again(domain, one, &place, &old, operation, reterr);
}

/* The definition first: it waits for nobody. */
static int go_on_detach(Domain *domain, Operation *operation, Error **reterr) {
    return device_by_alias(domain->run->live, operation->device.alias).kind
               ? device_detach_asked(domain, operation->device.alias,
                                     operation->request.timeout_usec, operation, reterr)
               : 0;
}

static int go_on(Domain *domain, Operation *operation, Error **reterr) {
    static int (*const verbs[])(Domain *, Operation *,
                                Error **) = {[DEVICE_VERB_ATTACH] = go_on_attach,
                                             [DEVICE_VERB_DETACH] = go_on_detach,
                                             [DEVICE_VERB_UPDATE] = go_on_update};
    const DeviceRequest request = request_of(operation);
    const bool config_first = operation->config && request.verb == DEVICE_VERB_DETACH;
    int r = config_first ? device_change_config(domain, &request, reterr) : 0;

    if (r >= 0)
        r = verbs[request.verb](domain, operation, reterr);
    if (r >= 0 && operation->config && !config_first)
        r = device_change_config(domain, &request, reterr);
    return r;
}

static void resume(Domain *domain, Operation *operation, int r, Error *error) {
    CLEANUP_ERROR Error *own = NULL;

    if (r >= 0 && operation_has_ended(operation)) /* the domain stopped meanwhile */
        return;
    if (r >= 0)
        r = domain_check_active(domain, &own);
    if (r < 0)
        operation->device.fails_as = domain_outlives_monitor(domain) ? OPERATION_ACTING
                                                                     : OPERATION_FAILED;
    else {
        operation->device.fails_as = device_operation_verb(operation) == DEVICE_VERB_UPDATE
                                         ? OPERATION_UNDONE
                                         : OPERATION_FAILED;
        r = go_on(domain, operation, &own);
    }
    if (own)
        log_info("domain '%s': operation %llu: %s", domain_name(domain),
                 (unsigned long long)operation->id, error_message(own));
    device_operation_end(domain, operation, r, own ? own : error);
}

/* The next of the domain's that have not ended, from `at` on; or NULL. */
static Operation *under_way(Operation *at, const Domain *domain) {
    while (at &&
           (operation_has_ended(at) || !operation_is_of_device(at) || !operation_is_of(at, domain)))
        at = at->next;
    return at;
}

/* The guest's answers are waited for. */
void device_operations_resume(Domain *domain) {
    Operation *at = under_way(operation_log_first(domain->services->operations), domain);

    for (; at; at = under_way(at->next, domain))
        operation_resume_start(domain, at, resume);
}

/* The next that waits for QEMU alone. */
static Operation *unfinished(const Domain *domain) {
    Operation *at = under_way(operation_log_first(domain->services->operations), domain);

    while (at && device_operation_verb(at) == DEVICE_VERB_DETACH)
        at = under_way(at->next, domain);
    return at ? operation_ref(at) : NULL;
}

void device_operations_finish(Domain *domain) {
    bool ended = true;

    assert(domain_job_is_mine(domain));
    while (ended) {
        Operation *operation = unfinished(domain);

        if (!operation)
            return;
        resume(domain, operation, 0, NULL);
        ended = operation_has_ended(operation);
        operation_unref(operation);
    }
}

static int check_pending(const Operation *operation, Error **reterr) {
    if (operation->state == OPERATION_PENDING)
        return 0;
    return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID,
                        "operation %llu of domain '%s' is %s; only a pending one can be retried",
                        (unsigned long long)operation->id, operation->name,
                        operation_state_name(operation->state));
}

/* Silence again is a timeout for whoever asked twice. */
static int retry_locked(Domain *domain, Operation *operation, uint64_t timeout_usec,
                        Error **reterr) {
    CLEANUP_ERROR Error *error = NULL;
    int r = check_pending(operation, reterr);

    if (r < 0)
        return r;
    if (!operation_is_of(operation, domain))
        return error_report(reterr, FROM_QEMU, ERROR_OPERATION_INVALID, "domain is not running");
    operation_set_state(operation, OPERATION_ACTING, NULL);
    r = device_detach_asked(domain, operation->device.alias, timeout_usec, operation, &error);
    device_operation_end(domain, operation, r, error);
    if (r < 0)
        return error_propagate(reterr, TAKE_PTR(error));
    return operation->state == OPERATION_PENDING
               ? error_report(reterr, FROM_QEMU, ERROR_OPERATION_TIMEOUT,
                              "the guest of domain '%s' has not released '%s' yet; operation %llu "
                              "is pending",
                              operation->name, operation->device.alias,
                              (unsigned long long)operation->id)
               : 0;
}

int device_operation_retry(Domain *domain, Operation *operation, uint64_t timeout_usec,
                           Error **reterr) {
    DomainJob job;
    int r = domain_job_begin(domain, &job, "retry of a device removal", reterr);

    if (r < 0)
        return r;
    r = retry_locked(domain, operation, timeout_usec, reterr);
    domain_job_end(domain, &job);
    return r;
}
